"""Imprecise masks by a cross-validation's predictions: every labelled mask judged, what was found written down."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.domain.checks.base import Finding
from app.domain.checks.imprecise_mask import ImpreciseMask
from app.domain.classes import ClassList, Role
from app.domain.detector import Predicted
from app.domain.detector.critic import Layers, Lessons
from app.domain.detector.reduced import step_of
from app.domain.detector.sentence import UNPLACED
from app.domain.folds import verify_unseen
from app.domain.mask import Mask, pixel_hash
from app.domain.picture import Picture, strips
from app.flows import critic
from app.flows.child import folder_of
from app.flows.progress import Progress
from app.flows.snapshot import path_of
from app.store import datasets, findings, members, predictions, rasters, regions, runs, samples
from app.store.db import Database
from app.store.findings import Looked, Ran
from app.store.tables import Region, Sample, Snapshot
from ml import predictions as files
from ml import snapshot as frozen

if TYPE_CHECKING:
    from app.domain.detector import ImageScore

BATCH, PIXELS = 50, 1 << 24  # samples that are written together; fewer of large ones
# Predictions of a lower mean IoU are too weak to flag a mask by; what they say still ranks.
WEAK = 0.3
VERSION = ImpreciseMask.version + 1  # judged with a model; it may raise again what was closed before there was one


@dataclass(frozen=True)
class Judged:
    """A mask that was judged. ``score``: see ``_score``; ``regions``: how many were written down."""

    sample: int
    revision: int
    fold: int
    shape: tuple[int, int]
    score: float
    regions: int


class Predictions:
    """What the models of a run say of each labelled sample, read from disk one at a time."""

    def __init__(self, snapshot: Path, folder: Path) -> None:
        self.frozen = frozen.read(snapshot)
        self.file = files.read(folder / "predictions")
        self.rows = [row for row in self.frozen.rows if row.key in self.file.rows and row.kind == "label"]

    def folds(self) -> dict[str, int]:
        return {row.key: self.file.rows[row.key].fold or 0 for row in self.rows}

    def of(self, row: frozen.Row) -> Predicted:
        # What is looked at in cells isn't read before.
        read = self.file.stored if step_of(row.shape) > 1 else self.file.probabilities
        fold = self.file.rows[row.key].fold
        return Predicted(
            row.key, self.frozen.image(row), self.frozen.mask(row), np.moveaxis(read(row.key), 0, -1), fold
        )


def judge(
    db: Database, home: Path, run_id: int, snapshot: Snapshot, begin: float, progress: Progress
) -> dict[str, Any]:
    """Judge every mask of the snapshot by the predictions in the run's folder; what it came to, also kept in the run's
    row. What an interrupted judging has written is replaced. Raises SawIt, BadPrediction."""
    from app.domain.detector import Detector  # what learns takes a second to load, and servers never judge

    folder = folder_of(home, run_id)
    predicted = Predictions(path_of(home, snapshot), folder)
    with db.read() as session:
        owner = datasets.by_id(session, snapshot.dataset_id)
        classes = datasets.classes(session, owner, snapshot.class_version)
        config = runs.find(session, run_id).config
        folds = predicted.folds()
        known = {one.key: one for one in samples.by_keys(session, owner.id, list(folds))}
    learned = _learned(folder)
    verify_unseen(folds, learned, {row.key: row.group for row in predicted.frozen.rows})
    # Duplicates may have been found since the set was frozen.
    verify_unseen(folds, learned, {key: members.group_of(one) for key, one in known.items()})
    with db.write() as session:
        predictions.add(session, run_id, {known[key].id: fold for key, fold in folds.items()})
        regions.drop(session, run_id)
    total, done = 3 * len(predicted.rows), 0

    def stream() -> Iterator[Predicted]:
        nonlocal done
        for row in predicted.rows:
            yield predicted.of(row)
            done += 1
            progress(done, total, "learning what errors look like")

    def teach(lessons: Lessons) -> tuple[Layers, Layers]:
        return critic.taught(folder / "critic", lessons, config, progress)

    fitted = Detector(classes, teach=teach).fit(stream)
    confusion = Confusion(predicted.file.classes)
    judged: list[Judged] = []
    found: list[tuple[Sample, Predicted, ImageScore]] = []
    for row in predicted.rows:
        one = predicted.of(row)
        confusion.add(one.given, one.probabilities)
        found.append((known[row.key], one, fitted.score(one)))
        done += 1
        progress(done, total, "judging masks")
        if len(found) == BATCH or sum(score.pixel_map.size for _, _, score in found) >= PIXELS:
            judged += _write_batch(db, run_id, found)
            found = []
    if found:
        judged += _write_batch(db, run_id, found)
    miou = confusion.mean_iou(classes)
    facts = {
        "reason": "all folds",
        "folds": len(learned),
        "predicted": len(judged),
        "share": fitted.share,
        "miou": miou,
        "weak": miou is None or miou < WEAK,
    }
    return _conclude(db, run_id, owner.id, classes, judged, facts, begin)


def _learned(folder: Path) -> list[set[str]]:
    """For each fold, the samples that its model was trained on or stopped by, from what its trainer was given."""
    places = sorted(folder.glob("fold_*"), key=lambda place: int(place.name.removeprefix("fold_")))
    return [set(json.loads((place / "splits.json").read_text())) for place in places]


def _write_batch(db: Database, run_id: int, found: Sequence[tuple[Sample, Predicted, "ImageScore"]]) -> list[Judged]:
    maps = [Picture((one.pixel_map * 255).round().astype(np.uint8)) for _, _, one in found]
    with db.write() as session:
        stored = rasters.put_pictures(session, maps)
        revision_of = predictions.revisions_with(session, [sample.id for sample, _, _ in found])
        out, notes = [], []
        for (sample, predicted, one), raster in zip(found, stored, strict=True):
            given = predicted.given
            revision = revision_of[sample.id, pixel_hash(given)]
            regions.add(session, run_id, sample, revision, one.regions)
            note = {"sample_id": sample.id, "revision_id": revision, "suspicion_id": raster.id}
            notes.append(note | {"probability": one.probability})
            shape = given.shape[0], given.shape[1]
            out.append(Judged(sample.id, revision, predicted.fold or 0, shape, _score(one), len(one.regions)))
        predictions.judge(session, run_id, notes)
    return out


def _score(one: "ImageScore") -> float:
    """The probability that the mask has an error; equal ones are told apart by rank, which weighs a thousandth."""
    return 0.999 * one.probability + 0.001 * one.score


def _conclude(
    db: Database,
    run_id: int,
    dataset_id: int,
    classes: ClassList,
    judged: Sequence[Judged],
    facts: Mapping[str, Any],
    begin: float,
) -> dict[str, Any]:
    """Tell what was found, all at once: regions, scores and flags, and the run's result."""
    looked = [Looked(one.sample, one.revision, one.fold) for one in judged]
    with db.write() as session:
        regions.open_of_run(session, run_id)
        worst = regions.worst_of_run(session, run_id)
        found = [_finding(one, worst.get(one.sample), classes, facts["weak"]) for one in judged]
        ran = Ran(ImpreciseMask.name, VERSION, ImpreciseMask.subject, run_id)
        flagged = findings.record(session, dataset_id, ran, looked, found, ())
        result = {**facts, "flagged": flagged, "regions": len(worst), "seconds": round(time.monotonic() - begin, 1)}
        runs.find(session, run_id).result = result
    return result


