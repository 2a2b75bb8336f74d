"""The checkpoint that a run goes on from, whether it is the same run, and who may write it."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ml.errors import Refused

NAME = "checkpoint.pt"
PATIENCE = 60.0  # seconds; an orphan of a killed parent ends with its next line, about a second later


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other processes from training in ``folder``; the lock goes with the process, however it ends.

    Raises Refused where another still holds it after ``PATIENCE`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if int(os.environ.get("RANK", 0)):  # the first process of a run holds it for all
        yield
        return
    until = time.monotonic() + PATIENCE
    with (folder / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= until:
                    raise Refused(f"Another process is training in {folder}; wait for it, or stop it.") from error
                time.sleep(0.1)
        yield


def stored(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state of the run in ``folder``, None where there is none.

    ``identity``: snapshot, splits and the config as asked for. Raises Refused where the run there has another one,
    naming what differs, or where the checkpoint can't be read.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever bytes that are no checkpoint make of the reader
        raise Refused(f"{path} can't be read; remove it to start over, or restore it.") from error
    for what, mine in identity.items():
        theirs = state["identity"][what]
        if theirs != mine:
            differing = [key for key in mine if mine[key] != theirs.get(key)] if isinstance(mine, dict) else []
            detail = f" ({', '.join(differing)})" if differing else ""
            raise Refused(f"{folder} holds a run with another {what}{detail}; give another --out.")
    return state
