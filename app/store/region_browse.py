"""Open regions of a whole data set, the likeliest first, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.errors import NotFound
from app.store.tables import Region, Run, Sample


@dataclass(frozen=True)
class Filter:
    """Which regions; all that is given has to hold. ``min`` and ``max`` bound the probability."""

    reason: str | None = None
    from_class: int | None = None
    to_class: int | None = None
    min: float | None = None
    max: float | None = None


def page(
    session: Session, dataset_id: int, filter: Filter, after: int | None, limit: int
) -> list[tuple[Region, Sample]]:
    """Up to ``limit`` open regions of current masks with their samples, those of excluded ones left out; ``after``: the
    id of the last one before, whatever has become of it. Raises NotFound where there is no such region."""
    query = select(Region, Sample).where(*_open(dataset_id, filter))
    query = query.order_by(Region.probability.desc(), Region.id.desc()).limit(limit)
    if after is None:
        return list(session.execute(query))
    last = session.get(Region, after)
    if last is None or last.dataset_id != dataset_id:
        raise NotFound(f"There is no region {after} in this dataset.")
    # Ties first, then what is less likely: each is a range of the index.
    at_it = query.where(Region.probability == last.probability, Region.id < last.id)
    ties: list[tuple[Region, Sample]] = list(session.execute(at_it))
    ties += session.execute(query.where(Region.probability < last.probability)).all()
    return ties[:limit]


def ids(session: Session, dataset_id: int, filter: Filter, limit: int) -> list[int]:
    """The ids of the likeliest ``limit`` regions."""
    query = select(Region.id).where(*_open(dataset_id, filter))
    return list(session.scalars(query.order_by(Region.probability.desc(), Region.id.desc()).limit(limit)))


def count(session: Session, dataset_id: int, filter: Filter) -> int:
    return session.scalar(select(func.count(Region.id)).where(*_open(dataset_id, filter))) or 0


def reasons(session: Session, dataset_id: int, filter: Filter) -> dict[str, int]:
    """Reason -> open regions, whatever reason the filter asks for; the commonest first."""
    query = select(Region.reason, func.count()).where(*_open(dataset_id, replace(filter, reason=None)))
    query = query.group_by(Region.reason).order_by(func.count().desc(), Region.reason)
    return dict(session.execute(query).all())


def pairs(session: Session, dataset_id: int, filter: Filter, most: int) -> list[tuple[int | None, int | None, int]]:
    """(given class, seen class, open regions) whatever classes the filter asks for; the ``most`` commonest first."""
    query = select(Region.from_class, Region.to_class, func.count())
    query = query.where(*_open(dataset_id, replace(filter, from_class=None, to_class=None)))
    query = query.where(Region.from_class.is_not(None), Region.to_class.is_not(None))
    query = query.group_by(Region.from_class, Region.to_class)
    query = query.order_by(func.count().desc(), Region.from_class, Region.to_class).limit(most)
    return list(session.execute(query))


def weak_runs(session: Session, run_ids: Sequence[int]) -> set[int]:
    """Those of the runs whose models are too weak to be believed."""
    rows = session.scalars(select(Run).where(Run.id.in_(set(run_ids))))
    return {run.id for run in rows if (run.result or {}).get("weak")}


def _open(dataset_id: int, filter: Filter) -> list[ColumnElement[bool]]:
    conditions = [
        Region.dataset_id == dataset_id,
        Region.state == "open",
        Sample.id == Region.sample_id,
        Sample.current_id == Region.revision_id,
        Sample.excluded.is_(False),
    ]
    wanted = {Region.reason: filter.reason, Region.from_class: filter.from_class, Region.to_class: filter.to_class}
    conditions += [column == value for column, value in wanted.items() if value is not None]
    if filter.min is not None:
        conditions.append(Region.probability >= filter.min)
    if filter.max is not None:
        conditions.append(Region.probability <= filter.max)
    return conditions
