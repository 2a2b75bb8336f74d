"""Signs of life: every worker touches a file of its own in the data folder, every few seconds, idle or not."""

import time
from pathlib import Path

EVERY_SECONDS = 2.0
FRESH_SECONDS = 20.0
FOLDER = "workers"


class Pulse:
    """The sign of life of the worker ``name``; ``beat`` may be called as often as one likes, ``end`` takes it away."""

    def __init__(self, home: Path, name: str) -> None:
        (home / FOLDER).mkdir(parents=True, exist_ok=True)
        self._path = home / FOLDER / name
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
