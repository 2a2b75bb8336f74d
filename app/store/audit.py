"""What reviewers made of the masks that a cross-validation judged: all that says how many bad ones are left."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.checks.imprecise_mask import ImpreciseMask
from app.store.tables import Batch, Decision, Flag, Prediction, Run, Sample, Snapshot

LEFT_ALONE = ("undo", "reject")  # decisions that say nothing of the mask in force


@dataclass(frozen=True)
class Judged:
    """A mask that was judged. ``chance``: the detector's probability that it is bad; ``worst``: the sample's place in
    the queue; ``told``: another check flagged it; ``bad``: what reviewers made of it since, None while they haven't;
    ``decided``: the decision that says so."""

    sample: int
    key: str
    chance: float
    worst: float
    told: bool
    bad: bool | None
    decided: int


def newest_run(session: Session, dataset_id: int) -> Run | None:
    """The newest cross-validation that has ended."""
    query = select(Run).where(Run.dataset_id == dataset_id, Run.kind == "crossval", Run.result.is_not(None))
    return session.scalar(query.order_by(Run.id.desc()).limit(1))


def judged(session: Session, run: Run) -> list[Judged]:
    """The masks that the run judged, by sample. Those that a person had settled before are left out: they are good by
    that person's word, and say nothing of the others.

    A mask is bad if its sample was excluded or has another mask in force, good if a person confirmed it as it is.
    """
    columns = (Sample.id, Sample.key, Sample.worst, Sample.excluded, Sample.current_id, Sample.confirmed_id)
    query = (
        select(*columns, Prediction.revision_id, Prediction.probability)
        .join(Prediction, Prediction.sample_id == Sample.id)
        .where(Prediction.run_id == run.id, Prediction.probability.is_not(None))
        .order_by(Sample.id)
    )
    told, settled, decided = _told(session, run.dataset_id), _decided(session, run, True), _decided(session, run, False)
    found = []
    for id, key, worst, excluded, current, confirmed, revision, chance in session.execute(query):
        if id in settled:
            continue
        bad = True if excluded or current != revision else None
        if bad is None and confirmed == revision:
            bad = False
        found.append(Judged(id, key, chance or 0.0, worst, id in told, bad, decided.get(id, 0)))
    return found


def _told(session: Session, dataset_id: int) -> Collection[int]:
    flagged = select(Flag.sample_id).where(Flag.dataset_id == dataset_id, Flag.check != ImpreciseMask.name)
    return set(session.scalars(flagged.where(Flag.state.in_(("open", "kept"))).distinct()))


def _decided(session: Session, run: Run, before: bool) -> dict[int, int]:
    """sample -> its last standing decision; ``before``: of those that the frozen set already held, else since."""
    frozen = select(Snapshot.at).where(Snapshot.id == run.snapshot_id).scalar_subquery()
    query = (
        select(Decision.sample_id, func.max(Decision.id))
        .join(Batch, Batch.id == Decision.batch_id)
        .where(Batch.dataset_id == run.dataset_id, Batch.at < frozen if before else Batch.at >= frozen)
        .where(Decision.undone_by_id.is_(None), Decision.verb.not_in(LEFT_ALONE))
        .group_by(Decision.sample_id)
    )
    return dict(session.execute(query).all())
