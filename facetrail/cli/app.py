"""The command's tree, and how its errors are said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import redis
import typer

from facetrail.cli.cameras_app import cameras
from facetrail.cli.command import Json, settings_of_this_command
from facetrail.cli.evaluate import evaluate
from facetrail.cli.people_app import people
from facetrail.cli.unknowns_app import Since, unknowns
from facetrail.cli.workers_app import rejected, workers
from facetrail.errors import FacetrailError
from training.plan import BatchSize, Mining, Plan

app = typer.Typer(
    help="Live face recognition over many cameras, on many machines.",
    epilog="Example: facetrail up --cameras cameras.yml --enroll photos/",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cameras, name="cameras")
app.add_typer(people, name="people")
app.add_typer(unknowns, name="unknowns")
app.add_typer(workers, name="workers")
app.add_typer(rejected, name="rejected")
app.add_typer(evaluate, name="evaluate")
models = typer.Typer(
    help="Encoders and detectors.", epilog="Example: facetrail models list", no_args_is_help=True
)
app.add_typer(models, name="models")


@app.callback()
def _every_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    _debug.wanted = debug


class _Debug:
    wanted = False


_debug = _Debug()


@app.command(epilog="Example: facetrail up --cameras cameras.yml --enroll photos/")
def up(
    cameras: Annotated[Path | None, typer.Option(help="The camera file.")] = None,
    enroll: Annotated[
        Path | None, typer.Option(help="First enrol this folder: a folder of photos per person.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Stop after so long; 0 runs on.")] = 0,
    json: Json = False,
) -> None:
    """Everything on one machine: Redis, ingest, a worker, and the events as they come."""
    from facetrail.cli.up import run

    settings = settings_of_this_command(starts_redis=True)
    run(settings, cameras=cameras, enroll=enroll, seconds=seconds, as_json=json)


@app.command(epilog="Example: FACETRAIL_CAMERAS=cameras.yml facetrail ingest")
def ingest() -> None:
    """Read cameras and queue face chips; as many of these as there are hosts."""
    from ingest.__main__ import run

    run(settings_of_this_command())


@app.command(epilog="Example: FACETRAIL_REDIS_URL=redis://queue:6379/0 facetrail worker")
def worker() -> None:
    """Take face chips off the queue and publish events; as many as you like."""
    from workers.__main__ import run

    raise typer.Exit(run(settings_of_this_command()))


@app.command(
    epilog='Examples: facetrail enroll "Ada Lovelace" ada1.jpg ada2.jpg, '
    "facetrail enroll --folder people/, facetrail enroll --zip people.zip"
)
def enroll(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The person's name.")] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PHOTO…", help="Photos of them, or zips of such."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="A folder with a folder of photos per person.", file_okay=False),
    ] = None,
    zip_file: Annotated[
        Path | None,
        typer.Option("--zip", metavar="FILE.zip", help="A zip with a folder of photos per person."),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An event of them, whose picture is a photo."),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Take photos that look like another person's, or unlike."),
    ] = False,
    json: Json = False,
) -> None:
    """Enrol a person from photos, or a folder per person."""
    ways = [name is not None, folder is not None, zip_file is not None]
    if sum(ways) != 1 or (name is None) == bool(photos or event):
        raise typer.BadParameter(
            "give a NAME and photos or events of them, --folder DIR or --zip FILE.zip"
        )
    from facetrail.cli.enroll import Given, run

    given = Given(name, photos or [], event or [], folder, zip_file)
    ok = run(settings_of_this_command(), given, trust=trust, as_json=json)
    raise typer.Exit(0 if ok else 1)


@app.command(epilog="Example: facetrail watch --camera lobby --since 0")
def watch(
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this camera's events.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="SEQUENCE", help="Start after this one; 0 for all that are kept."),
    ] = None,
    json: Json = False,
) -> None:
    """Events as they come, until Ctrl-C."""
    from facetrail.cli.watch import run

    cameras = frozenset(camera) if camera else None
    run(settings_of_this_command(), since=since, cameras=cameras, as_json=json)


@app.command(epilog="Example: facetrail find somebody.jpg --since 24h --camera lobby")
def find(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo of one person.")],
    since: Since = None,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only at this camera.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save their pictures, a row for each camera."),
    ] = None,
    json: Json = False,
) -> None:
    """Where was the person in a photo seen, named or not? Status 0 also for nowhere."""
    from facetrail.cli.find import run

    cameras = frozenset(camera) if camera else None
    run(
        settings_of_this_command(),
        photo,
        since=since,
        cameras=cameras,
        save_to=save,
        as_json=json,
    )


@app.command(epilog='Examples: facetrail trail "Ada Lovelace", facetrail trail unknown-7f3a')
def trail(
    who: Annotated[
        str, typer.Argument(metavar="NAME|UNKNOWN-ID", help="Somebody enrolled, or a stranger.")
    ],
    since: Since = None,
    json: Json = False,
) -> None:
    """The way somebody went: entered, left, camera by camera."""
    from facetrail.cli.trail import run

    run(settings_of_this_command(), who, since=since, as_json=json)


@app.command(
    epilog="Examples: facetrail train people/ --to mine.keras, "
    "facetrail train people/ --teacher combined --unnamed more/ --to mine.keras"
)
def train(
    people: Annotated[list[Path], typer.Argument(help="Folders with a folder per person.")],
    to: Annotated[Path, typer.Option(metavar="FILE.keras", help="The encoder it makes.")],
    run: Annotated[
        Path, typer.Option(help="Checkpoints, curves and TensorBoard's log; goes on from there.")
    ] = Path("facetrail-training"),
    unnamed: Annotated[
        list[Path] | None, typer.Option(help="Photos without names, for the teacher.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="ENCODER", help="An encoder to learn from.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Someone not to train on.")
    ] = None,
    leave_out_pairs: Annotated[
        Path | None, typer.Option(help="Leave out everyone in this pairs file.")
    ] = None,
    leave_out_fold: Annotated[
        list[int] | None, typer.Option(help="Of that file leave out only these folds.")
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Passes over the photos.")] = Plan.passes,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="The last pass to make now; the plan keeps its own.")
    ] = None,
    people_per_batch: Annotated[int, typer.Option(min=2, help="P.")] = BatchSize.people,
    photos_per_person: Annotated[int, typer.Option(min=2, help="K.")] = BatchSize.photos,
    others: Annotated[
        int, typer.Option(min=0, help="More faces per batch that only the teacher judges.")
    ] = BatchSize.others,
    mining: Annotated[Mining, typer.Option(help="Which triplets of a batch count.")] = Plan.mining,
    alpha: Annotated[float, typer.Option(help="The triplet loss's.")] = Plan.alpha,
    triplet_weight: Annotated[
        float, typer.Option(min=0, help="Of the triplets beside the teacher.")
    ] = Plan.triplet_weight,
    rate: Annotated[float, typer.Option(help="The highest learning rate.")] = Plan.rate,
    cycles: Annotated[
        int, typer.Option(min=1, help="How often the rate falls to nothing in these passes.")
    ] = Plan.cycles,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of people to verify on.")
    ] = Plan.held_out,
    patience: Annotated[
        int, typer.Option(min=1, help="Passes without a better one until the end.")
    ] = Plan.patience,
    plain: Annotated[
        bool, typer.Option("--plain", help="No L2 pools, no local response normalisation.")
    ] = False,
    float16: Annotated[
        bool, typer.Option("--float16", help="Keep the weights in 16 bits: half the size.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0)] = Plan.seed,
    json: Json = False,
) -> None:
    """Train nn4.small2 with the triplet loss, on a folder of photos per person."""
    from facetrail.cli.train import Sources
    from facetrail.cli.train import run as run_training

    if leave_out_fold and leave_out_pairs is None:
        raise typer.BadParameter("--leave-out-fold goes with --leave-out-pairs")
    if unnamed and teacher is None:
        raise typer.BadParameter("--unnamed goes with --teacher: only one can judge them")
    if not 0 < rate < 1:
        raise typer.BadParameter("--rate is above 0 and below 1, such as 0.002")
    if not 0 < alpha <= 4:
        raise typer.BadParameter("--alpha is above 0 and at most 4, such as 0.2")
    plan = Plan(
        passes=passes,
        batch=BatchSize(people_per_batch, photos_per_person, others if teacher else 0),
        mining=mining,
        alpha=alpha,
        triplet_weight=triplet_weight,
        rate=rate,
        cycles=cycles,
        classic=not plain,
        held_out=held_out,
        patience=patience,
        seed=seed,
    )
    folds = set(leave_out_fold or [])
    sources = Sources(people, unnamed or [], leave_out or [], leave_out_pairs, folds)
    run_training(
        settings_of_this_command(),
        sources,
        plan,
        teacher=teacher,
        to=to,
        folder=run,
        half=float16,
        stop_after=stop_after,
        as_json=json,
    )


@app.command(epilog="Example: facetrail verify ada1.jpg ada2.jpg --save pair.png")
def verify(
    one: Annotated[Path, typer.Argument(metavar="A", help="A photo of one person.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another photo.")],
    threshold: Annotated[
        float | None,
        typer.Option(metavar="DISTANCE", help="The same up to this, 0 to 2. Else the encoder's."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw both photos into this.")
    ] = None,
    json: Json = False,
) -> None:
    """Do two photos show the same person? Status 0 for either answer, 1 without one."""
    if threshold is not None and not 0 < threshold <= 2:
        raise typer.BadParameter("--threshold is a distance above 0 and up to 2")
    from facetrail.cli.verify import run

    paths = (one, other)
    settings = settings_of_this_command()
    run(settings, paths, threshold=threshold, save_to=save, as_json=json)


@app.command(epilog="Example: facetrail identify party.jpg --save party-named.png")
def identify(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo of anybody.")],
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw faces and names into this.")
    ] = None,
    json: Json = False,
) -> None:
    """Who of the enrolled is in a photo? Status 0 also for nobody, 1 without an answer."""
    from facetrail.cli.identify import run

    run(settings_of_this_command(), photo, save_to=save, as_json=json)


@app.command(
    epilog="Examples: facetrail calibrate --fpir 0.01 --strangers strangers/, "
    "facetrail calibrate --reset"
)
def calibrate(
    fpir: Annotated[
        float, typer.Option(metavar="RATE", help="The share of strangers who may get a name.")
    ] = 0.01,
    strangers: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photos of others, in one folder or one per person."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, but store nothing.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Back to the encoder's own threshold and margin.")
    ] = False,
    json: Json = False,
) -> None:
    """Threshold and margin for a wanted rate of strangers named, from your own gallery."""
    if not 0 < fpir < 1:
        raise typer.BadParameter("--fpir is a rate above 0 and below 1, such as 0.01")
    if reset and (strangers is not None or dry_run):
        raise typer.BadParameter("--reset measures nothing: leave the other options out")
    from facetrail.cli import calibrate as command

    settings = settings_of_this_command()
    if reset:
        command.reset(settings, as_json=json)
    else:
        command.run(settings, fpir=fpir, folder=strangers, dry_run=dry_run, as_json=json)


@app.command(epilog="Examples: facetrail doctor, facetrail doctor --no-cameras --json")
def doctor(
    no_cameras: Annotated[
        bool, typer.Option("--no-cameras", help="Leave the cameras alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Look at Redis, clock, models, cameras and GPU, and say what to do. Status 1 if one is bad."""
    from facetrail.cli.doctor import run

    ok = run(settings_of_this_command(), cameras=not no_cameras, as_json=json)
    raise typer.Exit(0 if ok else 1)


