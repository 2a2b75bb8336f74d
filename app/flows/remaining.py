"""When to stop: how many bad masks remain, what the next reviews should find, and the random checks among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.domain import audit
from app.domain.checks.imprecise_mask import ImpreciseMask
from app.domain.remaining import BAD, GOOD, LEVEL, UNDECIDED, Expected, Remaining, Span, estimate
from app.domain.status import Status
from app.store import audit as audits
from app.store import browse
from app.store.audit import Judged
from app.store.browse import Filter
from app.store.tables import Run

NEXT = 50
HINT = " The models that judged are too weak to be believed: take it as a hint."
UNJUDGED = "How many bad masks remain isn't known before imprecise masks have been looked for."


@dataclass(frozen=True)
class Outlook:
    """``found``: bad masks found after 1, 2, ... reviews since ``run`` judged the masks; ``left``: how many of them
    nobody has reviewed; ``next``: what the next NEXT reviews should find, or all that are left; None where none is;
    ``weak``: whether the models of ``run`` are too weak to be believed."""

    run: int
    found: tuple[int, ...]
    left: int
    remain: Remaining
    next: Expected | None
    weak: bool = False

    @property
    def sentence(self) -> str:
        if not self.left:
            return "Every judged mask has been reviewed."
        hint = HINT if self.weak else ""
        if self.next is None or self.next.reviews == self.left:
            return f"{_about(self.remain)}, among {self.left:,} that nobody has reviewed.{hint}"
        return (
            f"{_about(self.remain)}; the next {self.next.reviews} reviews should find about {_whole(self.next)}.{hint}"
        )

    def as_json(self) -> dict[str, Any]:
        """For machines: what the REST API and ``--json`` give."""
        return {
            "sentence": self.sentence,
            "run": self.run,
            "level": LEVEL,
            "found": list(self.found),
            "left": self.left,
            "bad": _span(self.remain.bad),
            "next": _expected(self.next) if self.next else None,
            "curve": [_expected(one) for one in self.remain.curve],
        }


def unjudged() -> dict[str, Any]:
    """As ``Outlook.as_json``, before a cross-validation has judged the masks."""
    return dict.fromkeys(("run", "found", "left", "bad", "next", "curve")) | {"sentence": UNJUDGED, "level": LEVEL}


def _span(span: Span) -> dict[str, float]:
    return {"mean": round(span.mean, 2), "low": span.low, "high": span.high}


def _expected(one: Expected) -> dict[str, Any]:
    return {"reviews": one.reviews, "found": _span(one.found)}


def _about(remain: Remaining) -> str:
    bad = remain.bad
    masks, verb = ("mask", "remains") if round(bad.mean) == 1 else ("masks", "remain")
    return f"About {round(bad.mean):,} bad {masks} {verb} ({bad.low:,}-{bad.high:,})"


def _whole(expected: Expected) -> str:
    return f"{round(expected.found.mean):,}"


def outlook(session: Session, dataset_id: int) -> Outlook | None:
    """By the newest cross-validation and what was decided since; None before there is one."""
    run = audits.newest_run(session, dataset_id)
    if run is None:
        return None
    masks = audits.judged(session, run)
    order = _order(masks)
    reviewed = sorted((one for one in masks if one.bad is not None), key=lambda one: (one.decided, one.sample))
    found = np.cumsum([bool(one.bad) for one in reviewed], dtype=np.int64).tolist()
    left = len(order)
    remain = estimate(
        np.array([one.chance for one in masks], np.float64),
        np.array([UNDECIDED if one.bad is None else BAD if one.bad else GOOD for one in masks], np.int64),
        np.array([one.told for one in masks], np.bool_),
        np.array(order, np.int64),
        [NEXT],
    )
    next = [one for one in remain.curve if one.reviews == min(NEXT, left)]
    weak = bool((run.result or {}).get("weak"))
    return Outlook(run.id, tuple(found), left, remain, next[0] if next else None, weak)


def _order(masks: Sequence[Judged]) -> list[int]:
    """Places of the masks still to be reviewed, as a queue that goes worst first shows them, with random checks."""
    waiting = [place for place, one in enumerate(masks) if one.bad is None]
    waiting.sort(key=lambda place: (-masks[place].worst, -masks[place].chance, masks[place].sample))
    checks = audit.drawn({place: masks[place].key for place in waiting})
    return audit.mixed(waiting, checks, sum(one.bad is not None for one in masks))[0]


@dataclass(frozen=True)
class Part:
    """Some samples of a walk, which of them are random checks, and the cursor to go on with, None at the end."""

    ids: list[int]
    random: set[int]
    next: str | None


def part(session: Session, dataset_id: int, filter: Filter, after: str | None, size: int, most: int) -> Part:
    """Up to ``size`` samples of a walk, those behind the cursor ``after``. A walk with random checks comes whole, with
    ``most`` samples besides. Raises BadCursor."""
    if after is None and _run(session, dataset_id, filter) is not None:
        return Part(*queue(session, dataset_id, filter, most), next=None)
    ids, next = browse.stretch(session, dataset_id, filter, after, size)
    return Part(ids, set(), next)


def queue(session: Session, dataset_id: int, filter: Filter, limit: int) -> tuple[list[int], set[int]]:
    """The samples of a walk, and which of them are random checks. Those come into walks that go worst first, once a
    cross-validation has judged the masks."""
    ids = browse.order(session, dataset_id, filter, limit)
    run = _run(session, dataset_id, filter)
    if run is None:
        return ids, set()
    masks = audits.judged(session, run)
    waiting = {one.sample: one.key for one in masks if one.bad is None}
    return audit.mixed(ids, audit.drawn(waiting), len(masks) - len(waiting))


def _run(session: Session, dataset_id: int, filter: Filter) -> Run | None:
    """The cross-validation whose masks a walk checks at random; None where it doesn't."""
    return audits.newest_run(session, dataset_id) if _worst_first(filter) else None


def _worst_first(filter: Filter) -> bool:
    """Whether the walk is about flagged masks in general, or imprecise ones, and nothing else narrows it."""
    if (
        filter.sort in ("key", "newest")
        or filter.flagged is False
        or filter.status not in ((), (Status.FLAGGED.value,))
    ):
        return False
    plain = replace(filter, flagged=None, status=(), check=None, sort="worst")
    return plain == Filter() and {filter.check, filter.scored_by} <= {None, ImpreciseMask.name}
