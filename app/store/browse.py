"""Samples by filter, worst first, page by page: the one query behind the grid, the API and batch decisions."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.domain.errors import Invalid
from app.store import counting, tallies, walking
from app.store.counting import Count, count, count_up_to
from app.store.matching import SORTS, Filter, Matching, Place, Value, of_current
from app.store.tables import Raster, Revision, Sample, Score

__all__ = ["SORTS", "BadCursor", "Count", "Filter", "Page", "Row", "count", "count_up_to"]

WALKED = 5  # times as many keys are read for a part of a walk as for a page: nobody waits for all of it
DRAWN = 20_000  # samples that a histogram of a large set is made of


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


class BadCursor(Invalid):
    """A cursor that this program didn't give."""


def page(session: Session, dataset_id: int, filter: Filter, after: str | None = None, limit: int = 60) -> Page:
    """Up to ``limit`` samples after the cursor; costs the same on every page. Raises BadCursor."""
    start = None if after is None else _read_cursor(after)
    walked = walking.walk(session, Matching(session, dataset_id, filter), start, limit + 1)
    found = walked.found[:limit]
    on = found[-1] if len(walked.found) > limit else walked.stopped
    return Page(_rows(session, found), None if on is None else _cursor(*on))


def ids(session: Session, dataset_id: int, filter: Filter) -> list[int]:
    """Every sample that matches, by id."""
    return list(session.scalars(Matching(session, dataset_id, filter).samples(Sample.id).order_by(Sample.id)))


def order(session: Session, dataset_id: int, filter: Filter, limit: int) -> list[int]:
    """The first ``limit`` samples that match, by id, in the filter's order: a queue to walk through."""
    matching = Matching(session, dataset_id, filter)
    found: list[int] = []
    start: Place | None = None
    while len(found) < limit:
        walked = walking.walk(session, matching, start, limit - len(found))
        found += [id for _, id in walked.found]
        start = walked.stopped
        if start is None:
            break
    return found


def stretch(
    session: Session, dataset_id: int, filter: Filter, after: str | None, limit: int
) -> tuple[list[int], str | None]:
    """A part of what ``order`` gives, after the cursor, and the cursor to go on with, None at the end. It holds
    ``limit`` samples at most, and fewer where a text has been looked for in as many keys as are read at a time. Raises
    BadCursor."""
    start = None if after is None else _read_cursor(after)
    matching = Matching(session, dataset_id, filter)
    walked = walking.walk(session, matching, start, limit, looked=WALKED * walking.looked_at(filter))
    full = len(walked.found) == limit
    on = walked.found[-1] if full else walked.stopped
    return [id for _, id in walked.found], None if on is None else _cursor(*on)


def by_ids(session: Session, dataset_id: int, ids: Sequence[int]) -> list[Row]:
    """The rows of these few samples, in the order of their ids."""
    if not ids:
        return []  # SQLite would go through all samples for none
    query = select(Sample.worst, Sample.id).where(Sample.dataset_id == dataset_id, Sample.id.in_(ids))
    return _rows(session, [(worst, id) for worst, id in session.execute(query.order_by(Sample.id))])


def place(
    session: Session, dataset_id: int, filter: Filter, sample_id: int
) -> tuple[int | None, Row | None, Row | None]:
    """(samples before this one, the previous one, the next one) in the filter's order, whether or not the sample itself
    still matches the filter. None before it: more than are counted. No more than LOOKED keys are read either way."""
    matching = Matching(session, dataset_id, filter)
    here = _here(session, matching, sample_id)
    if here is None:
        return 0, None, None
    previous = _rows(session, walking.walk(session, matching, here, 1, backwards=True).found)
    following = _rows(session, walking.walk(session, matching, here, 1).found)
    counted = counting.before(session, matching, here)
    return counted, previous[0] if previous else None, following[0] if following else None


def histogram(session: Session, dataset_id: int, filter: Filter, bins: int = 40) -> list[int]:
    """Samples by score of ``filter.check`` in equal bins of [0, 1], the filter's own range left out. Of a set of more
    than twice DRAWN samples one in so many is looked at, which one says its id, and counts for all of them."""
    others = replace(filter, check=None, min=None, max=None, sort="key")
    every = max(1, sum(number for number, _ in tallies.of_dataset(session, dataset_id, "status").values()) // DRAWN)
    scores = select(Score.value, Score.sample_id, Score.revision_id)
    scores = scores.where(Score.dataset_id == dataset_id, Score.check == filter.check, Score.sample_id % every == 0)
    some = scores.subquery()
    bin = case((some.c.value >= 1, bins - 1), else_=func.floor(some.c.value * bins)).label("bin")
    counts = [0] * bins
    for index, number in session.execute(
        Matching(session, dataset_id, others).among(some, bin, func.count()).group_by("bin")
    ):
        counts[int(index)] = every * number
    return counts


def _here(session: Session, matching: Matching, sample_id: int) -> Place | None:
    """Where a sample stands in the order, whether it matches or not; None where it lacks what is sorted by."""
    filter = matching.filter
    query = select(Sample.worst if filter.by_class else matching.value).where(Sample.id == sample_id)
    if filter.scored_by is not None:
        query = query.where(Score.sample_id == Sample.id, Score.check == filter.scored_by, of_current())
    at = session.execute(query).first()
    return None if at is None else (at[0], sample_id)


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
