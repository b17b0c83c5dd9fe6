"""What every command of the tree begins with: its settings, and `--json`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from facetrail import log
from facetrail.embedded_redis import running_url
from facetrail.settings import Settings, read_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, nothing else.")]


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
