"""`facetrail unknowns`: the commands about strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetrail.cli.command import Json, settings_of_this_command

unknowns = typer.Typer(
    help="Strangers who were seen.", epilog="Example: facetrail unknowns list", no_args_is_help=True
)

Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From then on: 90s, 30m, 24h, 7d, an ISO time.")
]


@unknowns.command("list", epilog="Example: facetrail unknowns list --since 24h --save them.png")
def list_unknowns(
    since: Since = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw their pictures into this.")
    ] = None,
    json: Json = False,
) -> None:
    """Who was seen and has no name: where, when and how often."""
    from facetrail.cli.unknowns import show_all

    show_all(settings_of_this_command(), since=since, save_to=save, as_json=json)


@unknowns.command("name", epilog='Example: facetrail unknowns name unknown-7f3a "Ada Lovelace"')
def name_unknown(
    stranger: Annotated[str, typer.Argument(metavar="ID", help="As `unknowns list` shows it.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    json: Json = False,
) -> None:
    """Enrol a stranger from their best pictures; what was seen of them is the person's."""
    from facetrail.cli.unknowns_name import run

    run(settings_of_this_command(), stranger, name, as_json=json)
