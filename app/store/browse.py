"""Samples by filter, worst first, page by page: the one query behind the grid, the API and batch decisions."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, case, func, select, true
from sqlalchemy.orm import Session

from app.domain.errors import Invalid
from app.store.matching import SORTS, Filter, Matching, Place, Value, has_text, of_current
from app.store.tables import Raster, Revision, Sample, Score

__all__ = ["COUNTED", "SORTS", "BadCursor", "Filter", "Page", "Row"]

COUNTED = 10_000  # pages count what matches up to here, so that they cost the same in a set of any size
LOOKED = 20_000  # keys that are read at a time for a text in them: there is no index of parts of words
DEARER = 5  # times that a key costs whose sample has to be looked up by class or check first


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
    """``next`` goes on where the page ended. Where a text in the key is looked for, that may be before it is full, and
    then there may be nothing more to find."""

    rows: list[Row]
    next: str | None


@dataclass(frozen=True)
class Count:
    """Samples that match; ``more``: there are, or may be, others."""

    number: int
    more: bool = False


@dataclass(frozen=True)
class _Walked:
    """What a walk found, and where it stopped looking before it had found enough, None where it saw all or enough."""

    found: list[Place]
    stopped: Place | None = None


class BadCursor(Invalid):
    """A cursor that this program didn't give."""


def page(session: Session, dataset_id: int, filter: Filter, after: str | None = None, limit: int = 60) -> Page:
    """Up to ``limit`` samples after the cursor; costs the same on every page. Raises BadCursor."""
    start = None if after is None else _read_cursor(after)
    walked = _walk(session, Matching(session, dataset_id, filter), start, limit + 1)
    found = walked.found[:limit]
    on = found[-1] if len(walked.found) > limit else walked.stopped
    return Page(_rows(session, found), None if on is None else _cursor(*on))


def count(session: Session, dataset_id: int, filter: Filter) -> int:
    """All that match."""
    matching = Matching(session, dataset_id, filter)
    kept = matching.kept_count()
    return kept if kept is not None else session.scalar(matching.samples(func.count())) or 0


def count_up_to(session: Session, dataset_id: int, filter: Filter, most: int | None = None) -> Count:
    """As ``count``, no further than ``most`` (COUNTED), nor than LOOKED keys where a text is looked for in them."""
    most = COUNTED if most is None else most
    by_flags = filter.check is not None and not filter.ranged and not filter.q
    order = "newest" if by_flags else "worst" if filter.scored_by is None else filter.sort
    matching = Matching(session, dataset_id, replace(filter, sort=order), few=by_flags)
    kept = matching.kept_count()
    if kept is not None:
        return Count(kept)
    query = matching.samples(Sample.id, Sample.key.label("name"), text=False)
    if filter.q or (filter.scored_by is not None and not by_flags):
        # Those whose keys are read, and what has the scores in order; else an order would have more gone through.
        query = query.order_by(*matching.order())
    some = query.limit(_looked(filter) if filter.q else most + 1).subquery()
    matches = func.count(case((has_text(some.c.name, filter.q), 1))) if filter.q else func.count()
    found, looked = session.execute(select(matches, func.count()).select_from(some)).one()
    return Count(min(found, most), found > most or (bool(filter.q) and looked == _looked(filter)))


def ids(session: Session, dataset_id: int, filter: Filter) -> list[int]:
    """Every sample that matches, by id."""
    return list(session.scalars(Matching(session, dataset_id, filter).samples(Sample.id).order_by(Sample.id)))


def order(session: Session, dataset_id: int, filter: Filter, limit: int) -> list[int]:
    """The first ``limit`` samples that match, by id, in the filter's order: a queue to walk through."""
    matching = Matching(session, dataset_id, filter)
    found: list[int] = []
    start: Place | None = None
    while len(found) < limit:
        walked = _walk(session, matching, start, limit - len(found))
        found += [id for _, id in walked.found]
        start = walked.stopped
        if start is None:
            break
    return found


def by_ids(session: Session, dataset_id: int, ids: Sequence[int]) -> list[Row]:
    """The rows of these few samples, in the order of their ids."""
    if not ids:
        return []  # SQLite would go through all samples for none
    query = select(Sample.worst, Sample.id).where(Sample.dataset_id == dataset_id, Sample.id.in_(ids))
    return _rows(session, [(worst, id) for worst, id in session.execute(query.order_by(Sample.id))])


