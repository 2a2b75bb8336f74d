"""One sample, by id or by key."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.tables import Sample


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
        chunk = keys[start : start + 500]
        found.extend(session.scalars(select(Sample).where(Sample.dataset_id == dataset_id, Sample.key.in_(chunk))))
    return found


def by_ids(session: Session, dataset_id: int, ids: Sequence[int]) -> list[Sample]:
    """Those of ``ids`` that are there."""
    found: list[Sample] = []
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        found.extend(session.scalars(select(Sample).where(Sample.dataset_id == dataset_id, Sample.id.in_(chunk))))
    return found


def walk(session: Session, dataset_id: int, chunk: int = 1000) -> Iterator[Sample]:
    """Every sample of a dataset by id, a chunk in memory at a time."""
    last = 0
    while True:
        query = select(Sample).where(Sample.dataset_id == dataset_id, Sample.id > last).order_by(Sample.id)
        rows = session.scalars(query.limit(chunk)).all()
        yield from rows
        if len(rows) < chunk:
            return
        last = rows[-1].id
        session.expunge_all()
