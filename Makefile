# `make demo` and `make test` set everything up themselves; later runs start in seconds.

VENV ?= .venv
SECONDS ?= 0
SHARED := $(abspath ../shared)
READY := $(VENV)/.ready

ifneq ($(wildcard $(SHARED)/models),)
export FACETRAIL_MODEL_DIR ?= $(SHARED)/models
export FACETRAIL_TEST_DATA ?= $(SHARED)
endif

.PHONY: demo test tests check format bench soak setup clean

demo: $(READY)
	@$(VENV)/bin/python -m examples.demo --seconds $(SECONDS)

test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 check tests

# Four at a time on two cores: many tests wait for streams and processes. Numerical libraries do
# not wait in a loop meanwhile, on cores that others need.
tests: export OMP_WAIT_POLICY := passive
tests: export OPENBLAS_NUM_THREADS := 1
tests: $(READY)
	@$(VENV)/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

check: $(READY)
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(READY)
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

# Aligned 112x112 JPEGs of faces, in folders.
CHIPS ?= $(FACETRAIL_TEST_DATA)/faces/celebs

bench: $(READY)
	@$(VENV)/bin/python -m benchmarks.encoder_speed --chips $(CHIPS)
	@$(VENV)/bin/python -m benchmarks.encoder_start
	@$(VENV)/bin/python -m benchmarks.worker_speed --chips $(CHIPS)

soak: $(READY)
	@$(VENV)/bin/python -m pytest -m slow
	@$(VENV)/bin/python -m benchmarks.encoder_memory --chips $(CHIPS)
	@$(VENV)/bin/python -m benchmarks.kills
	@$(VENV)/bin/python -m benchmarks.redis_kills
	@$(VENV)/bin/python -m benchmarks.load --chips $(CHIPS) --rate 167 --seconds 120 \
		--workers 4 --kill-every 5 --restart-redis

setup: $(READY)

$(READY): pyproject.toml constraints.txt models.txt deploy/set_up.sh
	@deploy/set_up.sh $(VENV)

clean:
	rm -rf $(VENV) facetrail-data
