"""One sample, by id or by key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store import tallies
from app.store.tables import Raster, Revision, Sample


def find(session: Session, id: int) -> Sample:
    """Raises NotFound."""
    sample = session.get(Sample, id)
    if sample is None:
        raise NotFound(f"There is no sample with id {id}.")
    return sample


def by_key(session: Session, dataset_id: int, key: str) -> Sample:
    """Raises NotFound."""
    sample = session.scalar(select(Sample).where(Sample.dataset_id == dataset_id, Sample.key == key))
    if sample is None:
        raise NotFound(f"There is no sample {key!r} in this dataset.")
    return sample


def by_keys(session: Session, dataset_id: int, keys: Sequence[str]) -> list[Sample]:
    """Those of ``keys`` that are there."""
    found: list[Sample] = []
    for start in range(0, len(keys), 500):
        chunk = [key for key in keys[start : start + 500] if "\0" not in key]  # PostgreSQL can't be asked for one
        query = select(Sample).where(Sample.dataset_id == dataset_id, Sample.key.in_(chunk))
        found.extend(session.scalars(query.order_by(Sample.id)))
    return found


def by_ids(session: Session, dataset_id: int, ids: Sequence[int]) -> list[Sample]:
    """Those of ``ids`` that are there."""
    found: list[Sample] = []
    for start in range(0, len(ids), 500):
        query = select(Sample).where(Sample.dataset_id == dataset_id, Sample.id.in_(ids[start : start + 500]))
        found.extend(session.scalars(query.order_by(Sample.id)))
    return found


def count(session: Session, dataset_id: int) -> int:
    return sum(number for number, _ in tallies.of_dataset(session, dataset_id, "status").values())


def all_grouped(session: Session, dataset_id: int) -> bool:
    """Whether copies have been looked for among all samples of a dataset."""
    apart = select(Sample.id).where(Sample.dataset_id == dataset_id, Sample.content_group.is_(None)).limit(1)
    return session.scalar(apart) is None


def set_content_groups(session: Session, groups: Mapping[int, int]) -> None:
    """sample -> the group of samples that show the same picture, which no split may divide."""
    if groups:
        session.execute(update(Sample), [{"id": id, "content_group": group} for id, group in groups.items()])


@dataclass(frozen=True)
class Known:
    """A sample that is there, the pixel hash of its picture and those of every mask it ever had."""

    sample: Sample
    image_hash: str
    mask_hashes: frozenset[str]


def known(session: Session, dataset_id: int, keys: Sequence[str]) -> dict[str, Known]:
    """Those of ``keys`` (at most a few hundred) that are there."""
    rows = session.execute(
        select(Sample, Raster.pixel_hash)
        .join(Raster, Raster.id == Sample.image_id)
        .where(Sample.dataset_id == dataset_id, Sample.key.in_(keys))
    )
    found = {sample.id: (sample, hash) for sample, hash in rows}
    masks: dict[int, set[str]] = {id: set() for id in found}
    query = select(Revision.sample_id, Raster.pixel_hash).join(Raster, Raster.id == Revision.mask_id)
    for id, hash in session.execute(query.where(Revision.sample_id.in_(found))):
        masks[id].add(hash)
    return {sample.key: Known(sample, hash, frozenset(masks[id])) for id, (sample, hash) in found.items()}


def standings(session: Session, dataset_id: int, chunk: int = 2000) -> Iterator[tuple[str, str, int, int | None]]:
    """(key, status, version, current revision) of every sample of a dataset by id, a chunk in memory at a time."""
    last = 0
    columns = (Sample.id, Sample.key, Sample.status, Sample.version, Sample.current_id)
    while True:
        query = select(*columns).where(Sample.dataset_id == dataset_id, Sample.id > last).order_by(Sample.id)
        rows = session.execute(query.limit(chunk)).all()
        for _, key, status, version, revision in rows:
            yield key, status, version, revision
        if len(rows) < chunk:
            return
        last = rows[-1][0]


def set_splits(session: Session, splits: Mapping[int, str]) -> None:
    """sample -> the split that it keeps from now on."""
    if splits:
        tallies.move_splits(session, splits)
        session.execute(update(Sample), [{"id": id, "split": split} for id, split in splits.items()])
