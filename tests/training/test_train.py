"""A training from photos to a file: resumed, ended, stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from facetrail.errors import BadSettings, TrainingStopped
from facetrail.wire import Chips, Encoder
from training.checkpoint import Checkpoints, Pass, State
from training.labelled import LabelledChips
from training.plan import BatchSize, Plan
from training.train import check, export, train
from training.watching import Watching
from workers.encoders.own_description import Description

#: Three batches a pass.
PLAN = Plan(passes=2, batch=BatchSize(2, 2, 0), held_out=0.5, seed=5)


@pytest.fixture(scope="module")
def data() -> LabelledChips:
    """Twelve people, each a colour of their own, with two photos."""
    random = np.random.default_rng(1)
    colours = random.integers(0, 255, (12, 1, 1, 3))
    noise = random.integers(-20, 20, (24, 112, 112, 3))
    chips = np.clip(np.repeat(colours, 2, axis=0) + noise, 0, 255).astype(np.uint8)
    return LabelledChips(chips, np.repeat(np.arange(12), 2))


@pytest.fixture(scope="module")
def trained(
    data: LabelledChips, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run of two passes with a teacher."""
    run = tmp_path_factory.mktemp("training") / "run"
    train(data, PLAN, run, inputs="these", teacher=encoder)
    return run


def test_a_run_leaves_checkpoints_curves_and_tensorboards_log(trained: Path) -> None:
    found = Checkpoints(trained).last()
    assert found is not None
    assert [one.number for one in found[1].passes] == [1, 2]
    assert all(one.auc is not None and one.loss > 0 for one in found[1].passes)
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((trained / "tensorboard").rglob("events.out.tfevents.*"))
    assert not list(trained.glob(".aside-*"))


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    data: LabelledChips, encoder: Encoder, trained: Path, tmp_path: Path
) -> None:
    # Given the first pass of the same plan, and what a kill in the second may have left
    run = tmp_path / "run"
    whole = Checkpoints(trained).last()
    assert whole is not None
    first = train(data, PLAN, run, inputs="these", teacher=encoder, stop_after=1)
    assert len(first.passes) == 1
    (run / ".aside-pass-0002").mkdir()

    # If the same command is run again
    state = train(data, PLAN, run, inputs="these", teacher=encoder)

    # I expect the losses of the run that was not killed
    expected = [one.loss for one in whole[1].passes]
    assert [one.loss for one in state.passes] == pytest.approx(expected, rel=1e-3)
    assert not list(run.glob(".aside-*"))


@pytest.mark.parametrize(
    ("plan", "inputs", "difference"),
    [
        (replace(PLAN, alpha=0.5), "these", "alpha was 0.2, is 0.5"),
        (PLAN, "others", "the photos, or how their faces are found, have changed"),
        (replace(PLAN, classic=False), "these", "plain was False, is True"),
    ],
)
def test_another_plan_does_not_go_on(
    data: LabelledChips,
    encoder: Encoder,
    trained: Path,
    plan: Plan,
    inputs: str,
    difference: str,
) -> None:
    with pytest.raises(BadSettings, match=rf"was begun differently \({difference}\)"):
        train(data, plan, trained, inputs=inputs, teacher=encoder)


@pytest.mark.parametrize("half", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_file_is_an_encoder(trained: Path, chips: Chips, tmp_path: Path, half: bool) -> None:
    # Given the best pass's model
    found = Checkpoints(trained).last()
    assert found is not None and found[1].best is not None
    best = Checkpoints(trained).of(found[1].best.number) / "model.keras"
    expected = np.asarray(keras.saving.load_model(best, compile=False)(chips.astype(np.float32)))

    to = tmp_path / "mine.keras"
    export(found[1], trained, to, half=half)

    # I expect the same encodings of it, in half the room if asked for
    model = keras.saving.load_model(to)
    assert getattr(model, "optimizer", None) is None
    assert {weight.dtype for weight in model.weights} == {"float32"}
    encodings = np.asarray(model(chips.astype(np.float32)))
    assert encodings == pytest.approx(expected, abs=5e-3 if half else 1e-6)
    assert (to.stat().st_size < 8_000_000) is half
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.keras", "mine.yml"]
    assert 0 < Description.read(tmp_path / "mine.yml").threshold < 2


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    data: LabelledChips, trained: Path, tmp_path: Path
) -> None:
    # Given a plan whose rate is absurd
    absurd = replace(PLAN, rate=float("inf"), held_out=0)
    with pytest.raises(TrainingStopped, match="the loss is nan at batch .* another --run"):
        train(data, absurd, tmp_path / "run", inputs="these", teacher=None)
    assert not list((tmp_path / "run").glob(".aside-*"))


