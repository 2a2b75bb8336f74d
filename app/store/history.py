"""The history of a dataset: its batches of decisions, the newest first."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.store.tables import Batch, Decision, Sample


@dataclass(frozen=True)
class Entry:
    """A batch; ``left`` counts its decisions that aren't undone, ``sample_id`` and ``key`` name one sample of it."""

    batch: Batch
    left: int
    undone_by: int | None
    sample_id: int | None
    key: str | None


def entries(session: Session, dataset_id: int, before: int | None = None, limit: int = 50) -> list[Entry]:
    """Up to ``limit`` batches older than ``before``."""
    undoing = aliased(Batch)
    first = select(func.min(Decision.sample_id)).where(Decision.batch_id == Batch.id).scalar_subquery()
    left = (
        select(func.count())
        .where(Decision.batch_id == Batch.id, Decision.undone_by_id.is_(None))
        .correlate(Batch)
        .scalar_subquery()
    )
    undone_by = select(func.max(undoing.id)).where(undoing.undoes_id == Batch.id).correlate(Batch).scalar_subquery()
    query = (
        select(Batch, left, undone_by, Sample.id, Sample.key)
        .join(Sample, Sample.id == first, isouter=True)
        .where(Batch.dataset_id == dataset_id)
        .order_by(Batch.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Batch.id < before)
    return [Entry(*row) for row in session.execute(query)]
