"""Samples by filter, worst first, page by page: the one query behind the grid, the API and batch decisions."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy import Float, Select, and_, case, exists, func, literal, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.errors import Invalid
from app.domain.status import Status
from app.store import groups
from app.store.tables import ClassPixels, Flag, Raster, Region, Revision, Sample, Score

Sort = Literal["worst", "key", "newest", "region"]
SORTS: tuple[str, ...] = get_args(Sort)


COUNTED = 10_000  # pages count what matches up to here, so that they cost the same in a set of any size
Value = float | str | int
Place = tuple[Value, int]  # what a page is sorted by, and the sample's id


@dataclass(frozen=True)
class Filter:
    """Which samples. All that is given has to hold.

    ``check`` alone: samples with an open flag of that check; with ``min`` or ``max``: samples, flagged or not, whose
    score of that check lies in [min, max]. ``split`` "none" means samples without one; ``q`` is text in the key,
    ``key`` all of it. ``sort`` is one of SORTS or the name of a check, by whose score samples then come, worst first;
    those that it never scored are left out. "region": by the likeliest open region, those without one last.
    """

    status: tuple[str, ...] = ()
    check: str | None = None
    class_id: int | None = None
    split: str | None = None
    min: float | None = None
    max: float | None = None
    q: str | None = None
    group: int | None = None
    sort: str = "worst"
    key: str | None = None
    flagged: bool | None = None

    @property
    def scored_by(self) -> str | None:
        """The check by whose score the samples are sorted, None where they are sorted by something else."""
        return (self.check if self.sort == "worst" else None) if self.sort in SORTS else self.sort


@dataclass(frozen=True)
class Row:
    """One sample of a page; ``value`` is what the page is sorted by."""

    sample: Sample
    image: Raster
    mask_id: int | None
    mask_hash: str | None
    value: Value


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    next: str | None


class BadCursor(Invalid):
    """A cursor that this program didn't give."""


def page(session: Session, dataset_id: int, filter: Filter, after: str | None = None, limit: int = 60) -> Page:
    """Up to ``limit`` samples after the cursor; costs the same on every page. Raises BadCursor."""
    start = None if after is None else _read_cursor(after)
    found = _walk(session, dataset_id, filter, start, limit + 1)
    rows = _rows(session, found[:limit])
    return Page(rows, _cursor(*found[limit - 1]) if len(found) > limit else None)


def count(session: Session, dataset_id: int, filter: Filter) -> int:
    query = select(func.count()).select_from(Sample).where(Sample.dataset_id == dataset_id, *_conditions(filter))
    return session.scalar(query) or 0


