"""Flags that stand open, and what every check says of one sample."""

from collections.abc import Sequence

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.tables import Flag, Sample, Score


def open_flags(
    session: Session, dataset_id: int, check: str | None = None, limit: int | None = None, after: int | None = None
) -> list[tuple[Flag, Sample]]:
    """Open flags of samples that aren't excluded, worst first, those of a group together; ``after``: a flag's id, to go
    on behind it. Raises NotFound where there is no such flag."""
    group = func.coalesce(Flag.group_id, 0)
    query = (
        select(Flag, Sample)
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.dataset_id == dataset_id, Flag.state == "open", Sample.excluded.is_(False))
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id))
        .order_by(Flag.score.desc(), group, Flag.id)
        .limit(limit)
    )
    if check is not None:
        query = query.where(Flag.check == check)
    if after is not None:
        last = session.get(Flag, after)
        if last is None or last.dataset_id != dataset_id:
            raise NotFound(f"There is no flag {after} in this dataset.")
        behind = and_(Flag.score == last.score, tuple_(group, Flag.id) > tuple_(last.group_id or 0, last.id))
        query = query.where(or_(Flag.score < last.score, behind))
    return list(session.execute(query))


def of_sample(session: Session, sample: Sample) -> list[Flag]:
    """Flags about the sample's picture or current mask, the open ones first, then the worst."""
    query = (
        select(Flag)
        .where(Flag.sample_id == sample.id, Flag.state != "withdrawn")
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == sample.current_id))
        .order_by(Flag.state != "open", Flag.score.desc())
    )
    return list(session.scalars(query))


def worst_of(session: Session, sample_ids: Sequence[int], check: str | None = None) -> dict[int, Flag]:
    """sample -> its worst flag about its picture or current mask, an open one before a kept one."""
    query = (
        select(Flag)
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.sample_id.in_(sample_ids), Flag.state != "withdrawn")
        .where(Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id))
        .order_by(Flag.state == "open", Flag.score)
    )
    if check is not None:
        query = query.where(Flag.check == check)
    return {flag.sample_id: flag for flag in session.scalars(query)}


def any_scores(session: Session, dataset_id: int) -> bool:
    """Whether a check has looked at the dataset."""
    return session.scalar(select(Score.id).where(Score.dataset_id == dataset_id).limit(1)) is not None


def scores_of_sample(session: Session, sample: Sample) -> list[Score]:
    """What each check says of it, the worst first."""
    current = Score.revision_id.is_(None) | (Score.revision_id == sample.current_id)
    query = select(Score).where(Score.sample_id == sample.id, current).order_by(Score.value.desc())
    return list(session.scalars(query))
