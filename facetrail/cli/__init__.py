"""The `facetrail` command."""

from facetrail.cli.app import main

__all__ = ["main"]
