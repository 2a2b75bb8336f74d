"""Decisions: keep, exclude, include, restore, reject, for one sample or many at once, and their undoing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict, Invalid, NotFound, RemaskError
from app.store import browse, datasets, decisions, groups, samples, standing
from app.store.browse import Filter
from app.store.db import Database
from app.store.decisions import Verb, Wish
from app.store.tables import Batch, Sample


@dataclass(frozen=True)
class Selection:
    """Which samples are decided: by id, by key, all of a group, or all that match a filter. Just one is given.

    ``spare_one``: of a group all but the one that is worth most (decided by a person, else labelled, else the first).
    """

    ids: Sequence[int] = ()
    keys: Sequence[str] = ()
    group: int | None = None
    filter: Filter | None = None
    spare_one: bool = False


@dataclass(frozen=True)
class Turned:
    """A sample that was not decided, and why."""

    sample: int
    key: str
    reason: str


@dataclass
class Outcome:
    """``batch`` is None where nothing was decided; ``decided`` holds the samples as they stand now."""

    batch: int | None = None
    decided: list[Sample] = field(default_factory=list)
    refused: list[Turned] = field(default_factory=list)


class Stale(Conflict):
    """The sample was decided by somebody else since it was read."""


def decide(
    db: Database,
    dataset: str,
    selection: Selection,
    wish: Wish,
    actor: Actor,
    expected: Mapping[int, int] | None = None,
) -> Outcome:
    """Apply ``wish`` to every selected sample in one transaction, as one batch.

    ``expected`` maps a sample's id to the version that the reviewer saw; one that has moved on is refused, not
    overwritten. Raises NotFound or Invalid for the selection itself.
    """
    with db.write() as session:
        row = datasets.find(session, dataset)
        chosen = selected(session, row.id, selection)
        if selection.group is not None:
            wish = Wish(wish.verb, wish.checks, selection.group, wish.revision)
        return _decide(session, row.id, chosen, wish, actor, expected or {})


def decide_one(db: Database, sample_id: int, wish: Wish, actor: Actor, expected: int | None = None) -> Outcome:
    """As ``decide``, for one sample wherever it is; ``expected``: the version that the reviewer saw. Raises
    NotFound."""
    with db.write() as session:
        sample = samples.find(session, sample_id)
        seen = {} if expected is None else {sample.id: expected}
        return _decide(session, sample.dataset_id, [sample], wish, actor, seen)


def _decide(
    session: Session,
    dataset_id: int,
    chosen: Sequence[Sample],
    wish: Wish,
    actor: Actor,
    expected: Mapping[int, int],
) -> Outcome:
    def take(batch: Batch, sample: Sample) -> None:
        decisions.apply(session, batch, sample, wish)

    return each_of(session, dataset_id, wish.verb, chosen, actor, expected, take, (Conflict, NotFound))


def each_of(
    session: Session,
    dataset_id: int,
    verb: Verb,
    chosen: Sequence[Sample],
    actor: Actor,
    expected: Mapping[int, int],
    take: Callable[[Batch, Sample], None],
    turned: tuple[type[RemaskError], ...],
) -> Outcome:
    """``take`` for every sample that still has the version ``expected``, where that is told, as one batch; it is turned
    down where that raises one of ``turned``, and the others go on. Nothing is left of a batch that decides nothing."""
    batch = decisions.open_batch(session, dataset_id, verb, actor)
    outcome = Outcome(batch.id)
    for sample in chosen:
        want = expected.get(sample.id, sample.version)
        try:
            if want != sample.version:
                raise Stale(f"it was changed since you opened it (version {sample.version}, you had {want})")
            take(batch, sample)
            outcome.decided.append(sample)
        except turned as error:
            outcome.refused.append(Turned(sample.id, sample.key, str(error)))
    if outcome.decided:
        standing.refresh(session, [sample.id for sample in outcome.decided])
    else:
        session.delete(batch)
        outcome.batch = None
    return outcome


def undo(db: Database, batch_id: int, actor: Actor) -> Outcome:
    """Undo what is left of a batch as a batch of its own; an undo can be undone likewise.

    Samples that a later decision touches are refused, the rest is undone. Raises NotFound, and Conflict where nothing
    is left to undo.
    """
    with db.write() as session:
        undone = decisions.find_batch(session, batch_id)
        batch = decisions.open_batch(session, undone.dataset_id, "undo", actor, undoes=undone.id)
        outcome = Outcome(batch.id)
        for decision, sample in decisions.of_batch(session, batch_id):
            if decision.undone_by_id is not None:
                continue
            try:
                decisions.undo(session, batch, decision, sample)
                outcome.decided.append(sample)
            except Conflict as error:
                outcome.refused.append(Turned(sample.id, sample.key, str(error)))
        if not outcome.decided:
            reason = (
                f"{outcome.refused[0].key}: {outcome.refused[0].reason}" if outcome.refused else "it was undone before"
            )
            raise Conflict(f"Batch {batch_id} can't be undone: {reason}.")
        standing.refresh(session, [sample.id for sample in outcome.decided])
        return outcome


def undo_last(db: Database, dataset: str, actor: Actor) -> Outcome:
    """Undo this actor's newest batch that isn't undone. Raises Conflict where there is none."""
    with db.read() as session:
        batch = decisions.last_batch(session, datasets.find(session, dataset).id, actor)
    if batch is None:
        raise Conflict(f"{actor.name} has decided nothing in {dataset} that could be undone.")
    return undo(db, batch.id, actor)


def selected(session: Session, dataset_id: int, selection: Selection) -> list[Sample]:
    """The samples that a selection means. Raises NotFound, and Invalid for an empty one."""
    if selection.filter is not None:
        return samples.by_ids(session, dataset_id, browse.ids(session, dataset_id, selection.filter))
    if selection.group is not None:
        if groups.find(session, selection.group).dataset_id != dataset_id:
            raise NotFound(f"There is no group {selection.group} in this dataset.")
        members = groups.members(session, selection.group)
        return _but_the_best(members) if selection.spare_one else members
    if selection.keys:
        found = {s.key: s for s in samples.by_keys(session, dataset_id, selection.keys)}
        if missing := [key for key in selection.keys if key not in found]:
            raise NotFound(f"There is no sample {missing[0]!r} in this dataset.")
        return list(found.values())
    if selection.ids:
        by_id = samples.by_ids(session, dataset_id, selection.ids)
        if missing_ids := set(selection.ids) - {sample.id for sample in by_id}:
            raise NotFound(f"There is no sample with id {min(missing_ids)} in this dataset.")
        return by_id
    raise Invalid("Say which samples: ids, keys, a group or a filter.")


def _but_the_best(members: Sequence[Sample]) -> list[Sample]:
    left = [one for one in members if not one.excluded]
    best = min(left, key=lambda one: (one.confirmed_id is None, one.current_id is None, one.id), default=None)
    return [one for one in left if one is not best]
