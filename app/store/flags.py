"""Flags that stand open, and what every check says of one sample."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.tables import Flag, Sample, Score


def open_flags(
    session: Session, dataset_id: int, check: str | None = None, limit: int | None = None, offset: int = 0
) -> list[tuple[Flag, Sample]]:
    """Open flags of samples that aren't excluded, worst first."""
    query = (
        select(Flag, Sample)
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.dataset_id == dataset_id, Flag.state == "open", Sample.excluded.is_(False))
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id))
        .order_by(Flag.score.desc(), Flag.group_id, Flag.id)
        .offset(offset)
        .limit(limit)
    )
    if check is not None:
        query = query.where(Flag.check == check)
    return list(session.execute(query).tuples())


def of_sample(session: Session, sample: Sample) -> list[Flag]:
    """Flags about the sample's picture or current mask, the open ones first, then the worst."""
    query = (
        select(Flag)
        .where(Flag.sample_id == sample.id, Flag.state != "withdrawn")
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == sample.current_id))
        .order_by(Flag.state != "open", Flag.score.desc())
    )
    return list(session.scalars(query))


def scores_of_sample(session: Session, sample: Sample) -> list[Score]:
    """What each check says of it, the worst first."""
    current = Score.revision_id.is_(None) | (Score.revision_id == sample.current_id)
    query = select(Score).where(Score.sample_id == sample.id, current).order_by(Score.value.desc())
    return list(session.scalars(query))
