"""Cross-validation: K models, each of which predicts the samples that it never saw, and the masks judged by them."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.status import Status
from app.flows import child, critic, options
from app.flows.child import EVENTS, Hear, folder_of
from app.flows.imprecise import judge
from app.flows.progress import Progress, quiet
from app.flows.runs import Tail
from app.flows.share import Share
from app.flows.snapshot import CantTrain, path_of
from app.flows.train import snapshot_of
from app.store import datasets, jobs, runs, summary
from app.store.db import Database
from app.store.parts import Wanted
from app.store.tables import Dataset, Run, Snapshot
from ml import config as configs

FOLDS, FEWEST, MOST = 5, 2, 20
WANTED = "wanted.json"  # the config that the trainers are given
# Few epochs do: predictions have to be good enough to tell a mask by, not to win. So many pictures are learned from.
_SEEN, _SHORT, _LONG = 8000, 8, 40
# Measured on cores without a GPU: megapixels learned a second at width 16; seconds that the detector takes for one.
_PACE, _JUDGING = 0.4, 7.0


@dataclass(frozen=True)
class Outlook:
    """What a cross-validation would take. ``run``: the earlier one that ``seconds`` is judged by; None: by pixels."""

    samples: int
    folds: int
    epochs: int
    seconds: float
    run: int | None


@dataclass(frozen=True)
class Fold:
    """One model. ``state``: waiting, training, predicting or done; ``miou``: of its best epoch, on what it stops by."""

    fold: int
    state: str = "waiting"
    epochs: int = 0
    miou: float | None = None


def request(
    db: Database, dataset: str, actor: Actor, *, folds: int = FOLDS, keys: Mapping[str, Any] | None = None
) -> Run:
    """Ask for a cross-validation: its row and its job, in one transaction; ``keys`` of the trainer's config go before
    those that suit the set. Raises CantTrain for what it is told, NotFound."""
    if not FEWEST <= folds <= MOST:
        raise CantTrain(f"Ask for {FEWEST} to {MOST} folds, not {folds}.")
    with db.write() as session:
        row = datasets.find(session, dataset)
        try:
            config = configs.make(_advised(session, row), keys or {})
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


def outlook(session: Session, dataset: Dataset, folds: int = FOLDS) -> Outlook:
    """What a cross-validation with usual keys would take here, by the newest one on the set where there was one."""
    config = _advised(session, dataset)
    epochs, count = int(config["epochs"]), _labelled(session, dataset.id)
    for row in runs.of_dataset(session, dataset.id):
        if row.kind == "crossval" and row.result:
            there = row.config["folds"] * row.config["epochs"] * row.result["predicted"]
            return Outlook(count, folds, epochs, row.result["seconds"] * folds * epochs * count / max(1, there), row.id)
    sizes = summary.by_size(session, dataset.id)
    share = count / max(1, sum(one.count for one in sizes))
    megapixels = share * sum(one.count * one.width * one.height for one in sizes) / 1e6
    learned = folds * epochs * megapixels * (folds - 1) / folds
    width = int(config.get("width", configs.Config().width))
    seconds = learned * (width / 16) ** 2 / (_PACE * min(folds, os.cpu_count() or 1)) + _JUDGING * megapixels
    seconds += critic.outlook(count)
    return Outlook(count, folds, epochs, seconds, None)


def folds_of(home: Path, run: Run) -> list[Fold]:
    """How far the model of each fold is, by what the trainers said."""
    found = {fold: Fold(fold) for fold in range(run.config["folds"])}
    for event in child.events(home, run.id):
        one = found.get(event.get("fold", -1))
        if one is None:
            continue
        match event["event"]:
            case "epoch":
                best = event["val"]["miou"] if event["improved"] else one.miou
                found[one.fold] = Fold(one.fold, "training", event["epoch"] + 1, best)
            case "fold_end":
                found[one.fold] = replace(one, state="predicting")
            case "fold":
                found[one.fold] = replace(one, state="done")
    return list(found.values())


def _advised(session: Session, dataset: Dataset) -> dict[str, Any]:
    return dict(options.advise(session, dataset).values) | suited(_labelled(session, dataset.id))


def _labelled(session: Session, dataset_id: int) -> int:
    counts = summary.by_status(session, dataset_id)
    return sum(counts.values()) - counts[Status.UNLABELED] - counts[Status.EXCLUDED]


def suited(count: int) -> dict[str, Any]:
    """Keys that suit a set of ``count`` samples."""
    epochs = min(_LONG, max(_SHORT, _SEEN // max(1, count)))
    return {"class_balance": "sqrt", "epochs": epochs, "samples": 0}


def run(
    db: Database, home: Path, run_id: int, progress: Progress = quiet, share: Share | None = None
) -> dict[str, Any]:
    """Train and predict fold by fold, then judge every labelled mask by the predictions, and write the result down.
    With ``share`` other workers take folds, too.

    Started again, it goes on: finished folds are kept, others go on from their checkpoints. Raises TrainingFailed with
    the trainer's sentence, CantTrain where the set can't be frozen, SawIt where a model saw what it would judge.
    """
    begin = time.monotonic()
    snapshot = snapshot_of(db, home, run_id, progress)
    with db.read() as session:
        config = dict(runs.find(session, run_id).config)
    folds = config.pop("folds")
    if share is not None:
        config["threads"] = config["threads"] or 1  # a model is the same whoever trains it
    folder = folder_of(home, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WANTED).write_text(json.dumps(config))
    if share is not None:
        gather = _gathering(folder, folds, progress)
        wanted = [Wanted("fold", {"run": run_id, "fold": fold}, config["epochs"]) for fold in range(folds)]
        share(wanted, gather, f"training {folds} models", side_by_side=True)
        gather(folds * config["epochs"], folds * config["epochs"], "joining predictions")
    telling = _telling(range(folds), config["epochs"], progress, f"training {folds} models")
    child.see_done(_arguments(home, run_id, snapshot, folds), folder, telling)
    result = judge(db, home, run_id, snapshot, begin, progress)
    for part in folder.glob("fold_*/predictions"):  # they lie in the joined file
        part.unlink()
    return result


def run_fold(db: Database, home: Path, run_id: int, fold: int, progress: Progress = quiet) -> None:
    """A part of ``run``: the model of one fold, and what it predicts. Raises TrainingFailed."""
    with db.read() as session:
        row = runs.find(session, run_id)
        snapshot = runs.find_snapshot(session, row.snapshot_id or 0)
    arguments = [*_arguments(home, run_id, snapshot, row.config["folds"]), "--only", str(fold)]
    telling = _telling([fold], row.config["epochs"], progress, f"training model {fold + 1}")
    child.see_done(arguments, folder_of(home, run_id) / f"fold_{fold}", telling)


def _arguments(home: Path, run_id: int, snapshot: Snapshot, folds: int) -> list[str]:
    folder = folder_of(home, run_id)
    arguments = ["ml.crossval", str(path_of(home, snapshot)), "--out", str(folder), "--config", str(folder / WANTED)]
    return [*arguments, "--folds", str(folds), "--labelled"]


def _telling(folds: Sequence[int], epochs: int, progress: Progress, message: str) -> Hear:
    """Tells how far the models are together, in epochs."""
    done = dict.fromkeys(folds, 0)

    def hear(event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "start" if "fold" in event:
                done[event["fold"]] = event["epoch"]
            case "epoch":
                done[event["fold"]] = event["epoch"] + 1
            case "fold_end" | "fold":
                done[event["fold"]] = epochs
        progress(sum(done.values()), len(folds) * epochs, message)

    return hear


def _gathering(folder: Path, folds: int, progress: Progress) -> Progress:
    """``progress`` that also brings to the run's lines what the folds' trainers have said in folders of their own."""
    lines = (folder / EVENTS).read_bytes().splitlines() if (folder / EVENTS).exists() else []
    said = Counter(json.loads(line).get("fold") for line in lines)
    tails = [Tail(folder / f"fold_{fold}" / EVENTS) for fold in range(folds)]
    left = [said[fold] for fold in range(folds)]  # of those that were brought before a kill

    def tell(done: int, total: int, message: str) -> None:
        for fold, tail in enumerate(tails):
            told = [event for _, event in tail.read() if event.get("fold") == fold]
            new, left[fold] = told[left[fold] :], max(0, left[fold] - len(told))
            if new:
                with (folder / EVENTS).open("ab") as kept:
                    kept.writelines(json.dumps(event).encode() + b"\n" for event in new)
        progress(done, total, message)

    return tell
