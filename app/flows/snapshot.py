"""Snapshots: a data set frozen into one file, its splits dealt once and kept."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.domain import splits
from app.domain.errors import Invalid
from app.flows.progress import Progress, quiet
from app.store import datasets, members, rasters, references, runs, samples
from app.store.db import Database
from app.store.members import Arm, Member
from app.store.references import Reference
from app.store.tables import Dataset, Snapshot
from ml import snapshot as frozen


class CantTrain(Invalid):
    """A data set or a configuration that can't be trained on, with the reason."""


def freeze(db: Database, home: Path, dataset: str, arm: Arm, progress: Progress = quiet) -> Snapshot:
    """Write an arm of the data set to ``snapshots/<hash>.snapshot`` in the data folder, read at one moment.

    Samples that have no split yet are dealt one first, which they keep. Raises CantTrain or NotFound.
    """
    return freeze_together(db, home, dataset, [arm], progress)[0]


def freeze_together(
    db: Database, home: Path, dataset: str, wanted: Sequence[Arm | Reference], progress: Progress = quiet
) -> list[Snapshot]:
    """As ``freeze``, for several arms and test references that are read at the same moment."""
    with db.write() as session:
        row = datasets.find(session, dataset)
        unsplit = members.to_deal(session, row.id)
        dealt = splits.deal(unsplit)
        samples.set_splits(session, {one.id: dealt[one.id] for one in unsplit if one.split != dealt[one.id]})
        total = samples.count(session, row.id)
    (home / "snapshots").mkdir(parents=True, exist_ok=True)
    with db.read() as session:
        row = datasets.find(session, dataset)
        version = row.class_version
        written = [(name, *_write(session, home, row, name, total, progress)) for name in wanted]
    with db.write() as session:
        return [runs.add_snapshot(session, row.id, hash, name, version, counts) for name, hash, counts in written]


def _write(
    session: Session, home: Path, row: Dataset, name: Arm | Reference, total: int, progress: Progress
) -> tuple[str, Counter[str]]:
    """Hash of the file that was written, and how many samples of each split it holds."""
    listed = datasets.classes(session, row)
    classes = [frozen.Class(one.id, one.name, one.role.value, one.colour) for one in listed.classes]
    meta: dict[str, Any] = {"dataset": row.name, "arm": name, "class_list_version": row.class_version}
    match name:
        case "test_current" | "test_imported":
            found, facts = references.members_of(session, row.id, name), references.facts(session, row.id)
            meta |= {"verified": sorted(facts.verified), "changed": sorted(facts.changed)}
        case _:
            found = members.of_arm(session, row.id, name)
    counts: Counter[str] = Counter()
    try:
        stream = _stream(session, found, counts, total, progress)
        return frozen.write(home / "snapshots", stream, classes, meta)[0], counts
    except ValueError as error:
        raise CantTrain(str(error)) from error


def path_of(home: Path, snapshot: Snapshot) -> Path:
    return home / "snapshots" / f"{snapshot.hash}{frozen.SUFFIX}"


def _stream(
    session: Session, found: Iterator[Member], counts: Counter[str], total: int, progress: Progress
) -> Iterator[frozen.Sample]:
    for done, one in enumerate(found):
        if done % 100 == 0:
            progress(done, total, "freezing")
        mask = None if one.mask is None else rasters.mask(session, one.mask)
        weight = None
        if one.sure is not None:
            weight = (rasters.mask(session, one.sure) >= members.CONFIDENT * 255).astype(np.float32)
            if not weight.any():
                mask = weight = None
        split = one.sample.split if mask is not None and one.sample.split in splits.SHARES else None
        if weight is not None:
            split = "train"
        counts["pseudo" if weight is not None else split or ("unlabeled" if mask is None else splits.HELD_OUT)] += 1
        yield frozen.Sample(
            key=one.sample.key,
            group=members.group_of(one.sample),
            split=split,  # type: ignore[arg-type]
            kind=None if mask is None else "label" if weight is None else "pseudo",
            image=rasters.pixels(session, one.image),
            mask=mask,
            weight=weight,
        )
