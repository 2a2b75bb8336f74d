"""Proposed masks: the one door through which every mask comes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import NotFound
from app.store.tables import Revision, Sample


@dataclass(frozen=True)
class Proposal:
    """A mask for a sample. ``source``: import, restore, brush, cvat or model; ``original``: hash of the bytes it came
    as, where they differ from the mask's own; ``parent``: the revision it was made from, where that isn't the current
    one; ``merged``: the other revision that a merge took from; ``run``: the run whose model saw it so."""

    sample: Sample
    mask_id: int
    class_version: int
    source: str
    actor: Actor
    original: str | None = None
    confidence_id: int | None = None  # of a model's mask: raster of how sure it was of each pixel, 255 for sure
    parent: int | None = None
    merged: int | None = None
    run: int | None = None


def propose(session: Session, proposals: Sequence[Proposal]) -> list[Revision]:
    """Append a revision for each proposal, at most one a sample.

    A sample's first mask becomes current; any later one, and any of a model, waits as pending for a decision. Nothing
    is overwritten.
    """
    revisions = []
    for one in proposals:
        revision = Revision(
            sample_id=one.sample.id,
            parent_id=one.parent if one.parent is not None else one.sample.current_id,
            merged_id=one.merged,
            mask_id=one.mask_id,
            original=one.original,
            confidence_id=one.confidence_id,
            run_id=one.run,
            class_version=one.class_version,
            source=one.source,
            actor_kind=one.actor.kind,
            actor_name=one.actor.name,
            state="current" if one.sample.current_id is None and one.source != "model" else "pending",
        )
        session.add(revision)
        revisions.append(revision)
    session.flush()
    for one, revision in zip(proposals, revisions, strict=True):
        if revision.state == "current":
            one.sample.current_id = revision.id
    session.flush()
    return revisions


def find(session: Session, id: int) -> Revision:
    """Raises NotFound."""
    revision = session.get(Revision, id)
    if revision is None:
        raise NotFound(f"There is no revision {id}.")
    return revision


def of_this(session: Session, sample: Sample, id: int) -> Revision:
    """The revision, which has to be of ``sample``. Raises NotFound."""
    revision = find(session, id)
    if revision.sample_id != sample.id:
        raise NotFound(f"Revision {id} is not of this sample.")
    return revision


def of_sample(session: Session, sample_id: int) -> list[Revision]:
    """Every revision of a sample, the newest first."""
    query = select(Revision).where(Revision.sample_id == sample_id).order_by(Revision.id.desc())
    return list(session.scalars(query))


def waiting(session: Session, sample_id: int, source: str) -> Revision | None:
    """The newest pending mask of a sample that came from ``source``."""
    query = select(Revision).where(Revision.sample_id == sample_id, Revision.state == "pending")
    return session.scalar(query.where(Revision.source == source).order_by(Revision.id.desc()).limit(1))


def suggested(session: Session, sample_ids: Sequence[int]) -> dict[int, int]:
    """sample -> the newest mask of a model that waits for a decision."""
    found: dict[int, int] = {}
    for start in range(0, len(sample_ids), 500):
        query = select(Revision.sample_id, Revision.id).where(Revision.sample_id.in_(sample_ids[start : start + 500]))
        query = query.where(Revision.source == "model", Revision.state == "pending").order_by(Revision.id)
        found.update((sample_id, id) for sample_id, id in session.execute(query))
    return found


def make_current(session: Session, sample: Sample, revision_id: int | None) -> None:
    """Let ``revision_id`` be the sample's mask; the one that was current becomes superseded."""
    if sample.current_id == revision_id:
        return
    if sample.current_id is not None:
        session.get_one(Revision, sample.current_id).state = "superseded"
        session.flush()  # before the next line: one current revision a sample, the database sees to it
    if revision_id is not None:
        session.get_one(Revision, revision_id).state = "current"
    sample.current_id = revision_id
    session.flush()
