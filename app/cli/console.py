"""What the command line shows: results for people or machines, a progress bar, one sentence on failure."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from app.flows.progress import Progress, quiet

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
BAR_AFTER_SECONDS = 1.0


# Control characters and those that turn the writing direction, which a stranger's file name may hold.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """``text`` with what would act on a terminal written out."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """A line for a person; what comes from data is never taken for markup, nor for a command to the terminal."""
    out.print(plain(text), markup=False)


def fail(text: str) -> None:
    err.print(plain(text), markup=False)


def dump(value: Any) -> None:
    """The result for a machine: one JSON document."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


@contextmanager
def progress(machine: bool) -> Iterator[Progress]:
    """A bar with count and time left, on a terminal, once the work has taken a second."""
    if machine or not err.is_terminal:
        yield quiet
        return
    started = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=err, transient=True)
    task = bar.add_task("", total=None)

    def show(done: int, total: int, message: str) -> None:
        if not bar.live.is_started and time.monotonic() - started > BAR_AFTER_SECONDS:
            bar.start()
        bar.update(task, completed=done, total=total or None, description=message)

    try:
        yield show
    finally:
        bar.stop()
