"""What a run says while it works: JSON lines on standard output, with its pace among them."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml.errors import Broken, Refused
from ml.models import replace_file

Emit = Callable[..., None]


def to_stdout(event: str, **facts: Any) -> None:
    """One JSON line: ``{"event": ..., "at": seconds since the epoch, ...}``."""
    print(json.dumps({"event": event, "at": round(time.time(), 3), **facts}), flush=True)


def silent(event: str, **facts: Any) -> None:
    """What the processes beside the first say."""


def exit_status(work: Callable[[], int]) -> int:
    """What ``work`` returns; 2 where it refused its input, 3 where it broke off, the sentence said as an ``error``.

    4, as after a cancel, where nobody reads what it says any more: whoever started it is gone.
    """
    try:
        return work()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains on its way out
        return 4
    except Refused as error:
        to_stdout("error", message=str(error))
        return 2
    except Broken as error:
        to_stdout("error", message=str(error))
        return 3


class Pace:
    """Images a second and the time that is left, said once a second."""

    def __init__(self, emit: Emit, epochs: int, batches: int, every: float = 1.0) -> None:
        self._emit, self._epochs, self._batches, self._every = emit, epochs, batches, every
        self._epoch_seconds: float | None = None

    def begin(self, epoch: int) -> None:
        self._epoch, self._begin, self._images, self._done = epoch, time.perf_counter(), 0, 0
        self._said = self._begin

    def step(self, images: int) -> bool:
        """Counts a batch; says the rate, and returns True, where a second has passed since it was said."""
        self._images += images
        self._done += 1
        now = time.perf_counter()
        if now - self._said < self._every:
            return False
        self._said = now
        seconds = now - self._begin
        left = self._batches - self._done
        rest = (self._epochs - self._epoch - 1) * (self._epoch_seconds or seconds / self._done * self._batches)
        self._emit(
            "rate",
            epoch=self._epoch,
            batch=self._done,
            batches=self._batches,
            images_per_second=round(self._images / seconds, 1),
            eta_seconds=round(left * seconds / self._done + rest),
        )
        return True

    @property
    def images_per_second(self) -> float:
        return round(self._images / (time.perf_counter() - self._begin), 1)

    def end(self) -> float:
        """Seconds of the epoch, validation included."""
        self._epoch_seconds = time.perf_counter() - self._begin
        return round(self._epoch_seconds, 3)


def write_json(path: Path, what: Any) -> None:
    replace_file(path, (json.dumps(what, indent=1, ensure_ascii=False) + "\n").encode())
