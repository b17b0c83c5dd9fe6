"""The command's tree, and how its errors are said."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import redis
import typer

from facetrail import log
from facetrail.embedded_redis import running_url
from facetrail.errors import FacetrailError
from facetrail.settings import Settings, read_settings

app = typer.Typer(
    help="Live face recognition over many cameras, on many machines.",
    epilog="Example: facetrail up --cameras cameras.yml --enroll photos/",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
people = typer.Typer(
    help="Who is enrolled.", epilog="Example: facetrail people list", no_args_is_help=True
)
app.add_typer(people, name="people")

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, nothing else.")]


@app.callback()
def _every_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    _debug.wanted = debug


class _Debug:
    wanted = False


_debug = _Debug()


def settings_of_this_command(*, starts_redis: bool = False) -> Settings:
    """The settings, with the logger set up by them. Raises BadSettings.

    starts_redis: whether the command starts a Redis where none is named; others take the one
    of a running `facetrail up`.
    """
    settings = read_settings()
    log.configure(level=settings.log_level, as_json=settings.log_json)
    if settings.redis_url or starts_redis or (url := running_url(settings.data_dir)) is None:
        return settings
    os.environ["FACETRAIL_REDIS_URL"] = url  # the processes of a role read their own settings
    return settings.model_copy(update={"redis_url": url})


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
    "facetrail enroll --folder people/"
)
def enroll(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The person's name.")] = None,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO…", help="Photos of them.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="A folder with a folder of photos per person.", file_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """Enrol a person from photos, or a folder per person."""
    if (folder is None) == (name is None) or (name is not None and not photos):
        raise typer.BadParameter("give a NAME and photos of them, or --folder DIR")
    from facetrail.cli.enroll import run

    ok = run(settings_of_this_command(), name, photos or [], folder, as_json=json)
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


@people.command("list", epilog="Example: facetrail people list --json")
def list_people(json: Json = False) -> None:
    """Who is enrolled, with how many photos."""
    from facetrail.cli.people import show_all

    show_all(settings_of_this_command(), as_json=json)


@people.command("remove", epilog='Example: facetrail people remove "Ada Lovelace"')
def remove_person(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Their name.")],
) -> None:
    """Erase a person's encodings and photos, everywhere."""
    from facetrail.cli.people import remove

    remove(settings_of_this_command(), name)


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