@models.command("list", epilog="Example: facetrail models list --json")
def list_models(json: Json = False) -> None:
    """Every encoder and detector: source, checksum, licence, accuracy, on disk or not."""
    from facetrail.cli.list_models import show_all

    show_all(settings_of_this_command(), as_json=json)


@models.command(
    "fetch",
    epilog="Examples: facetrail models fetch retail0095, "
    "facetrail models fetch yunet --from face_detection_yunet_2023mar.onnx",
)
def fetch_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME…", help="Without one: all but those for research only."),
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take this copy instead of downloading."),
    ] = None,
    json: Json = False,
) -> None:
    """Download the files that are missing; what was cut goes on where it was."""
    from facetrail.cli.fetch_models import run
    from facetrail.cli.models import named

    ok = run(named(names or []), settings_of_this_command(), copy, as_json=json)
    raise typer.Exit(0 if ok else 1)


def main() -> int:
    """Runs a command; the exit status: 0 done, 1 failed, 2 wrong usage."""
    try:
        app(prog_name="facetrail", standalone_mode=True)
    except (FacetrailError, redis.RedisError) as error:
        if _debug.wanted:
            raise
        print(f"facetrail: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: Exception) -> str:
    if isinstance(error, redis.RedisError):
        return f"Redis refused ({error}): see to it, or name another in FACETRAIL_REDIS_URL"
    return str(error)