def a_pass(number: int, auc: float) -> Pass:
    return Pass(number=number, loss=1.0, accuracy=0.5, auc=auc, seconds=1)


def watching(run: Path, state: State, stop_after: int | None = None) -> Watching:
    return Watching(Checkpoints(run), None, state, patience=2, stop_after=stop_after)


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    # Given a network that the last batch of a pass has spoilt
    one = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    one.set_weights([np.full((1, 1), np.nan), np.zeros(1)])
    after = watching(tmp_path, State({}, [a_pass(1, 0.9)]))
    after.set_model(one)

    with pytest.raises(TrainingStopped, match="after pass 2 some weights are no numbers.*stays"):
        after.on_epoch_end(1, {"loss": 0.5})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("aucs", "stop_after", "done"),
    [
        ((0.5, 0.9, 0.7), None, False),
        ((0.5, 0.9, 0.7, 0.8), None, True),
        ((0.5, 0.9), 3, False),
        ((0.5, 0.9, 0.95), 3, True),
    ],
)
def test_training_ends_when_no_pass_was_better_for_a_while_or_when_told(
    aucs: tuple[float, ...], stop_after: int | None, done: bool, tmp_path: Path
) -> None:
    state = State({}, [a_pass(i + 1, auc) for i, auc in enumerate(aucs)])
    assert watching(tmp_path, state, stop_after).done is done


def test_the_best_pass_is_the_one_that_tells_the_people_held_out_apart_best() -> None:
    best = State({}, [a_pass(i + 1, auc) for i, auc in enumerate((0.5, 0.9, 0.7, 0.8))]).best
    assert best is not None and best.number == 2


def test_without_people_held_out_the_last_pass_is_the_best() -> None:
    passes = [Pass(number=i, loss=1.0, accuracy=None, auc=None, seconds=1) for i in (1, 2)]
    best = State({}, passes).best
    assert best is not None and best.number == 2


@pytest.mark.parametrize(
    ("labels", "taught", "sentence"),
    [
        ([0, 0, 0], False, "there are 1 people, 1 of them with two photos or more"),
        ([0, 0, 1, 2], False, "there are 3 people, 1 of them with two photos or more"),
        ([0, 1, 2], False, "there are 3 people, 0 of them with two photos or more"),
        ([], True, "no photo shows a face"),
    ],
)
def test_photos_from_which_nothing_can_be_learned(
    labels: list[int], taught: bool, sentence: str
) -> None:
    chips = np.zeros((len(labels), 112, 112, 3), np.uint8)
    with pytest.raises(BadSettings, match=sentence):
        check(LabelledChips(chips, np.array(labels, np.int64)), taught)


def test_a_full_disk_is_one_sentence_and_keeps_the_checkpoints(
    trained: Path, tmp_path: Path
) -> None:
    # Given a run, and a place where nothing can be written
    found = Checkpoints(trained).last()
    assert found is not None
    place = tmp_path / "full"
    place.write_text("a file where a folder is meant")
    with pytest.raises(TrainingStopped, match="mine.keras can't be written .*: free the disk"):
        export(found[1], trained, place / "mine.keras", half=False)
    assert Checkpoints(trained).last() is not None


def test_a_damaged_checkpoint_is_named(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    found = Checkpoints(run).last()
    assert found is not None
    found[0].with_name("state.json").write_text("{")
    with pytest.raises(TrainingStopped, match="pass-0002 can't be read .* delete it to go on"):
        Checkpoints(run).last()
