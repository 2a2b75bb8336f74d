"""Signs of life: every worker touches a file of its own in the data folder, every few seconds, idle or not."""

import socket
import time
from contextlib import suppress
from pathlib import Path

EVERY_SECONDS = 2.0
FRESH_SECONDS = 20.0
FOLDER = "workers"


class Pulse:
    """The sign of life of the worker ``name``, with the name of its machine in it; ``beat`` may be called as often as
    one likes, ``end`` takes it away."""

    def __init__(self, home: Path, name: str) -> None:
        (home / FOLDER).mkdir(parents=True, exist_ok=True)
        self._path = home / FOLDER / name
        self._path.write_text(socket.gethostname())
        self._beaten = -EVERY_SECONDS

    def beat(self) -> None:
        if time.monotonic() - self._beaten >= EVERY_SECONDS:
            self._beaten = time.monotonic()
            self._path.touch()

    def end(self) -> None:
        self._path.unlink(missing_ok=True)


def alive(home: Path) -> list[str]:
    """The names of the workers whose sign of life is fresh.

    A clock that was set back leaves signs of the future, which count until the next one is due.
    """
    found = []
    for path in sorted((home / FOLDER).glob("*")):
        try:
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:  # it has just ended
            continue
        if abs(age) < FRESH_SECONDS:
            found.append(path.name)
    return found


def here(home: Path) -> int:
    """How many living workers this machine has."""
    found = 0
    for name in alive(home):
        with suppress(FileNotFoundError):  # it has just ended
            found += (home / FOLDER / name).read_text() == socket.gethostname()
    return found
