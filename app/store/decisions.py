"""Decisions on samples: applied, recorded with what they replaced, undone by a decision that restores it.

``Decision.before`` holds the sample's ``current``, ``confirmed`` and ``excluded`` and the states of the revisions,
flags and suspected regions that the decision changed, so an undo restores the same derived state.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Conflict, NotFound
from app.store import region_decisions, revisions
from app.store.tables import Batch, Decision, Flag, Revision, Sample

Verb = Literal["keep", "exclude", "include", "restore", "reject", "edit", "cvat", "accept", "keep_regions"]


@dataclass(frozen=True)
class Wish:
    """What is to be done to each sample. ``keep`` leaves it in the set as it is, or takes it back in; ``checks``: it
    closes only these checks' flags (None: all); ``group``: only the flags of this group. ``revision``: the one that
    restore, reject and edit are about, or that keep has to find current. ``edit`` puts a revision in force that was
    made from the current mask for just this decision, and settles the pending one that it took from. ``cvat`` puts what
    came back from there in force and closes its flags; ``fresh``: it was proposed along with this decision. ``accept``
    puts a revision in force that took the model's word in ``regions``; ``keep_regions`` keeps those as given."""

    verb: Verb
    checks: frozenset[str] | None = None
    group: int | None = None
    revision: int | None = None
    fresh: bool = False
    regions: frozenset[int] = frozenset()


def open_batch(session: Session, dataset_id: int, verb: str, actor: Actor, undoes: int | None = None) -> Batch:
    batch = Batch(dataset_id=dataset_id, verb=verb, actor_kind=actor.kind, actor_name=actor.name, undoes_id=undoes)
    session.add(batch)
    session.flush()
    return batch


def apply(session: Session, batch: Batch, sample: Sample, wish: Wish) -> Decision:
    """Do to one sample what is wished and record it. Raises Conflict or NotFound, and then nothing is changed."""
    decision = Decision(batch_id=batch.id, sample_id=sample.id, verb=wish.verb, before=_sample_state(sample))
    match wish.verb:
        case "exclude" | "include":
            if sample.excluded == (wish.verb == "exclude"):
                raise Conflict("it is excluded already" if sample.excluded else "it isn't excluded")
            sample.excluded = wish.verb == "exclude"
        case "keep":
            if wish.revision not in (None, sample.current_id):
                raise Conflict(f"revision {wish.revision} isn't its current mask")
            _keep(session, sample, wish, decision.before)
            decision.revision_id = sample.current_id
        case "restore":
            revision = revisions.of_this(session, sample, wish.revision or 0)
            if revision.id == sample.current_id:
                raise Conflict(f"revision {revision.id} is its current mask already")
            _note_states(session, [i for i in (revision.id, sample.current_id) if i is not None], decision.before)
            revisions.make_current(session, sample, revision.id)
            sample.confirmed_id = decision.revision_id = revision.id
        case "reject":
            revision = revisions.of_this(session, sample, wish.revision or 0)
            if revision.state != "pending":
                raise Conflict(f"revision {revision.id} isn't pending")
            _note_states(session, [revision.id], decision.before)
            revision.state = "rejected"
            decision.revision_id = revision.id
        case "edit":
            revision = revisions.of_this(session, sample, wish.revision or 0)
            _edit(session, sample, revision, decision.before)
            decision.revision_id = revision.id
        case "accept":
            revision = revisions.of_this(session, sample, wish.revision or 0)
            region_decisions.accept(session, sample, revision.id, wish.regions, decision.before)
            _edit(session, sample, revision, decision.before)
            decision.revision_id = revision.id
        case "keep_regions":
            if region_decisions.keep(session, sample, wish.regions, decision.before):
                sample.confirmed_id = sample.current_id
            decision.revision_id = sample.current_id
        case "cvat":
            revision = revisions.of_this(session, sample, wish.revision or 0)
            _take(session, sample, revision, wish.fresh, decision.before)
            decision.revision_id = revision.id
    return _record(session, batch, sample, decision)


def undo(session: Session, batch: Batch, decision: Decision, sample: Sample) -> Decision:
    """Restore what ``decision`` replaced. Raises Conflict where a later decision touches the sample."""
    if _decided_since(session, decision):
        raise Conflict("it was decided again since; undo that first")
    before = decision.before
    inverse = Decision(
        batch_id=batch.id,
        sample_id=sample.id,
        verb="undo",
        revision_id=decision.revision_id,
        undoes_id=decision.id,
        before=_sample_state(sample),
    )
    if "revisions" in before:
        _note_states(session, [int(id) for id in before["revisions"]], inverse.before)
        revisions.make_current(session, sample, before["current"])
        for id, state in before["revisions"].items():
            session.get_one(Revision, int(id)).state = state
    if "flags" in before:
        flags = list(session.scalars(select(Flag).where(Flag.id.in_([int(id) for id in before["flags"]]))))
        inverse.before["flags"] = {str(flag.id): flag.state for flag in flags}
        for flag in flags:
            flag.state = before["flags"][str(flag.id)]
    if "regions" in before:
        inverse.before["regions"] = region_decisions.put_back(session, before["regions"])
    sample.excluded, sample.confirmed_id = before["excluded"], before["confirmed"]
    recorded = _record(session, batch, sample, inverse)
    session.flush()
    decision.undone_by_id = recorded.id
    if decision.undoes_id is not None:  # an undo undone: what it undid stands again
        session.get_one(Decision, decision.undoes_id).undone_by_id = None
    return recorded


