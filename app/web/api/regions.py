"""Suspected regions of masks: listed, accepted as the model sees them, kept as given."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field, model_validator

from app.domain.detector.region import Reason
from app.domain.errors import NotFound
from app.flows import regions, review
from app.store import region_browse, samples
from app.store import regions as rows
from app.store.db import Database
from app.store.tables import Dataset
from app.web import region_shapes
from app.web.api.decisions import RowId, left_alone, outcome, version_of
from app.web.api.models import Asked, Outcome
from app.web.deps import AfterId, Config, DatasetName, Db, Id, Limit, OneSample, Owner, Read, Reviewer

router = APIRouter(tags=["imprecise masks"])
ClassId = Annotated[int | None, Query(ge=0, le=65535)]
Share = Annotated[float | None, Query(ge=0, le=1, description="Bound of the probability.")]
IfMatch = Annotated[str | None, Header(description="The sample's ETag, as you saw it.", examples=['"v3"'])]
_STALE: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "The sample or its regions have moved on, or there is nothing to take: `current` is how it "
        "stands, `yours` what was asked.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


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
    text: str = Field(description="The same in a sentence.")
    from_: int | None = Field(alias="from", description="The class that is given there; null where there are several.")
    to: int | None = Field(description="The class that is seen there instead.")
    pixels: int
    box: Box
    rle: dict[str, Any] = Field(description="Its pixels: COCO's compressed RLE, size and counts.")
    probability: float = Field(description="That the region is wrong.")
    state: Literal["open", "kept", "accepted"]
    run: int = Field(description="The cross-validation that found it.")
    weak: bool = Field(description="Its models are too weak to be believed.")


class RegionCard(RegionOut):
    """An open region with its sample."""

    sample: int
    key: str
    version: int = Field(description="The sample's.")
    crop: str = Field(description="URL of a strip of three: the picture, what is given, what the model sees.")


class Regions(BaseModel):
    """What the newest cross-validation makes of a sample."""

    regions: list[RegionOut]
    suggestion: str | None = Field(description="URL of what its model sees, as ids; null where none has looked.")
    suspicion: str | None = Field(description="URL of the heat map; null where none has judged this mask.")


class RegionPage(BaseModel):
    """Some open regions, the likeliest first."""

    regions: list[RegionCard]
    next: int | None = Field(description="`after` of the page behind it; null on the last.")
    total: int = Field(description="Open regions that match.")


class OfSampleIn(Asked):
    """Regions of one sample."""

    regions: list[RowId] = Field(min_length=1, max_length=10_000)


class RegionFilter(Asked):
    """As in the URL of the list, by the same names."""

    reason: Reason | None = None
    from_: int | None = Field(None, alias="from", ge=0, le=65535)
    to: int | None = Field(None, ge=0, le=65535)
    min: float | None = Field(None, ge=0, le=1)
    max: float | None = Field(None, ge=0, le=1)

    def read(self) -> region_browse.Filter:
        return region_browse.Filter(self.reason and self.reason.value, self.from_, self.to, self.min, self.max)


class ManyIn(Asked):
    """Regions of many samples: by id, or all that match a filter, at most 500 of them, the likeliest."""

    regions: list[RowId] | None = Field(None, max_length=10_000)
    filter: RegionFilter | None = None
    expected: dict[RowId, int] | None = Field(None, description="Versions that you saw, by sample.")

    @model_validator(mode="after")
    def _one_choice(self) -> "ManyIn":
        if (self.regions is None) == (self.filter is None):
            raise ValueError("give just one of regions and filter")
        return self

    def chosen(self) -> Sequence[int] | region_browse.Filter:
        return self.filter.read() if self.filter is not None else self.regions or ()


def region_filter(
    reason: Annotated[Reason | None, Query(description="Only this reason.")] = None,
    from_: Annotated[ClassId, Query(alias="from", description="The class that is given there.")] = None,
    to: Annotated[ClassId, Query(description="The class that is seen there.")] = None,
    min: Share = None,
    max: Share = None,
) -> region_browse.Filter:
    return region_browse.Filter(reason and reason.value, from_, to, min, max)


@router.get("/samples/{sample}/regions")
def regions_of_sample(session: Read, one: OneSample) -> Regions:
    """Suspected regions of the current mask by the newest cross-validation, the likeliest first; those that a person
    kept or accepted among them."""
    return Regions.model_validate(region_shapes.of_sample(session, one))


@router.get("/datasets/{dataset}/regions")
def open_regions(
    session: Read,
    owner: Owner,
    filter: Annotated[region_browse.Filter, Depends(region_filter)],
    after: AfterId = None,
    limit: Limit = 60,
) -> RegionPage:
    """Open regions of all current masks, the likeliest first; those of excluded samples are left out."""
    found = region_shapes.cards(session, owner, filter, after, limit + 1)
    shown = [RegionCard.model_validate(row) for row in found[:limit]]
    total = region_browse.count(session, owner.id, filter)
    return RegionPage(regions=shown, next=shown[-1].id if len(found) > limit else None, total=total)


@router.post("/samples/{sample}/regions/accept", responses=_STALE, response_model=Outcome)
def accept_regions(
    request: Request,
    db: Db,
    settings: Config,
    sample: Id,
    body: OfSampleIn,
    actor: Reviewer,
    if_match: IfMatch = None,
) -> Outcome | Response:
    """Take what the model sees in these regions' pixels, and nowhere else: one new revision, which can be undone."""

    def flow(dataset: str, version: dict[int, int] | None) -> review.Outcome:
        return regions.accept(db, settings.home, dataset, body.regions, actor, version)

    return _one(request, db, sample, body, if_match, flow)


