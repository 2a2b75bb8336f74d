"""Training: a run is asked for, frozen into a snapshot, and trained by a child process that goes on where it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.domain.actor import Actor
from app.domain.checks.duplicate_image import DuplicateImage
from app.flows import inspect, selftrain, trainer
from app.flows import rounds as asked_rounds
from app.flows.child import folder_of
from app.flows.progress import Progress, quiet
from app.flows.snapshot import CantTrain, freeze, path_of
from app.store import datasets, jobs, runs, samples
from app.store.db import Database
from app.store.members import ARMS, Arm
from app.store.tables import Run, Snapshot
from ml import config as configs


def request(
    db: Database,
    dataset: str,
    actor: Actor,
    *,
    preset: str = "baseline",
    keys: Mapping[str, Any] | None = None,
    arm: str = "curated",
    name: str = "",
    rounds: int = 0,
    precision: float = asked_rounds.PRECISION,
) -> Run:
    """Ask for a run: its row and the job that trains it, in one transaction. Raises CantTrain for what it is told.

    ``rounds`` of self-training follow the first training; ``precision``: how many of the pixels that a model labels for
    them should be right.
    """
    config = config_from(preset, keys or {}).as_json() | asked_rounds.asked(rounds, precision)
    if arm not in ARMS:
        raise CantTrain(f"There is no arm {arm!r}; choose one of {', '.join(ARMS)}.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        run = Run(dataset_id=row.id, name=name or preset, arm=arm, config=config, actor_name=actor.name)
        session.add(run)
        session.flush()
        run.job_id = jobs.request(session, "train", row.id, {"run": run.id}).id
        return run


def config_from(preset: str, keys: Mapping[str, Any]) -> configs.Config:
    """A preset with ``keys`` on top. Raises CantTrain."""
    if preset not in configs.PRESETS:
        raise CantTrain(f"There is no preset {preset!r}; choose one of {', '.join(configs.PRESETS)}.")
    try:
        return configs.make(configs.PRESETS[preset], keys)
    except (ValueError, OverflowError) as error:
        raise CantTrain(str(error)) from error


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


def run(db: Database, home: Path, run_id: int, progress: Progress = quiet, processes: int = 1) -> dict[str, Any]:
    """Train a run to its end and write its result down; started again, it goes on from its last checkpoint.

    ``processes``: how many train it together. Raises TrainingFailed with the trainer's sentence, CantTrain where the
    set can't be frozen.
    """
    snapshot = snapshot_of(db, home, run_id, progress)
    with db.read() as session:
        row = runs.find(session, run_id)
    with db.write() as session:
        runs.begin(session, run_id)
    folder, frozen = folder_of(home, run_id), path_of(home, snapshot)
    folder.mkdir(parents=True, exist_ok=True)
    if "rounds" in row.config:
        training = selftrain.prepared(db, folder, row.dataset_id, frozen, row.config, processes)
        result = selftrain.run(training, progress)
    else:
        result = trainer.train(frozen, folder, row.config, folder, progress, processes=processes)
    result = {key: value for key, value in result.items() if key not in ("history", "model")}
    with db.write() as session:
        runs.find(session, run_id).result = result
    return result


def snapshot_of(db: Database, home: Path, run_id: int, progress: Progress = quiet) -> Snapshot:
    """What a run is trained on: frozen when it starts, the same where it goes on. Raises CantTrain, NotFound.

    Copies of a picture are looked for first where nobody has yet: none may be learned from and judged at once.
    """
    with db.read() as session:
        row = runs.find(session, run_id)
        if row.snapshot_id is not None:
            return runs.find_snapshot(session, row.snapshot_id)
        dataset = datasets.by_id(session, row.dataset_id).name
        grouped = samples.all_grouped(session, row.dataset_id)
    if not grouped:
        inspect.run(db, dataset, [DuplicateImage.name], progress)
    arm: Arm = row.arm  # type: ignore[assignment]
    snapshot = freeze(db, home, dataset, arm, progress)
    with db.write() as session:
        runs.find(session, run_id).snapshot_id = snapshot.id
    return snapshot