def of_batch(session: Session, batch_id: int) -> list[tuple[Decision, Sample]]:
    """A batch's decisions with their samples, in the order they were made."""
    query = select(Decision, Sample).join(Sample).where(Decision.batch_id == batch_id).order_by(Decision.id)
    return list(session.execute(query))


def of_sample(session: Session, sample_id: int) -> list[tuple[Decision, Batch]]:
    """A sample's decisions with their batches, the newest first."""
    query = select(Decision, Batch).join(Batch).where(Decision.sample_id == sample_id).order_by(Decision.id.desc())
    return list(session.execute(query))


def find_batch(session: Session, id: int) -> Batch:
    """Raises NotFound."""
    batch = session.get(Batch, id)
    if batch is None:
        raise NotFound(f"There is no batch {id} in the history.")
    return batch


def last_batch(session: Session, dataset_id: int, actor: Actor) -> Batch | None:
    """The newest batch of this actor that is no undo and has something left to undo."""
    open_ids = select(Decision.batch_id).where(Decision.undone_by_id.is_(None))
    query = (
        select(Batch)
        .where(Batch.dataset_id == dataset_id, Batch.actor_kind == actor.kind, Batch.actor_name == actor.name)
        .where(Batch.undoes_id.is_(None), Batch.id.in_(open_ids))
        .order_by(Batch.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def _decided_since(session: Session, decision: Decision) -> bool:
    """Whether a later decision about the sample still stands. One that was undone since doesn't, nor does its undo."""
    later = (
        select(Decision.id)
        .where(Decision.sample_id == decision.sample_id, Decision.id > decision.id, Decision.undone_by_id.is_(None))
        .where(Decision.undoes_id.is_(None) | (Decision.undoes_id < decision.id))
    )
    return session.scalar(later.limit(1)) is not None


def _sample_state(sample: Sample) -> dict[str, Any]:
    return {"current": sample.current_id, "confirmed": sample.confirmed_id, "excluded": sample.excluded}


def _record(session: Session, batch: Batch, sample: Sample, decision: Decision) -> Decision:
    session.add(decision)
    sample.version += 1
    batch.count += 1
    return decision


def _keep(session: Session, sample: Sample, wish: Wish, before: dict[str, Any]) -> None:
    query = select(Flag).where(Flag.sample_id == sample.id, Flag.state == "open")
    query = query.where(Flag.revision_id.is_(None) | (Flag.revision_id == sample.current_id))
    if wish.group is not None:
        query = query.where(Flag.group_id == wish.group)
    if wish.checks is not None:
        query = query.where(Flag.check.in_(wish.checks))
    flags = list(session.scalars(query))
    decided = sample.current_id is None or sample.confirmed_id == sample.current_id
    whole = wish.group is None and (wish.checks is None or region_decisions.CHECK in wish.checks)
    suspected = whole and bool(region_decisions.left(session, sample))
    if not flags and not suspected and decided and not sample.excluded:
        raise Conflict("there is nothing left to keep")
    sample.excluded = False
    before["flags"] = {str(flag.id): flag.state for flag in flags}
    if suspected:
        region_decisions.keep(session, sample, None, before)
    for flag in flags:
        flag.state = "kept"
    sample.confirmed_id = sample.current_id


def _edit(session: Session, sample: Sample, revision: Revision, before: dict[str, Any]) -> None:
    if sample.current_id not in (revision.parent_id, revision.id):
        raise Conflict(f"revision {revision.id} wasn't made from its current mask")
    # What an undo leaves is as if the revision had never been in force: neither current nor waiting.
    before["current"] = revision.parent_id
    before["revisions"] = {str(revision.id): "superseded"}
    if revision.parent_id is not None:
        before["revisions"][str(revision.parent_id)] = "current"
    taken = session.get_one(Revision, revision.merged_id) if revision.merged_id is not None else None
    if taken is not None and taken.state == "pending":
        before["revisions"][str(taken.id)] = taken.state
        taken.state = "superseded"
    revisions.make_current(session, sample, revision.id)
    sample.confirmed_id = revision.id


def _note_states(session: Session, ids: Collection[int], before: dict[str, Any]) -> None:
    rows = session.scalars(select(Revision).where(Revision.id.in_(ids)))
    before["revisions"] = {str(row.id): row.state for row in rows}


def _take(session: Session, sample: Sample, revision: Revision, fresh: bool, before: dict[str, Any]) -> None:
    flags = list(session.scalars(select(Flag).where(Flag.revision_id == revision.id, Flag.state == "open")))
    if not flags and sample.current_id == sample.confirmed_id == revision.id:
        raise Conflict("it was confirmed already")
    # A suggestion that was corrected in CVAT is settled by the correction.
    pushed = session.get(Revision, revision.parent_id) if fresh and revision.parent_id is not None else None
    settled = [pushed] if pushed is not None and pushed.state == "pending" else []
    _note_states(session, [one for one in (revision.id, sample.current_id) if one is not None], before)
    before["revisions"] |= {str(one.id): one.state for one in settled}
    if fresh:  # an undo leaves it as if it had never been in force
        before["revisions"][str(revision.id)] = "superseded"
        before["current"] = before["current"] if revision.parent_id is not None else None
    for one in settled:
        one.state = "superseded"
    before["flags"] = {str(flag.id): flag.state for flag in flags}
    for flag in flags:
        flag.state = "kept"
    revisions.make_current(session, sample, revision.id)
    sample.confirmed_id = revision.id
