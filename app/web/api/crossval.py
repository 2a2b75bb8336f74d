"""Cross-validations: the search for imprecise masks."""

from typing import Any

from fastapi import APIRouter, status
from pydantic import Field

from app.flows import crossval
from app.web.api.models import Asked
from app.web.api.run_models import RunStarted
from app.web.deps import DatasetName, Db, Reviewer

router = APIRouter(tags=["imprecise masks"])


class CrossvalIn(Asked):
    folds: int = Field(crossval.FOLDS, ge=crossval.FEWEST, le=crossval.MOST, description="Models to train.")
    config: dict[str, Any] = Field({}, description="Keys as in training-options; the rest suit the set.")


@router.post("/datasets/{dataset}/crossval", status_code=status.HTTP_202_ACCEPTED)
def start_crossval(db: Db, dataset: DatasetName, body: CrossvalIn, actor: Reviewer) -> RunStarted:
    """Find imprecise masks: train in folds, in the background, and judge each mask by a model that never saw it."""
    run = crossval.request(db, dataset, actor, folds=body.folds, keys=body.config)
    return RunStarted(run=run.id, job=run.job_id or 0)
