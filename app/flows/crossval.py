"""Cross-validation: K models, each of which predicts the samples that it never saw, and the masks judged by them."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.domain.actor import Actor
from app.flows import child, options
from app.flows.child import Hear, folder_of
from app.flows.imprecise import judge
from app.flows.progress import Progress, quiet
from app.flows.snapshot import CantTrain, path_of
from app.flows.train import snapshot_of
from app.store import datasets, jobs, runs, samples
from app.store.db import Database
from app.store.tables import Run
from ml import config as configs

FOLDS, FEWEST, MOST = 5, 2, 20
# Few epochs do: predictions have to be good enough to tell a mask by, not to win. So many pictures are learned from.
_SEEN, _SHORT, _LONG = 8000, 8, 40


def request(
    db: Database, dataset: str, actor: Actor, *, folds: int = FOLDS, keys: Mapping[str, Any] | None = None
) -> Run:
    """Ask for a cross-validation: its row and its job, in one transaction; ``keys`` of the trainer's config go before
    those that suit the set. Raises CantTrain for what it is told, NotFound."""
    if not FEWEST <= folds <= MOST:
        raise CantTrain(f"Ask for {FEWEST} to {MOST} folds, not {folds}.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        count = samples.count(session, row.id)
        try:
            advised = dict(options.advise(session, row).values)
            config = configs.make(advised | suited(count), keys or {})
        except (ValueError, OverflowError) as error:
            raise CantTrain(str(error)) from error
        run = Run(
            dataset_id=row.id,
            kind="crossval",
            name=f"{folds} folds",
            arm="curated",
            config=config.as_json() | {"folds": folds},
            actor_name=actor.name,
        )
        session.add(run)
        session.flush()
        run.job_id = jobs.request(session, "crossval", row.id, {"run": run.id}).id
        return run


def suited(count: int) -> dict[str, Any]:
    """Keys that suit a set of ``count`` samples."""
    epochs = min(_LONG, max(_SHORT, _SEEN // max(1, count)))
    return {"class_balance": "sqrt", "epochs": epochs, "samples": 0}


def run(db: Database, home: Path, run_id: int, progress: Progress = quiet) -> dict[str, Any]:
    """Train and predict fold by fold, then judge every labelled mask by the predictions, and write the result down.

    Started again, it goes on: finished folds are kept, others go on from their checkpoints. Raises TrainingFailed with
    the trainer's sentence, CantTrain where the set can't be frozen, SawIt where a model saw what it would judge.
    """
    begin = time.monotonic()
    snapshot = snapshot_of(db, home, run_id, progress)
    with db.read() as session:
        config = dict(runs.find(session, run_id).config)
    folds = config.pop("folds")
    folder = folder_of(home, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.json"
    wanted.write_text(json.dumps(config))
    arguments = ["ml.crossval", str(path_of(home, snapshot)), "--out", str(folder), "--config", str(wanted)]
    arguments += ["--folds", str(folds), "--labelled"]
    child.see_done(arguments, folder, _telling(folds, config["epochs"], progress))
    result = judge(db, home, run_id, snapshot, begin, progress)
    for part in folder.glob("fold_*/predictions"):  # they lie in the joined file
        part.unlink()
    return result


def _telling(folds: int, epochs: int, progress: Progress) -> Hear:
    """Tells how far the models are together, in epochs."""
    done = dict.fromkeys(range(folds), 0)

    def hear(event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "start" if "fold" in event:
                done[event["fold"]] = event["epoch"]
            case "epoch":
                done[event["fold"]] = event["epoch"] + 1
            case "fold_end" | "fold":
                done[event["fold"]] = epochs
        progress(sum(done.values()), folds * epochs, f"training {folds} models")

    return hear
