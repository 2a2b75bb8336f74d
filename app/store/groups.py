"""Groups that checks found: samples that belong together and are decided together."""

from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.errors import NotFound
from app.store.tables import Flag, Group, Sample, Score


@dataclass(frozen=True)
class Card:
    """A group as it is shown: ``open`` counts its samples still flagged and not excluded, ``samples`` the first few."""

    group: Group
    open: int
    samples: list[int]


def has(group_id: int) -> ColumnElement[bool]:
    """The condition on Sample: it is a member, by its picture or its current mask."""
    current = Score.revision_id.is_(None) | (Score.revision_id == Sample.current_id)
    return exists().where(Score.sample_id == Sample.id, Score.group_id == group_id, current).correlate(Sample)


def find(session: Session, id: int) -> Group:
    """Raises NotFound."""
    group = session.get(Group, id)
    if group is None:
        raise NotFound(f"There is no group {id}.")
    return group


def of_dataset(session: Session, dataset_id: int, check: str | None = None, flagged: bool = False) -> list[Group]:
    """Groups, the most suspicious first; ``flagged``: only those that are flagged."""
    query = select(Group).where(Group.dataset_id == dataset_id, Group.size > 0)
    if check is not None:
        query = query.where(Group.check == check)
    if flagged:
        query = query.where(Group.flagged)
    return list(session.scalars(query.order_by(Group.score.desc(), Group.size.desc(), Group.id)))


def card(session: Session, group: Group, shown: int = 8) -> Card:
    about = Flag.revision_id.is_(None) | (Flag.revision_id == Sample.current_id)
    still = (
        select(func.count())
        .select_from(Flag)
        .join(Sample, Sample.id == Flag.sample_id)
        .where(Flag.group_id == group.id, Flag.state == "open", about, Sample.excluded.is_(False))
    )
    first = (
        select(Sample.id).where(Sample.dataset_id == group.dataset_id, has(group.id)).order_by(Sample.id).limit(shown)
    )
    return Card(group, session.scalar(still) or 0, list(session.scalars(first)))


def members(session: Session, group_id: int) -> list[Sample]:
    """Every sample of a group, by id."""
    return list(session.scalars(select(Sample).where(has(group_id)).order_by(Sample.id)))


def of_sample(session: Session, sample: Sample) -> list[Group]:
    """The groups that a sample belongs to."""
    current = Score.revision_id.is_(None) | (Score.revision_id == sample.current_id)
    query = select(Group).join(Score, Score.group_id == Group.id).where(Score.sample_id == sample.id, current)
    return list(session.scalars(query.order_by(Group.score.desc())))