@router.post("/samples/{sample}/regions/keep", responses=_STALE, response_model=Outcome)
def keep_regions(
    request: Request, db: Db, sample: Id, body: OfSampleIn, actor: Reviewer, if_match: IfMatch = None
) -> Outcome | Response:
    """Keep what is given in these regions; they aren't raised again on this mask. With the last open one the flag
    closes and the mask is confirmed."""

    def flow(dataset: str, version: dict[int, int] | None) -> review.Outcome:
        return regions.keep(db, dataset, body.regions, actor, version)

    return _one(request, db, sample, body, if_match, flow)


@router.post("/datasets/{dataset}/regions/accept")
def accept_many(db: Db, settings: Config, dataset: DatasetName, body: ManyIn, actor: Reviewer) -> Outcome:
    """Take what the models see in many regions, as one batch. By a filter at most 500 at once, the likeliest; refused
    where the models are too weak to be taken at their word unseen. What doesn't fit is listed in `refused`."""
    return outcome(regions.accept(db, settings.home, dataset, body.chosen(), actor, body.expected))


@router.post("/datasets/{dataset}/regions/keep")
def keep_many(db: Db, dataset: DatasetName, body: ManyIn, actor: Reviewer) -> Outcome:
    """Keep what is given in many regions, as one batch; by a filter at most 500 at once, the likeliest."""
    return outcome(regions.keep(db, dataset, body.chosen(), actor, body.expected))


def _one(
    request: Request,
    db: Database,
    sample: int,
    body: OfSampleIn,
    if_match: str | None,
    flow: Callable[[str, dict[int, int] | None], review.Outcome],
) -> Outcome | Response:
    with db.read() as session:
        one = samples.find(session, sample)
        dataset = session.get_one(Dataset, one.dataset_id).name
        strangers = [id for id in body.regions if rows.find(session, id).sample_id != sample]
    if strangers:
        raise NotFound(f"Region {strangers[0]} is not of this sample.")
    version = version_of(if_match)
    result = flow(dataset, None if version is None else {sample: version})
    if result.decided:
        return outcome(result)
    return left_alone(request, db, sample, result, {**body.model_dump(), "version": version})
