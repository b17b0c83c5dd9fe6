"""A passphrase: from the environment, or asked on the terminal; never an argument."""

from __future__ import annotations

import getpass
import sys

from facetrail.errors import BadSettings
from facetrail.settings import Settings


def passphrase(settings: Settings, *, twice: bool) -> str:
    """twice: asked once more, so that a slip is noticed. Raises BadSettings."""
    if settings.passphrase is not None:
        return _checked(settings.passphrase.get_secret_value())
    if not sys.stdin.isatty():
        raise BadSettings(
            "there is no terminal to ask for the passphrase: set FACETRAIL_PASSPHRASE"
        )
    words = _checked(_asked("Passphrase: "))
    if twice and _asked("The same again: ") != words:
        raise BadSettings("the two passphrases differ: run it again and type the same twice")
    return words


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        return ""


def _checked(words: str) -> str:
    if not words:
        raise BadSettings("an empty passphrase protects nothing: choose one of several words")
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise BadSettings("the passphrase is no UTF-8: write it in letters") from error
    return words
