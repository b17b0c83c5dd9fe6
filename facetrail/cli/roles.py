"""The processes that `facetrail up` starts, and must not leave behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from facetrail.children import end, end_with_parent
from facetrail.errors import BadSettings, RoleDied

STEP_S = 0.2
ROLE_ENDS_S = 10.0


class Roles:
    """The processes of the roles, by name. environment: theirs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str) -> None:
        """Starts a role."""
        self._processes[name] = self._started(module)

    def check(self) -> None:
        """Raises RoleDied if one has ended by itself."""
        for name, process in self._processes.items():
            status = process.poll()
            if status is not None:
                raise RoleDied(
                    f"the {name} ended by itself with status {status}, so everything was ended; "
                    "its last words are above"
                )

    def end_one(self, name: str) -> None:
        if process := self._processes.pop(name, None):
            end(process, wait_s=ROLE_ENDS_S)

    def end(self) -> None:
        for name in list(self._processes):
            self.end_one(name)

    def enrol(self, folder: Path, stop: Callable[[], bool]) -> None:
        """Enrols in a process of its own, whose memory is given back. Raises BadSettings."""
        process = self._started("facetrail.cli", "enroll", "--folder", str(folder))
        try:
            while _runs(process) and not stop():
                pass
        finally:
            end(process, wait_s=ROLE_ENDS_S)
        if process.returncode and not stop():
            raise BadSettings(
                f"not everyone in {folder} could be enrolled, for the reasons above: mend or take "
                "out those photos, or start without --enroll"
            )

    def _started(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            # Ctrl-C at the terminal is for us; we end the roles in their order.
            start_new_session=True,
            preexec_fn=end_with_parent,
        )


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Whether it still runs after a step's wait."""
    try:
        process.wait(STEP_S)
    except subprocess.TimeoutExpired:
        return True
    return False
