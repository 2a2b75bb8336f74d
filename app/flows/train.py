"""Training: a run is asked for, frozen into a snapshot, and trained by a child process that goes on where it was."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.domain.actor import Actor
from app.domain.errors import Conflict
from app.flows.progress import Progress, quiet
from app.flows.snapshot import CantTrain, freeze, path_of
from app.store import datasets, jobs, runs
from app.store.db import Database
from app.store.members import ARMS, Arm
from app.store.tables import Run
from ml import config as configs

EVENTS = "events.jsonl"


class TrainingFailed(Conflict):
    """The trainer stopped with a sentence of its own."""


def request(
    db: Database,
    dataset: str,
    actor: Actor,
    *,
    preset: str = "baseline",
    keys: Mapping[str, Any] | None = None,
    arm: str = "curated",
    name: str = "",
) -> Run:
    """Ask for a run: its row and the job that trains it, in one transaction. Raises CantTrain for what it is told."""
    if preset not in configs.PRESETS:
        raise CantTrain(f"There is no preset {preset!r}; choose one of {', '.join(configs.PRESETS)}.")
    if arm not in ARMS:
        raise CantTrain(f"There is no arm {arm!r}; choose one of {', '.join(ARMS)}.")
    try:
        config = configs.make(configs.PRESETS[preset], keys or {})
    except (ValueError, OverflowError) as error:
        raise CantTrain(str(error)) from error
    with db.write() as session:
        row = datasets.find(session, dataset)
        run = Run(dataset_id=row.id, name=name or preset, arm=arm, config=config.as_json(), actor_name=actor.name)
        session.add(run)
        session.flush()
        run.job_id = jobs.request(session, "train", row.id, {"run": run.id}).id
        return run


def keys_of(texts: Sequence[str]) -> dict[str, Any]:
    """``key=value`` texts as keys of a config. Raises CantTrain."""
    try:
        return {key: value for text in texts for key, value in configs.parse_set(text).items()}
    except ValueError as error:
        raise CantTrain(str(error)) from error


def result_of(db: Database, run_id: int) -> dict[str, Any]:
    """What a run that has ended came to; empty before. Raises NotFound."""
    with db.read() as session:
        return runs.find(session, run_id).result or {}


def run(db: Database, home: Path, run_id: int, progress: Progress = quiet) -> dict[str, Any]:
    """Train a run to its end and write its result down; started again, it goes on from its last checkpoint.

    Raises TrainingFailed with the trainer's sentence, CantTrain where the set can't be frozen.
    """
    with db.read() as session:
        row = runs.find(session, run_id)
        dataset = datasets.by_id(session, row.dataset_id).name
    arm: Arm = row.arm  # type: ignore[assignment]
    if row.snapshot_id is None:
        snapshot = freeze(db, home, dataset, arm, progress)
        with db.write() as session:
            runs.find(session, run_id).snapshot_id = snapshot.id
    else:
        with db.read() as session:
            snapshot = runs.find_snapshot(session, row.snapshot_id)
    folder = folder_of(home, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.json"
    wanted.write_text(json.dumps(row.config))
    arguments = ["ml.train", str(path_of(home, snapshot)), "--out", str(folder), "--config", str(wanted)]
    with _alone(folder) as lock:
        _follow(arguments, folder, lock, progress)
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    result = {key: value for key, value in result.items() if key not in ("history", "model")}
    with db.write() as session:
        runs.find(session, run_id).result = result
    return result


def folder_of(home: Path, run_id: int) -> Path:
    return home / "runs" / str(run_id)


def events(home: Path, run_id: int) -> list[dict[str, Any]]:
    """What the trainer has said so far, in order; a line that is still being written is left for later."""
    path = folder_of(home, run_id) / EVENTS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def _follow(arguments: list[str], folder: Path, lock: int, progress: Progress) -> None:
    """Run the trainer, keep its lines, tell how far it is. Raises TrainingFailed; stops it where progress raises.

    The trainer holds ``lock`` too, for as long as it lives.
    """
    command = [sys.executable, "-m", *arguments]
    with (
        (folder / EVENTS).open("ab") as kept,
        # A session of its own: Ctrl+C at the server is no wish to cancel the training, which goes on at the next start.
        subprocess.Popen(  # noqa: S603  (our own program)
            command, stdout=subprocess.PIPE, pass_fds=(lock,), start_new_session=True
        ) as child,
    ):
        (folder / "pid").write_text(str(child.pid))
        assert child.stdout is not None  # noqa: S101  (a pipe was asked for)
        sentence, epochs = "The trainer ended without a word; the log has more.", 0
        try:
            for line in child.stdout:
                event = _event(line)
                if event is None:
                    continue
                kept.write(json.dumps(event).encode() + b"\n")
                kept.flush()
                match event["event"]:
                    case "start":
                        epochs = event["config"]["epochs"]
                        progress(event["epoch"], epochs, "training")
                    case "rate":
                        progress(event["epoch"], epochs, f"training, {event['images_per_second']:.0f} images/s")
                    case "epoch":
                        progress(event["epoch"] + 1, epochs, "training")
                    case "error":
                        sentence = event["message"]
        except BaseException:
            child.send_signal(signal.SIGTERM)
            raise
    if child.returncode:
        raise TrainingFailed(sentence)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the run's folder. A trainer that outlived its killed worker holds it still: it is told to stop, and waited
    for, so that two never write the same checkpoint."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()
