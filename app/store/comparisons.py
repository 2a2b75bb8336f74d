"""Comparisons and their runs."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.store.tables import Comparison, Job, Run


def find(session: Session, id: int) -> Comparison:
    """Raises NotFound."""
    comparison = session.get(Comparison, id)
    if comparison is None:
        raise NotFound(f"There is no comparison {id}.")
    return comparison


def with_jobs(session: Session, dataset_id: int) -> list[tuple[Comparison, Job]]:
    """The newest first, each with its job."""
    query = select(Comparison, Job).join(Job, Job.id == Comparison.job_id).where(Comparison.dataset_id == dataset_id)
    return [(one, job) for one, job in session.execute(query.order_by(Comparison.id.desc()))]


def runs_of(session: Session, id: int) -> Sequence[Run]:
    """The runs of a comparison in the order that they are trained in."""
    return session.scalars(select(Run).where(Run.comparison_id == id).order_by(Run.id)).all()
