"""How many samples match a filter, and how many come before one: as far as a page needs to know."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from app.store import walking
from app.store.matching import Filter, Matching, Place, has_text
from app.store.tables import Sample

COUNTED = 10_000  # pages count what matches up to here, so that they cost the same in a set of any size
DEAR = 5_000  # up to here where each sample has to be looked up by score, flag or class
TURNS = 3  # in which flags are counted


@dataclass(frozen=True)
class Count:
    """Samples that match; ``more``: there are, or may be, others."""

    number: int
    more: bool = False


def count(session: Session, dataset_id: int, filter: Filter) -> int:
    """All that match."""
    matching = Matching(session, dataset_id, filter)
    kept = matching.kept_count()
    return kept if kept is not None else session.scalar(matching.samples(func.count())) or 0


def count_up_to(session: Session, dataset_id: int, filter: Filter, most: int | None = None) -> Count:
    """As ``count``, no further than ``most`` (COUNTED, or DEAR), nor than LOOKED keys where a text is looked for in
    them."""
    most = COUNTED if most is None else most
    by_flags = filter.check is not None and not filter.ranged and not filter.q
    order = "newest" if by_flags else "worst" if filter.scored_by is None else filter.sort
    matching = Matching(session, dataset_id, replace(filter, sort=order))
    kept = matching.kept_count()
    if kept is not None:
        return Count(kept)
    if by_flags:
        return _count_flags(session, matching, min(most, DEAR))
    if matching.by_scores:
        return _count_scores(session, matching, min(most, DEAR))
    if filter.by_class and not filter.q:
        return _count_shown(session, matching, min(most, DEAR))
    query = matching.samples(Sample.id, Sample.key.label("name"), text=False)
    if filter.q:  # those whose keys are read are the first ones; else an order would have more gone through
        query = query.order_by(*matching.order())
    some = query.limit(walking.looked_at(filter) if filter.q else most + 1).subquery()
    matches = func.count(case((has_text(some.c.name, filter.q), 1))) if filter.q else func.count()
    found, looked = session.execute(select(matches, func.count()).select_from(some)).one()
    return Count(min(found, most), found > most or (bool(filter.q) and looked == walking.looked_at(filter)))


def before(session: Session, matching: Matching, here: Place) -> int | None:
    """Samples that match and come before ``here``; None where they are more than COUNTED, or DEAR."""
    counted = 0
    if matching.by_scores:
        text = matching.filter.q
        size = walking.looked_at(matching.filter) if text else DEAR + 1
        for step in walking.steps(session, matching, here, size, backwards=True):
            counted += session.scalar(matching.among(step.scores, func.count())) or 0
            if counted > DEAR and not text:
                return None
            if text and step.last is not None:
                break
        return counted
    query = matching.samples(Sample.id, text=False)
    if matching.filter.q:
        query = query.add_columns(Sample.key.label("name")).order_by(*matching.order(backwards=True))
    for part in matching.beyond(here, backwards=True):
        most = walking.looked_at(matching.filter) if matching.filter.q else COUNTED + 1 - counted
        counted += _number(session, query.where(part).limit(most), matching.filter.q)
    return counted if counted <= COUNTED else None


def _count_flags(session: Session, matching: Matching, most: int) -> Count:
    """Samples that the filter's check flags, of as many flags as are counted at most. Where all of those are of masks
    that were replaced since, it goes on to the next ones, in no more than TURNS."""
    found, start = 0, 0
    for _ in range(TURNS):
        some = matching.flags(start).limit(most + 2).subquery()
        on = session.scalar(select(some.c.sample_id).offset(most + 1).limit(1))
        counted = matching.among(some, func.count(Sample.id.distinct()), flagged=True)
        found += session.scalar(counted if on is None else counted.where(some.c.sample_id < on)) or 0
        if on is None or found:
            break
        start = on
    return Count(min(found, most), found > most or on is not None)


def _count_scores(session: Session, matching: Matching, most: int) -> Count:
    """Samples that match, of the first ones in the order of the scores: as many as are counted at most, or looked at
    for a text."""
    size = walking.looked_at(matching.filter) if matching.filter.q else most + 1
    first = next(walking.steps(session, matching, None, size))
    found = session.scalar(matching.among(first.scores, func.count())) or 0
    return Count(min(found, most), found > most or first.last is not None)


def _count_shown(session: Session, matching: Matching, most: int) -> Count:
    """Samples that match, of the first ones that show the filter's class."""
    some = matching.shown().limit(most + 1).subquery()
    found = session.scalar(matching.among(some, func.count())) or 0
    looked = session.scalar(select(func.count()).select_from(some)) or 0
    return Count(min(found, most), looked > most)


def _number(session: Session, query: Select[Any], text: str | None = None) -> int:
    """How many rows a limited query has; with ``text``, of those whose ``name`` has it."""
    some = query.subquery()
    counted = select(func.count()).select_from(some)
    return session.scalar(counted.where(has_text(some.c.name, text)) if text else counted) or 0
