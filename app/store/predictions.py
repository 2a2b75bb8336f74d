"""Which run's model predicted which sample, and what the detector made of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.store.tables import Prediction, Raster, Revision, Run

CHUNK = 500


def add(session: Session, run_id: int, folds: Mapping[int, int]) -> None:
    """sample -> the fold whose model predicted it; replaces what the run said before."""
    session.execute(delete(Prediction).where(Prediction.run_id == run_id))
    rows = [{"run_id": run_id, "sample_id": sample, "fold": fold} for sample, fold in folds.items()]
    if rows:
        session.execute(insert(Prediction), rows)


def judge(session: Session, run_id: int, judged: Sequence[Mapping[str, Any]]) -> None:
    """Note ``revision_id``, ``probability`` and ``suspicion_id`` of each ``sample_id``."""
    if judged:
        session.execute(update(Prediction), [{"run_id": run_id, **one} for one in judged])


def newest(session: Session, sample_id: int) -> Prediction | None:
    """The prediction of the newest cross-validation that has ended and predicted the sample."""
    query = (
        select(Prediction)
        .join(Run, Run.id == Prediction.run_id)
        .where(Prediction.sample_id == sample_id, Run.result.is_not(None))
        .order_by(Run.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def revisions_with(session: Session, sample_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """(sample, pixel hash of a mask) -> the revision that has it; of several the current one, else the newest."""
    found: dict[tuple[int, str], int] = {}
    for start in range(0, len(sample_ids), CHUNK):
        query = (
            select(Revision.sample_id, Raster.pixel_hash, Revision.id)
            .join(Raster, Raster.id == Revision.mask_id)
            .where(Revision.sample_id.in_(sample_ids[start : start + CHUNK]))
            .order_by(Revision.state == "current", Revision.id)
        )
        found |= {(sample, hash): id for sample, hash, id in session.execute(query)}
    return found
