"""A program of ``ml`` as a child process: torch stays out of the process that asks, and a kill of either is survived.

The child works in a folder, prints JSON lines that are kept there as ``events.jsonl``, and is started again with the
same arguments where it was interrupted: it goes on from what it finds in its folder.
"""

import fcntl
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from app.domain.errors import Conflict
from app.flows.progress import Progress

EVENTS = "events.jsonl"
SILENCE = {"event": "silence"}
Hear = Callable[[Mapping[str, Any]], None]


class TrainingFailed(Conflict):
    """The trainer stopped with a sentence of its own."""


def see_done(
    arguments: Sequence[str], folder: Path, hear: Hear, processes: int = 1, stamp: Mapping[str, Any] | None = None
) -> None:
    """Run ``python -m`` ``arguments`` to its end, alone in ``folder``; ``hear`` gets every line that it says.

    ``processes``: of several, started by ``torchrun``, each takes a device and a share of every batch. ``stamp`` goes
    with every line that is kept. Stops the child where ``hear`` raises; so that it can, it gets SILENCE after each
    second without a line. Raises TrainingFailed with the child's sentence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    several = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"] if processes > 1 else []
    with _alone(folder) as lock:
        _follow([*several, *arguments], folder, lock, hear, stamp or {})


def counting(progress: Progress, event: str, done: str, total: str, message: str) -> Hear:
    """Tells ``progress`` by two fields of each ``event`` of that name, and again with anything else, silence too."""
    told = 0, 0

    def hear(said: Mapping[str, Any]) -> None:
        nonlocal told
        if said["event"] == event:
            told = said[done], said[total]
        progress(*told, message)

    return hear


def folder_of(home: Path, run_id: int) -> Path:
    """Where a run's files lie."""
    return home / "runs" / str(run_id)


def events(home: Path, run_id: int) -> list[dict[str, Any]]:
    """What the child of a run has said so far, in order; a line that is still being written is left for later."""
    path = folder_of(home, run_id) / EVENTS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def _follow(arguments: Sequence[str], folder: Path, lock: int, hear: Hear, stamp: Mapping[str, Any]) -> None:
    """The child holds ``lock`` too, for as long as it or a child of its own lives."""
    command = [sys.executable, "-m", *arguments]
    with (
        (folder / EVENTS).open("ab") as kept,
        # A session of its own: Ctrl+C at the server is no wish to cancel the training, which goes on at the next start.
        subprocess.Popen(  # noqa: S603  (our own program)
            command, stdout=subprocess.PIPE, pass_fds=(lock,), start_new_session=True
        ) as child,
    ):
        (folder / "pid").write_text(f"{child.pid} {socket.gethostname()}")
        assert child.stdout is not None  # noqa: S101  (a pipe was asked for)
        sentence = "The trainer ended without a word; the log has more."
        try:
            for line in _lines(child.stdout):
                if line is None:
                    hear(SILENCE)
                    continue
                event = _event(line)
                if event is None:
                    continue
                kept.write(json.dumps({**event, **stamp}).encode() + b"\n")
                kept.flush()
                if event["event"] == "error":
                    sentence = event["message"]
                hear(event)
        except BaseException:
            child.send_signal(signal.SIGTERM)
            raise
    if child.returncode:
        raise TrainingFailed(sentence)


def _lines(said: IO[bytes]) -> Iterator[bytes | None]:
    """What the child says, line by line, and None after each second without one."""
    heard: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(ValueError):  # closed, since nobody wants to hear the rest
            for line in said:
                heard.put(line)
        heard.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            line = heard.get(timeout=1.0)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the folder. A child that outlived its killed worker, or children of its own, hold it still: they are told to
    stop, and waited for, so that two never write the same checkpoint."""
    cancel = folder / "cancel"
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if _stop_here(folder):
                fcntl.flock(lock, fcntl.LOCK_EX)
            else:
                cancel.touch()  # a child on another machine looks for it after every batch
                fcntl.flock(lock, fcntl.LOCK_EX)
                cancel.unlink(missing_ok=True)
        yield lock.fileno()


def _stop_here(folder: Path) -> bool:
    """Signal the child that holds the folder, where it runs on this machine."""
    # A worker that was killed before it wrote the number down: the child ends by itself with its next line.
    with suppress(ProcessLookupError, FileNotFoundError, ValueError):
        process, _, host = (folder / "pid").read_text().partition(" ")
        if host not in ("", socket.gethostname()):
            return False
        os.killpg(int(process), signal.SIGTERM)
    return True