def place(session: Session, dataset_id: int, filter: Filter, sample_id: int) -> tuple[int, Row | None, Row | None]:
    """(samples before this one, the previous one, the next one) in the filter's order, whether or not the sample itself
    still matches the filter. No more than COUNTED + 1 are counted, nor more than LOOKED keys read either way."""
    matching = Matching(session, dataset_id, filter)
    here = _here(session, matching, sample_id)
    if here is None:
        return 0, None, None
    previous = _rows(session, _walk(session, matching, here, 1, backwards=True).found)
    following = _rows(session, _walk(session, matching, here, 1).found)
    query = matching.samples(Sample.id, text=False)
    if filter.q:
        query = query.add_columns(Sample.key.label("name")).order_by(*matching.order(backwards=True))
    counted = 0
    for part in matching.beyond(here, backwards=True):
        most = _looked(filter) if filter.q else COUNTED + 1 - counted
        counted += _number(session, query.where(part).limit(most), filter.q)
    return min(counted, COUNTED + 1), previous[0] if previous else None, following[0] if following else None


def histogram(session: Session, dataset_id: int, filter: Filter, bins: int = 40) -> list[int]:
    """Samples by score of ``filter.check`` in equal bins of [0, 1], the filter's own range left out."""
    others = replace(filter, check=None, min=None, max=None, sort="key")
    bin = case((Score.value >= 1, bins - 1), else_=func.floor(Score.value * bins)).label("bin")
    matching = Matching(session, dataset_id, others)
    scored = (Score.dataset_id == dataset_id, Score.check == filter.check, of_current())
    query = matching.samples(bin, func.count()).join(Score, Score.sample_id == Sample.id).where(*scored).group_by("bin")
    counts = [0] * bins
    for index, number in session.execute(query):
        counts[int(index)] = number
    return counts


def _looked(filter: Filter) -> int:
    """How many keys are read at a time for a text."""
    plain = filter.check is None and filter.class_id is None and filter.scored_by is None
    return LOOKED if plain else max(1, LOOKED // DEARER)


def _here(session: Session, matching: Matching, sample_id: int) -> Place | None:
    """Where a sample stands in the order, whether it matches or not; None where it lacks what is sorted by."""
    filter = matching.filter
    query = select(Sample.worst if filter.by_class else matching.value).where(Sample.id == sample_id)
    if filter.scored_by is not None:
        query = query.where(Score.sample_id == Sample.id, Score.check == filter.scored_by, of_current())
    at = session.execute(query).first()
    return None if at is None else (at[0], sample_id)


def _walk(session: Session, matching: Matching, start: Place | None, limit: int, backwards: bool = False) -> _Walked:
    """Where the next ``limit`` samples after ``start`` are: first the rest of its ties, then what lies past them."""
    text = matching.filter.q
    value = matching.value.label("value")
    query = matching.samples(value, Sample.id, Sample.key.label("name"), text=False)
    query = query.order_by(*matching.order(backwards))
    looked = _looked(matching.filter)
    found: list[Place] = []
    for part in [true()] if start is None else matching.beyond(start, backwards):
        some = query.where(part).limit(looked if text else limit - len(found)).subquery()
        walked = select(some.c.value, some.c.id)
        wanted = walked.where(has_text(some.c.name, text)) if text else walked
        found += [(at, id) for at, id in session.execute(wanted.limit(limit - len(found)))]
        if len(found) == limit:
            break
        last = session.execute(walked.offset(looked - 1).limit(1)).first() if text else None
        if last is not None:
            return _Walked(found, (last.value, last.id))
    return _Walked(found)


def _number(session: Session, query: Select[Any], text: str | None = None) -> int:
    """How many rows a limited query has; with ``text``, of those whose ``name`` has it."""
    some = query.subquery()
    counted = select(func.count()).select_from(some)
    return session.scalar(counted.where(has_text(some.c.name, text)) if text else counted) or 0


def _rows(session: Session, places: Sequence[Place]) -> list[Row]:
    """The samples at these places, with what a page shows of them."""
    if not places:
        return []
    query = (
        select(Sample, Raster, Revision.mask_id, select_hash())
        .join(Raster, Raster.id == Sample.image_id)
        .join(Revision, Revision.id == Sample.current_id, isouter=True)
        .where(Sample.id.in_([id for _, id in places]))
    )
    found = {sample.id: (sample, image, mask, hash) for sample, image, mask, hash in session.execute(query)}
    return [Row(*found[id], value) for value, id in places]


def select_hash() -> Any:
    """The pixel hash of the joined revision's mask."""
    mask = Raster.__table__.alias("mask")
    return select(mask.c.pixel_hash).where(mask.c.id == Revision.mask_id).correlate(Revision).scalar_subquery()


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
