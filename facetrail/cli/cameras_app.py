"""`facetrail cameras`: what the cameras' commands are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facetrail.cli.command import Json, settings_of_this_command

cameras = typer.Typer(
    help="The cameras that are read.",
    epilog="Example: facetrail cameras list",
    no_args_is_help=True,
)

Seconds = Annotated[
    float, typer.Option(min=0.5, max=60, help="How long to look, after the first picture.")
]


@cameras.command("list", epilog="Example: facetrail cameras list --json")
def list_cameras(json: Json = False) -> None:
    """Who reads which camera, and how it is: frames a second, clock, what waits, what was lost."""
    from facetrail.cli.cameras_list import run

    run(settings_of_this_command(), as_json=json)


@cameras.command(
    "test", epilog="Example: facetrail cameras test 'rtsp://viewer:{PW}@10.0.0.12/stream1'"
)
def test(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="As in the camera file; {NAME} is replaced by that environment variable.",
        ),
    ],
    transport: Annotated[
        Literal["tcp", "udp"], typer.Option(help="How RTSP carries the picture.")
    ] = "tcp",
    seconds: Seconds = 3.0,
    json: Json = False,
) -> None:
    """Open a camera: does it show a picture, of what kind, and faces in it?"""
    from facetrail.cli.cameras_test import run

    settings = settings_of_this_command()
    run(settings, url, transport=transport, seconds=seconds, as_json=json)


@cameras.command("preview", epilog="Example: facetrail cameras preview lobby --save lobby.png")
def preview(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the camera file.")],
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where to; else NAME.png in this folder."),
    ] = None,
    seconds: Seconds = 3.0,
    json: Json = False,
) -> None:
    """Save what a camera sees: faces with their scores, zones and masks."""
    from facetrail.cli.cameras_preview import run

    run(settings_of_this_command(), name, save_to=save, seconds=seconds, as_json=json)
