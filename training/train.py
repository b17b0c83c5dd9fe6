"""Trains an encoder: photos in, one `.keras` file out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import structlog

from facetrail.errors import BadSettings, TrainingStopped
from facetrail.wire import Chips, Encoder
from training.aside import written_aside
from training.augmentation import Augmentation
from training.batches import Batches
from training.checkpoint import Checkpoints, State, same_plan, save_model
from training.distillation import DistilledTripletLoss, Teacher
from training.half import halve
from training.held_out import split
from training.labelled import LabelledChips
from training.plan import Plan
from training.rate import Cycles
from training.triplet import TripletLoss
from training.watching import ProgressBar, Watching
from workers.encoders.base import LOADING_FAULTS
from workers.encoders.nn4_small2 import nn4_small2

DECAY = 0.01  # AdamW's
AUGMENTATION = Augmentation()
MARGIN = 0.05  # over the runner-up, until `facetrail calibrate` finds another
MIDDLE_OF = 1000  # chips whose encodings a teacher is centred on

log = structlog.get_logger(__name__)


def train(
    data: LabelledChips,
    plan: Plan,
    run: Path,
    *,
    inputs: str,
    teacher: Encoder | None,
    stop_after: int | None = None,
) -> State:
    """Trains until the plan is done, from the run's last checkpoint if there is one.

    run: the folder of checkpoints, curves and TensorBoard's log. inputs: names the data; a run
    goes on with the same only. stop_after: the last pass to make now. Raises BadSettings where
    nothing can be learned or the plan is another, TrainingStopped.
    """
    taught, held_out = split(data, plan.held_out, plan.seed)
    check(taught, teacher is not None)
    checkpoints = Checkpoints(run)
    model, state = _resumed(checkpoints, _described(plan, inputs, teacher))
    batches = Batches(
        taught,
        plan.batch,
        teacher=Teacher.of(teacher, sample(taught, plan.seed)) if teacher is not None else None,
        augmentation=AUGMENTATION,
        seed=plan.seed,
        passed=len(state.passes),
    )
    if model is None:
        model = _compiled(plan, steps=plan.passes * len(batches), teacher=teacher)
    watching = Watching(checkpoints, held_out, state, patience=plan.patience, stop_after=stop_after)
    if not watching.done:
        _fit(model, batches, plan.passes, watching)
    return watching.state


def _described(plan: Plan, inputs: str, teacher: Encoder | None) -> dict[str, object]:
    """All that a run may not change, by the names of the options."""
    chosen = asdict(plan)
    batch, classic = chosen.pop("batch"), chosen.pop("classic")
    return {
        "photos": inputs,
        "teacher": teacher.id if teacher else None,
        "plain": not classic,
        "people_per_batch": batch["people"],
        "photos_per_person": batch["photos"],
        "others": batch["others"],
        **chosen,
        **asdict(AUGMENTATION),
    }


def sample(data: LabelledChips, seed: int) -> Chips:
    """Some of the chips, always the same."""
    random = np.random.default_rng(seed)
    return data.chips[random.permutation(len(data.chips))[:MIDDLE_OF]]


def check(data: LabelledChips, taught: bool) -> None:
    """Raises BadSettings for photos from which nothing can be learned."""
    people, several = len(data.people_with(1)), len(data.people_with(2))
    if not taught and several < 2:
        raise BadSettings(
            f"there are {people} people, {several} of them with two photos or more: triplets "
            "need two people with two photos each; add photos, or name a --teacher"
        )
    if not len(data.chips):
        raise BadSettings("no photo shows a face: name folders with photos of faces")
    log.info("training", chips=len(data.chips), people=people, with_several_photos=several)


def _resumed(checkpoints: Checkpoints, plan: dict[str, object]) -> tuple[keras.Model | None, State]:
    """Raises BadSettings if the run was begun with another plan, TrainingStopped."""
    found = checkpoints.last()
    if found is None:
        return None, State(plan, [])
    path, state = found
    if difference := same_plan(state.plan, plan):
        raise BadSettings(
            f"{checkpoints.run} was begun differently ({difference}): name another --run, or "
            "delete it to begin anew"
        )
    try:
        model = keras.saving.load_model(path)
    except LOADING_FAULTS as error:
        raise TrainingStopped(
            f"{path} can't be read ({error}): delete its folder to go on from the best pass, or "
            "from none"
        ) from error
    log.info("training goes on", passes=len(state.passes))
    return model, state


def _compiled(plan: Plan, *, steps: int, teacher: Encoder | None) -> keras.Model:
    keras.utils.set_random_seed(plan.seed)
    model = nn4_small2(classic=plan.classic)
    rate = Cycles(plan.rate, -(-steps // plan.cycles))
    loss = (
        DistilledTripletLoss(plan.mining, plan.alpha, plan.triplet_weight)
        if teacher
        else TripletLoss(plan.mining, plan.alpha)
    )
    # JAX is slow without; TensorFlow on a CPU is slower with it.
    jit = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.AdamW(rate, weight_decay=DECAY), loss, jit_compile=jit)
    # Else TensorFlow traces the first step twice, for the optimizer's variables that it makes.
    model.optimizer.build(model.trainable_variables)
    return model


def _fit(model: keras.Model, batches: Batches, passes: int, watching: Watching) -> None:
    bar = ProgressBar()
    log_folder = watching.checkpoints.run / "tensorboard"
    board = keras.callbacks.TensorBoard(str(log_folder), write_graph=False)
    try:
        model.fit(
            batches,
            epochs=passes,
            initial_epoch=len(watching.state.passes),
            callbacks=[watching, bar, board],
            shuffle=False,  # each batch is drawn anew, and the same after a resume
            verbose=0,
        )
    finally:
        bar.close()


def export(state: State, run: Path, to: Path, *, half: bool) -> None:
    """Writes the best pass's encoder, without its optimizer, and a description beside it.

    The description's threshold is the one that tells the people held out apart best, one to
    one; there is none where nobody was held out. Raises TrainingStopped.
    """
    best = state.best
    if best is None:
        raise TrainingStopped(f"{run} has no pass that could be exported: train at least one")
    model = keras.saving.load_model(Checkpoints(run).of(best.number) / "model.keras", compile=False)
    with written_aside(to) as aside:
        save_model(model, aside)
        if half:
            halve(aside)
    if best.threshold is not None:
        with written_aside(to.with_suffix(".yml")) as aside:
            aside.write_text(f"threshold: {best.threshold:.3f}\nmargin: {MARGIN}\n")
