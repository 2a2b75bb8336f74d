"""Several reviewers on one queue: each is given the next sample that nobody else looks at or has decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.domain.actor import Actor
from app.store import datasets, leases, samples
from app.store.db import Database

Why = Literal["held", "decided"]
_SLICE = 20  # ids that are looked up at a time: mostly one of the first is free


@dataclass(frozen=True)
class Passed:
    """A sample that was passed over: ``by`` looks at it, or has decided it since the walk began."""

    sample: int
    by: str
    why: Why


@dataclass
class Handed:
    """``sample`` is leased to who asked; None where none is left."""

    sample: int | None = None
    passed: list[Passed] = field(default_factory=list)


def next_of(
    db: Database, dataset: str, wanted: Sequence[int], actor: Actor, since: int, done: Collection[int] = ()
) -> Handed:
    """The first of ``wanted`` (ids in the walk's order) that is free, leased to ``actor``.

    ``since``: the newest batch of decisions when the walk began; ``done``: samples that the actor has left, so their
    leases end. An id that isn't of this data set is passed over unsaid. Raises NotFound for the data set.
    """
    with db.write_brief() as session:
        row = datasets.find(session, dataset)
        leases.settle(session)
        leases.give_back(session, actor.name, done)
        handed = Handed()
        for start in range(0, len(wanted), _SLICE):
            some = wanted[start : start + _SLICE]
            holders = leases.holders(session, row.id, some)
            decided = leases.decided_by_others(session, actor.name, some, since)
            for id in some:
                if holders.get(id) not in (None, actor.name):
                    handed.passed.append(Passed(id, str(holders[id]), "held"))
                elif id in decided:
                    handed.passed.append(Passed(id, decided[id], "decided"))
                elif id in holders:
                    leases.take(session, id, actor.name)
                    handed.sample = id
                    return handed
        return handed


def look_at(db: Database, sample_id: int, actor: Actor) -> str:
    """Lease a sample that was opened by hand, or put off the end of the lease; the name of who has it now, be it
    somebody else. Raises NotFound."""
    with db.write_brief() as session:
        samples.find(session, sample_id)
        leases.settle(session)
        has_it = leases.holder(session, sample_id)
        if has_it not in (None, actor.name):
            return str(has_it)
        leases.take(session, sample_id, actor.name)
        return actor.name


def leave(db: Database, sample_id: int, actor: Actor) -> None:
    """End the actor's lease, where there is one. Raises NotFound."""
    with db.write_brief() as session:
        samples.find(session, sample_id)
        leases.give_back(session, actor.name, [sample_id])


def rename(db: Database, old: Actor, new: Actor) -> None:
    """Somebody goes on under another name."""
    with db.write_brief() as session:
        leases.rename(session, old.name, new.name)