def count_up_to(session: Session, dataset_id: int, filter: Filter, most: int = COUNTED) -> int:
    """As ``count``, but no further than ``most`` + 1, worst first: flagged samples are found at once, however rare."""
    query = select(Sample.id).where(Sample.dataset_id == dataset_id, *_conditions(filter))
    some = query.order_by(Sample.worst.desc(), Sample.id).limit(most + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def ids(session: Session, dataset_id: int, filter: Filter) -> list[int]:
    """Every sample that matches, by id."""
    query = select(Sample.id).where(Sample.dataset_id == dataset_id, *_conditions(filter)).order_by(Sample.id)
    return list(session.scalars(query))


def order(session: Session, dataset_id: int, filter: Filter, limit: int) -> list[int]:
    """The first ``limit`` samples that match, by id, in the filter's order: a queue to walk through."""
    return [id for _, id in _walk(session, dataset_id, filter, None, limit)]


def by_ids(session: Session, dataset_id: int, ids: Sequence[int]) -> list[Row]:
    """The rows of these few samples, in the order of their ids."""
    query = select(Sample.worst, Sample.id).where(Sample.dataset_id == dataset_id, Sample.id.in_(ids))
    return _rows(session, [(worst, id) for worst, id in session.execute(query.order_by(Sample.id))])


def place(session: Session, dataset_id: int, filter: Filter, sample_id: int) -> tuple[int, Row | None, Row | None]:
    """(samples before this one, the previous one, the next one) in the filter's order, whether or not the sample itself
    still matches the filter. No more than COUNTED + 1 are counted."""
    value = _value(filter)
    at = session.execute(_scored(select(value, Sample.id), filter).where(Sample.id == sample_id)).first()
    if at is None:
        return 0, None, None
    here = (at[0], at[1])
    previous = _rows(session, _walk(session, dataset_id, filter, here, 1, backwards=True))
    following = _rows(session, _walk(session, dataset_id, filter, here, 1))
    query = _scored(select(Sample.id), filter).where(Sample.dataset_id == dataset_id, *_conditions(filter))
    counted = 0
    for part in _beyond(value, filter, here, backwards=True):
        some = query.where(part).limit(COUNTED + 1 - counted).subquery()
        counted += session.scalar(select(func.count()).select_from(some)) or 0
    return counted, previous[0] if previous else None, following[0] if following else None


def histogram(session: Session, dataset_id: int, filter: Filter, bins: int = 40) -> list[int]:
    """Samples by score of ``filter.check`` in equal bins of [0, 1], the filter's own range left out."""
    others = replace(filter, check=None, min=None, max=None)
    bin = case((Score.value >= 1, bins - 1), else_=func.floor(Score.value * bins)).label("bin")
    query = (
        select(bin, func.count())
        .join(Sample, Sample.id == Score.sample_id)
        .where(Score.dataset_id == dataset_id, Score.check == filter.check, _of_current(), *_conditions(others))
        .group_by("bin")
    )
    counts = [0] * bins
    for index, number in session.execute(query):
        counts[int(index)] = number
    return counts


def _of_current() -> ColumnElement[bool]:
    return or_(Score.revision_id.is_(None), Score.revision_id == Sample.current_id)


def _conditions(filter: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filter.status:
        conditions.append(Sample.status.in_(filter.status))
    elif filter.group is None and filter.key is None:
        conditions.append(Sample.status != Status.EXCLUDED.value)  # as the index on status has it
    if filter.split is not None:
        conditions.append(Sample.split.is_(None) if filter.split == "none" else Sample.split == filter.split)
    if filter.q:
        conditions.append(Sample.key.icontains(filter.q, autoescape=True))
    if filter.group is not None:
        conditions.append(groups.has(filter.group))
    if filter.class_id is not None:
        conditions.append(
            exists()
            .where(Revision.id == Sample.current_id, ClassPixels.raster_id == Revision.mask_id)
            .where(ClassPixels.class_id == filter.class_id)
            .correlate(Sample)
        )
    if filter.key is not None:
        conditions.append(Sample.key == filter.key)
    if filter.flagged is not None:
        conditions.append(Sample.worst_check.is_not(None) if filter.flagged else Sample.worst_check.is_(None))
    if filter.check is not None:
        conditions.append(_check_condition(filter, filter.check))
    return conditions


def _check_condition(filter: Filter, check: str) -> ColumnElement[bool]:
    if filter.min is None and filter.max is None:
        about = or_(Flag.revision_id.is_(None), Flag.revision_id == Sample.current_id)
        flagged = exists().where(Flag.sample_id == Sample.id, Flag.check == check, Flag.state == "open", about)
        return flagged.correlate(Sample)
    inside = [Score.sample_id == Sample.id, Score.check == check, _of_current()]
    if filter.min is not None:
        inside.append(Score.value >= filter.min)
    if filter.max is not None:
        inside.append(Score.value <= filter.max)
    return exists().where(and_(*inside)).correlate(Sample)  # the sort may join the scores as well


def _walk(
    session: Session, dataset_id: int, filter: Filter, start: Place | None, limit: int, backwards: bool = False
) -> list[Place]:
    """Where the next ``limit`` samples after ``start`` are. Ties of the value and what lies past it are asked for one
    after the other, so that each is a range of an index and a late page costs no more than an early one."""
    value = _value(filter)
    query = _scored(select(value, Sample.id), filter).where(Sample.dataset_id == dataset_id, *_conditions(filter))
    query = query.order_by(*_order(value, filter, backwards))
    found: list[Place] = []
    for part in [true()] if start is None else _beyond(value, filter, start, backwards):
        if len(found) < limit:
            found += [(at, id) for at, id in session.execute(query.where(part).limit(limit - len(found)))]
    return found


def _rows(session: Session, places: Sequence[Place]) -> list[Row]:
    """The samples at these places, with what a page shows of them."""
    query = (
        select(Sample, Raster, Revision.mask_id, select_hash())
        .join(Raster, Raster.id == Sample.image_id)
        .join(Revision, Revision.id == Sample.current_id, isouter=True)
        .where(Sample.id.in_([id for _, id in places]))
    )
    found = {sample.id: (sample, image, mask, hash) for sample, image, mask, hash in session.execute(query)}
    return [Row(*found[id], value) for value, id in places]


def _scored(query: Select[Any], filter: Filter) -> Select[Any]:
    """``query`` on Sample joined with the score that it is sorted by, where it is sorted by one."""
    if filter.scored_by is None:
        return query
    scored = (Score.dataset_id == Sample.dataset_id, Score.sample_id == Sample.id, Score.check == filter.scored_by)
    return query.join(Score, and_(*scored, _of_current()))


def select_hash() -> Any:
    """The pixel hash of the joined revision's mask."""
    mask = Raster.__table__.alias("mask")
    return select(mask.c.pixel_hash).where(mask.c.id == Revision.mask_id).correlate(Revision).scalar_subquery()


def _value(filter: Filter) -> InstrumentedAttribute[Any] | ColumnElement[Any]:
    if filter.sort == "key":
        return Sample.key
    if filter.sort == "newest":
        return Sample.id
    if filter.sort == "region":
        return _likeliest_region()
    return Score.value if filter.scored_by is not None else Sample.worst


def _likeliest_region() -> ColumnElement[Any]:
    """How likely the worst open region of the sample's mask is wrong; 0 without one."""
    worst = select(func.max(Region.probability)).where(Region.sample_id == Sample.id)
    worst = worst.where(Region.revision_id == Sample.current_id, Region.state == "open")
    return func.coalesce(worst.correlate(Sample).scalar_subquery(), 0.0)


def _descending(filter: Filter) -> bool:
    return filter.sort != "key"


def _order(value: Any, filter: Filter, backwards: bool = False) -> tuple[Any, ...]:
    falls = _descending(filter) != backwards
    ids_fall = (filter.sort == "newest") != backwards
    return (value.desc() if falls else value.asc(), Sample.id.desc() if ids_fall else Sample.id.asc())


def _beyond(value: Any, filter: Filter, at: Place, backwards: bool = False) -> list[ColumnElement[bool]]:
    """What comes after ``at``, in order: the rest of its ties, and all with a later value."""
    bound = literal(at[0], Float) if isinstance(at[0], float) else literal(at[0])
    falls = _descending(filter) != backwards
    past = value < bound if falls else value > bound
    if filter.sort in ("key", "newest"):  # no two samples share one
        return [past]
    return [and_(value == bound, Sample.id < at[1] if backwards else Sample.id > at[1]), past]


def _cursor(value: Value, id: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([value, id]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    try:
        value, id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = isinstance(value, str) or (math.isfinite(value) and abs(value) < 1 << 63)
        if isinstance(value, float | str | int) and isinstance(id, int) and fits and abs(id) < 1 << 63:
            return value, id
    except (ValueError, TypeError, RecursionError):
        pass
    raise BadCursor("The page's cursor is not one that this program gave; start again from the first page.")
