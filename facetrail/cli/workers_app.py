"""`facetrail workers` and `facetrail rejected`: what the queue's commands are."""

from __future__ import annotations

from typing import Annotated

import typer

from facetrail.cli.command import Json, settings_of_this_command

workers = typer.Typer(
    help="The workers that run.", epilog="Example: facetrail workers list", no_args_is_help=True
)
rejected = typer.Typer(
    help="Messages that workers could not use.",
    epilog="Example: facetrail rejected list",
    no_args_is_help=True,
)
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="As `rejected list` calls them.")
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@workers.command("list", epilog="Example: facetrail workers list --json")
def list_workers(json: Json = False) -> None:
    """Each worker: faces a second, how full its batches are, how busy it is; and the queue."""
    from facetrail.cli.workers_list import run

    run(settings_of_this_command(), as_json=json)


@rejected.command("list", epilog="Example: facetrail rejected list --json")
def list_rejected(json: Json = False) -> None:
    """Each message that was set aside, with the reason; the oldest first."""
    from facetrail.cli.rejected import show_all

    show_all(settings_of_this_command(), as_json=json)


@rejected.command(
    "retry",
    epilog="Examples: facetrail rejected retry 1795600000000-0, facetrail rejected retry --all",
)
def retry(ids: Ids = None, all_of_them: All = False, json: Json = False) -> None:
    """Put messages back into the queue, once what they failed for is mended."""
    from facetrail.cli.rejected import retry as run

    _either(ids, all_of_them)
    run(settings_of_this_command(), ids or [], as_json=json)


@rejected.command(
    "purge",
    epilog="Examples: facetrail rejected purge 1795600000000-0, facetrail rejected purge --all",
)
def purge(ids: Ids = None, all_of_them: All = False, json: Json = False) -> None:
    """Drop messages that were set aside, for good."""
    from facetrail.cli.rejected import purge as run

    _either(ids, all_of_them)
    run(settings_of_this_command(), ids or [], as_json=json)


def _either(ids: list[str] | None, all_of_them: bool) -> None:
    if bool(ids) == all_of_them:
        raise typer.BadParameter("give the IDs of messages, or --all")
