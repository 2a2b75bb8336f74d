"""Cross-validations, and the suspected regions of a sample's mask."""

from typing import Any, Literal

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from app.flows import crossval
from app.store import regions
from app.store.tables import Raster, Region
from app.web.api.runs import RunStarted
from app.web.deps import DatasetName, Db, OneSample, Read, Reviewer

router = APIRouter(tags=["imprecise masks"])


class CrossvalIn(BaseModel):
    folds: int = Field(crossval.FOLDS, ge=crossval.FEWEST, le=crossval.MOST, description="Models to train.")
    config: dict[str, Any] = Field({}, description="Keys as in training-options; the rest suit the set.")


class Box(BaseModel):
    x: int
    y: int
    width: int
    height: int


class RegionOut(BaseModel):
    """A suspected region of a mask."""

    id: int
    revision: int
    reason: str = Field(description="missing object, extra object, swapped class, moved, boundary, or of the whole.")
    from_: int | None = Field(alias="from", description="The class that is given there; null where there are several.")
    to: int | None = Field(description="The class that is seen there instead.")
    pixels: int
    box: Box
    rle: dict[str, Any] = Field(description="Its pixels: COCO's compressed RLE, size and counts.")
    probability: float = Field(description="That the region is wrong.")
    state: Literal["open", "kept", "accepted"]
    run: int = Field(description="The cross-validation that found it.")


class Regions(BaseModel):
    regions: list[RegionOut]


@router.post("/datasets/{dataset}/crossval", status_code=status.HTTP_202_ACCEPTED)
def start_crossval(db: Db, dataset: DatasetName, body: CrossvalIn, actor: Reviewer) -> RunStarted:
    """Find imprecise masks: train in folds, in the background, and judge each mask by a model that never saw it."""
    run = crossval.request(db, dataset, actor, folds=body.folds, keys=body.config)
    return RunStarted(run=run.id, job=run.job_id or 0)


@router.get("/samples/{sample}/regions")
def regions_of_sample(session: Read, one: OneSample) -> Regions:
    """Suspected regions of the current mask by the newest cross-validation, the likeliest first; those that a person
    kept or accepted among them."""
    frame = session.get_one(Raster, one.image_id)
    size = [frame.height, frame.width]
    return Regions(regions=[_region_out(row, size) for row in regions.of_sample(session, one)])


def _region_out(row: Region, size: list[int]) -> RegionOut:
    facts = {name: getattr(row, name) for name in ("id", "reason", "pixels", "probability", "state")}
    classes = {"from": row.from_class, "to": row.to_class}
    box = {name: getattr(row, name) for name in ("x", "y", "width", "height")}
    rle = {"size": size, "counts": row.rle}
    return RegionOut.model_validate(
        facts | classes | {"revision": row.revision_id, "run": row.run_id, "box": box, "rle": rle}
    )
