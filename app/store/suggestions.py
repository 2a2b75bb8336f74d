"""Suggestings: what was asked of a model, and the revisions that it proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.errors import NotFound
from app.store.tables import Job, Revision, Run, Sample, Suggesting, Suggestion


@dataclass(frozen=True)
class Waiting:
    """A suggestion that waits for a decision, with its sample."""

    sample: Sample
    revision: Revision
    suggestion: Suggestion


def find(session: Session, id: int) -> Suggesting:
    """Raises NotFound."""
    found = session.get(Suggesting, id)
    if found is None:
        raise NotFound(f"There is no suggesting {id}.")
    return found


def with_jobs(session: Session, dataset_id: int, limit: int = 50) -> list[tuple[Suggesting, Job]]:
    """The newest first, each with the job that makes its suggestions."""
    query = select(Suggesting, Job).join(Job, Job.id == Suggesting.job_id).where(Suggesting.dataset_id == dataset_id)
    return [(one, job) for one, job in session.execute(query.order_by(Suggesting.id.desc()).limit(limit))]


def models_run(session: Session, dataset_id: int) -> Run | None:
    """Whose models are asked where no run is named: the newest cross-validation that has ended, else training."""
    query = select(Run).where(Run.dataset_id == dataset_id, Run.result.is_not(None))
    return session.scalar(query.order_by(Run.kind != "crossval", Run.id.desc()).limit(1))


def wanted(session: Session, dataset_id: int, only: str | None) -> list[Sample]:
    """Samples that a model may be asked for: without a mask (``unlabeled``), with an open flag (``flagged``), or both.
    Those whose last suggestion waits are asked for again."""
    statuses = {"unlabeled": ["unlabeled"], "flagged": ["flagged"], None: ["unlabeled", "flagged"]}[only]
    suggested = select(Revision.sample_id).join(Suggestion).where(Revision.state == "pending")
    again = and_(Sample.status == "suggested", Sample.id.in_(suggested))
    query = select(Sample).where(Sample.dataset_id == dataset_id, or_(Sample.status.in_(statuses), again))
    found = session.scalars(query.order_by(Sample.id))
    return [one for one in found if only is None or (one.current_id is None) == (only == "unlabeled")]


def note(session: Session, suggesting_id: int, proposed: Sequence[Mapping[str, Any]]) -> None:
    """Write down ``revision_id``, ``expected``, ``share`` and ``changed`` of what was proposed; earlier suggestions for
    the same samples that still wait are superseded by it."""
    if not proposed:
        return
    session.execute(insert(Suggestion), [{"suggesting_id": suggesting_id, **one} for one in proposed])
    mine = [one["revision_id"] for one in proposed]
    samples = select(Revision.sample_id).where(Revision.id.in_(mine))
    earlier = select(Suggestion.revision_id).where(Suggestion.suggesting_id != suggesting_id)
    session.execute(
        update(Revision)
        .where(Revision.sample_id.in_(samples), Revision.state == "pending", Revision.id.in_(earlier))
        .values(state="superseded")
    )


def proposed_for(session: Session, suggesting_id: int) -> set[str]:
    """Keys of the samples that a suggesting has proposed for already."""
    query = select(Sample.key).join(Revision, Revision.sample_id == Sample.id)
    query = query.join(Suggestion, Suggestion.revision_id == Revision.id)
    return set(session.scalars(query.where(Suggestion.suggesting_id == suggesting_id)))


def waiting(session: Session, dataset_id: int) -> list[Waiting]:
    """Suggestions of a data set that wait, for samples that aren't excluded; by sample."""
    query = (
        select(Sample, Revision, Suggestion)
        .join(Revision, Revision.sample_id == Sample.id)
        .join(Suggestion, Suggestion.revision_id == Revision.id)
        .where(*_waits(dataset_id))
        .order_by(Sample.id)
    )
    return [Waiting(*row) for row in session.execute(query)]


def count_waiting(session: Session, dataset_id: int) -> int:
    """How many suggestions ``waiting`` would give."""
    query = select(func.count()).select_from(Revision).join(Sample, Sample.id == Revision.sample_id)
    query = query.join(Suggestion, Suggestion.revision_id == Revision.id)
    return session.scalar(query.where(*_waits(dataset_id))) or 0


def _waits(dataset_id: int) -> tuple[ColumnElement[bool], ...]:
    return Sample.dataset_id == dataset_id, Sample.excluded.is_(False), Revision.state == "pending"
