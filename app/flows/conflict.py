"""A mask that was changed in CVAT and here: three versions, and a person chooses ours, theirs, or region by region."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import NotFound
from app.flows import merge, review
from app.flows.review import Outcome, Selection, Stale
from app.store import cvat, revisions, samples
from app.store.db import Database
from app.store.decisions import Wish
from app.store.tables import Revision

Side = Literal["ours", "theirs"]


@dataclass(frozen=True)
class Versions:
    """``pushed``: what CVAT was given, None for a sample without a mask; ``ours``: the mask in force here; ``theirs``:
    what came back and waits. ``batch`` is the CVAT batch that it came with."""

    pushed: Revision | None
    ours: Revision
    theirs: Revision
    batch: int | None


def versions(session: Session, sample_id: int) -> Versions:
    """The three versions of a sample in conflict. Raises NotFound where there is none to choose between."""
    sample = samples.find(session, sample_id)
    waiting = revisions.waiting(session, sample_id, "cvat")
    if waiting is None or sample.current_id is None:
        raise NotFound(f"{sample.key} is in no conflict; there is nothing to choose.")
    ours = revisions.find(session, sample.current_id)
    frame = next((one for one, _ in cvat.of_sample(session, sample_id) if one.base_id == waiting.id), None)
    if frame is None:
        parent = revisions.find(session, waiting.parent_id) if waiting.parent_id is not None else None
        return Versions(parent, ours, waiting, None)
    pushed = revisions.find(session, frame.revision_id) if frame.revision_id is not None else None
    return Versions(pushed, ours, waiting, frame.batch_id)


def compare(session: Session, sample_id: int) -> merge.Compared:
    """The regions where ours (was) and theirs (becomes) differ, as ``resolve`` takes them. Raises NotFound."""
    found = versions(session, sample_id)
    return merge.compare(session, sample_id, mine=found.theirs.id, theirs=found.ours.id)


def resolve(
    db: Database,
    dataset: str,
    sample_id: int,
    rest: Side,
    actor: Actor,
    take: Mapping[int, Side] | None = None,
    version: int | None = None,
) -> Outcome:
    """Settle a conflict by one decision that can be undone: ``rest`` for all regions but those (numbered as by
    ``compare``) that ``take`` says otherwise of. Ours alone rejects theirs; both make a new revision of the two.

    Raises NotFound, differences.Unlike for an unknown region, Stale where ``version`` isn't the sample's any more.
    """
    with db.read() as session:
        sample = samples.find(session, sample_id)
        found = versions(session, sample_id)
        numbers = {one.number for one in compare(session, sample_id).regions}
        if version not in (None, sample.version):
            raise Stale(f"{sample.key} was changed since you opened it; look at it again.")
    sides = dict.fromkeys(numbers, rest) | dict(take or {})
    if numbers >= sides.keys() and len(set(sides.values())) == 1:
        whole = next(iter(sides.values()))
        wish = Wish("reject" if whole == "ours" else "restore", revision=found.theirs.id)
        return review.decide(db, dataset, Selection(ids=[sample_id]), wish, actor, {sample_id: sample.version})
    mine: dict[int, merge.Side] = {number: "mine" if side == "theirs" else "theirs" for number, side in sides.items()}
    made = merge.merge(db, sample_id, found.theirs.id, found.ours.id, mine, "theirs", actor, sample.version)
    return Outcome(made.batch, [made.sample])
