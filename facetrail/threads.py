"""A thread that fails must not leave a process that looks alive."""

from __future__ import annotations

import os
import threading

import structlog

log = structlog.get_logger(__name__)


def end_process_if_a_thread_fails() -> None:
    """For a process that is started again when it ends: without that thread it is of no use."""
    threading.excepthook = _failed


def _failed(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread else ""
    log.error("thread failed", thread=name, exc_info=failed.exc_value)
    os._exit(1)
