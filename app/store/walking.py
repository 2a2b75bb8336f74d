"""Walks through the samples of a filter in its order, by indexes, so many rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Subquery, select, true
from sqlalchemy.orm import Session

from app.store.matching import Filter, Matching, Place, has_text
from app.store.tables import Sample

LOOKED = 20_000  # keys that are read at a time for a text in them: there is no index of parts of words
DEARER = 5  # times that a key costs whose sample has to be looked up by class or check first
THIN = 1_000  # scores in a row that show no flagged sample, after which the flagged ones are sorted instead


@dataclass(frozen=True)
class Walked:
    """What a walk found, and where it stopped looking before it had found enough, None where it saw all or enough."""

    found: list[Place]
    stopped: Place | None = None


def looked_at(filter: Filter) -> int:
    """How many keys are read at a time for a text."""
    plain = filter.check is None and filter.class_id is None and filter.scored_by is None
    return LOOKED if plain else max(1, LOOKED // DEARER)


def walk(
    session: Session,
    matching: Matching,
    start: Place | None,
    limit: int,
    backwards: bool = False,
    looked: int | None = None,
) -> Walked:
    """Where the next ``limit`` samples after ``start`` are: first the rest of its ties, then what lies past them."""
    if matching.none:
        return Walked([])
    if matching.by_scores:
        return _along_scores(session, matching, start, limit, backwards, looked)
    text = matching.filter.q
    value = matching.value.label("value")
    query = matching.samples(value, Sample.id, Sample.key.label("name"), text=False)
    query = query.order_by(*matching.order(backwards))
    looked = looked or looked_at(matching.filter)
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
            return Walked(found, (last.value, last.id))
    return Walked(found)


def _along_scores(
    session: Session, matching: Matching, start: Place | None, limit: int, backwards: bool, looked: int | None
) -> Walked:
    """As ``walk``, along the scores of a check: more of them at a time where few of their samples match."""
    text = matching.filter.q
    largest = max(1, (looked or looked_at(matching.filter)) // 2) if text else LOOKED
    found: list[Place] = []
    seen = 0
    for step in steps(session, matching, start, min(limit + limit // 4 + 16, largest), backwards, largest):
        value, id = step.scores.c.value, step.scores.c.sample_id
        order = (value.asc(), id.desc()) if backwards else (value.desc(), id.asc())
        query = matching.among(step.scores, value, id).order_by(*order).limit(limit - len(found))
        held = [(at, sample) for at, sample in session.execute(query)]
        found += held
        seen += step.size
        if len(found) == limit:
            break
        if not held and step.last is not None and step.size >= THIN and matching.sort_flagged():
            rest = walk(session, matching, step.last, limit - len(found), backwards, looked)
            return Walked(found + rest.found, rest.stopped)
        if text and seen >= largest and step.last is not None:
            return Walked(found, step.last)
    return Walked(found)


@dataclass(frozen=True)
class Step:
    """Up to ``size`` scores in order, and the place of the last one; None where they are fewer."""

    scores: Subquery
    size: int
    last: Place | None


def steps(
    session: Session,
    matching: Matching,
    start: Place | None,
    size: int,
    backwards: bool = False,
    largest: int = LOOKED,
) -> Iterator[Step]:
    """All scores behind ``start``, from ``size`` at a time up to ``largest``."""
    at = start
    while True:
        for part in [true()] if at is None else matching.beyond(at, backwards):
            some = matching.scores(part, backwards).limit(size).subquery()
            last = session.execute(select(some.c.value, some.c.sample_id).offset(size - 1).limit(1)).first()
            at = None if last is None else (last.value, last.sample_id)
            yield Step(some, size, at)
            if at is not None:
                break
        else:
            return
        size = min(4 * size, largest)
