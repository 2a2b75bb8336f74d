"""Snapshots: a data set frozen into one file, its splits dealt once and kept."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.orm import Session

from app.domain import splits
from app.domain.errors import Invalid
from app.flows.progress import Progress, quiet
from app.store import datasets, members, rasters, runs, samples
from app.store.db import Database
from app.store.members import Arm, Member
from app.store.tables import Snapshot
from ml import snapshot as frozen


class CantTrain(Invalid):
    """A data set or a configuration that can't be trained on, with the reason."""


def freeze(db: Database, home: Path, dataset: str, arm: Arm, progress: Progress = quiet) -> Snapshot:
    """Write an arm of the data set to ``snapshots/<hash>.snapshot`` in the data folder, read at one moment.

    Samples that have no split yet are dealt one first, which they keep. Raises CantTrain or NotFound.
    """
    with db.write() as session:
        row = datasets.find(session, dataset)
        unsplit = members.to_deal(session, row.id)
        dealt = splits.deal(unsplit)
        samples.set_splits(session, {one.id: dealt[one.id] for one in unsplit if one.split != dealt[one.id]})
        total = samples.count(session, row.id)
    folder = home / "snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with db.read() as session:
        row = datasets.find(session, dataset)
        listed = datasets.classes(session, row)
        classes = [frozen.Class(one.id, one.name, one.role.value, one.colour) for one in listed.classes]
        version = row.class_version
        meta = {"dataset": dataset, "arm": arm, "class_list_version": version}
        stream = _stream(session, members.of_arm(session, row.id, arm), counts, total, progress)
        try:
            hash, _ = frozen.write(folder, stream, classes, meta)
        except ValueError as error:
            raise CantTrain(str(error)) from error
    with db.write() as session:
        return runs.add_snapshot(session, row.id, hash, arm, version, counts)


def path_of(home: Path, snapshot: Snapshot) -> Path:
    return home / "snapshots" / f"{snapshot.hash}{frozen.SUFFIX}"


def _stream(
    session: Session, found: Iterator[Member], counts: Counter[str], total: int, progress: Progress
) -> Iterator[frozen.Sample]:
    for done, one in enumerate(found):
        if done % 100 == 0:
            progress(done, total, "freezing")
        split = one.sample.split if one.mask is not None and one.sample.split in splits.SHARES else None
        counts[split or ("unlabeled" if one.mask is None else splits.HELD_OUT)] += 1
        yield frozen.Sample(
            key=one.sample.key,
            group=members.group_of(one.sample),
            split=split,  # type: ignore[arg-type]
            kind=None if one.mask is None else "label",
            image=rasters.pixels(session, one.image),
            mask=None if one.mask is None else rasters.mask(session, one.mask),
        )