def _finding(one: Judged, worst: Region | None, classes: ClassList, weak: bool) -> Finding:
    """Flagged from the threshold on, unless a person has kept every region that it is about, or models are too weak."""
    if weak or one.score < ImpreciseMask.threshold or (one.regions and worst is None):
        return Finding(one.sample, one.score, False)
    return Finding(one.sample, one.score, True, regions.told(worst, one.shape, classes) if worst else UNPLACED)


class Confusion:
    """Given by predicted class over all predictions, void left out: how far the models can be believed."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = tuple(ids)
        self._place = np.full(65536, -1, np.int64)
        self._place[list(ids)] = np.arange(len(ids))
        self._pixels = np.zeros((len(ids), len(ids)), np.int64)

    def add(self, given: Mask, probabilities: npt.NDArray[np.generic]) -> None:
        """``given`` (H, W) ids; ``probabilities`` (H, W, K) in the order of the ids."""
        count = len(self._ids)
        for rows in strips(given.shape):
            truth, seen = self._place[given[rows]], probabilities[rows].argmax(axis=2)
            pairs = (truth * count + seen)[truth >= 0]
            self._pixels += np.bincount(pairs, minlength=count * count).reshape(count, count)

    def accuracy(self) -> float | None:
        """Share of the pixels that are predicted as given; None where there are none."""
        total = int(self._pixels.sum())
        return float(self._pixels.trace() / total) if total else None

    def mean_iou(self, classes: ClassList) -> float | None:
        """Over the foreground classes that occur, false alarms on background counted; None where none does."""
        right, given, seen = self._pixels.diagonal(), self._pixels.sum(axis=1), self._pixels.sum(axis=0)
        either = given + seen - right
        real = [place for place, id in enumerate(self._ids) if _is_foreground(classes, id) and either[place]]
        return float(np.mean(right[real] / either[real])) if real else None


def _is_foreground(classes: ClassList, id: int) -> bool:
    known = classes.by_id(id)
    return known is not None and known.role is Role.FOREGROUND
