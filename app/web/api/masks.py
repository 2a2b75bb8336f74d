"""Drawn masks, where two of them differ, and merging them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from app.domain.status import Status
from app.flows import edit, merge
from app.flows.edit import Edited, Moved
from app.flows.merge import Side
from app.store import samples
from app.store.db import Database
from app.store.tables import Dataset
from app.web import errors, shapes
from app.web.api import samples as samples_api
from app.web.api.decisions import RowId, version_of
from app.web.api.drafts import Base
from app.web.api.models import Asked, Standing
from app.web.bodies import BODY, MaskBody, Part
from app.web.deps import MAX_ID, Db, Id, Read, Reviewer

router = APIRouter(tags=["editing"])
IfMatch = Annotated[str | None, Header(description="The sample's ETag, as you saw it.", examples=['"v3"'])]
RevisionQuery = Annotated[int, Query(ge=1, le=MAX_ID)]
_MOVED: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "The sample has moved on: `current` is how it stands, `yours` the base and version you had. "
        "Nothing is lost: the draft stays.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


class EditedOut(BaseModel):
    """What came of a drawn mask."""

    revision: int | None = Field(description="The revision that was made; null where no pixel differs from the base.")
    batch: int | None = Field(description="To undo it by; null where nothing was decided.")
    sample: Standing


class DifferenceOut(BaseModel):
    """A connected region in which one class stands against one other."""

    number: int = Field(description="By which a merge names it.")
    was: int = Field(description="The class id in `theirs`.")
    becomes: int = Field(description="The class id in `mine`.")
    pixels: int
    box: tuple[int, int, int, int] = Field(description="Left, top, right, bottom; right and bottom exclusive.")


class Differences(BaseModel):
    regions: list[DifferenceOut] = Field(description="The largest first.")
    total: int = Field(description="Regions in all.")
    pixels: int = Field(description="Pixels that differ in all.")


class MergeIn(Asked):
    """Which region is taken from which of two revisions."""

    mine: RowId
    theirs: RowId = Field(description="Has to be the sample's current one.")
    take: dict[int, Side] = Field(default_factory=dict, max_length=100_000, description="Side by region's number.")
    rest: Side = Field("theirs", description="The side of every region that `take` leaves out.")


@router.post("/samples/{sample}/masks", openapi_extra=BODY, responses=_MOVED, response_model=EditedOut)
def post_mask(
    request: Request,
    db: Db,
    sample: Id,
    mask: MaskBody,
    actor: Reviewer,
    part: Part,
    base: Base = None,
    aside: Annotated[bool, Query(description="Let it wait beside the current mask, as a pending revision.")] = False,
    if_match: IfMatch = None,
) -> EditedOut | Response:
    """Make a drawn mask the sample's, as one revision that can be undone; your draft on the base goes. Unchanged pixels
    make no revision. With `x`, `y`, `width` and `height` the body is a part of it, and the rest stays as in the base.
    409 where the base is not the current mask any more."""
    try:
        return _out(edit.finish(db, sample, mask, actor, base, version_of(if_match), aside, part))
    except Moved as error:
        return _moved(request, db, sample, error)


@router.get("/samples/{sample}/differences")
def differences(
    session: Read,
    sample: Id,
    mine: RevisionQuery,
    theirs: RevisionQuery,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Regions that are listed.")] = 500,
) -> Differences:
    """Where two masks of the sample differ, as connected regions of one pair of classes."""
    found = merge.compare(session, sample, mine, theirs)
    listed = [
        DifferenceOut(number=one.number, was=one.was, becomes=one.becomes, pixels=one.pixels, box=one.box)
        for one in found.regions[:limit]
    ]
    return Differences(regions=listed, total=len(found.regions), pixels=found.pixels)


@router.post("/samples/{sample}/merge", responses=_MOVED, response_model=EditedOut)
def post_merge(
    request: Request, db: Db, sample: Id, body: MergeIn, actor: Reviewer, if_match: IfMatch = None
) -> EditedOut | Response:
    """One revision of two, region by region; it comes from both, and can be undone. 409 where `theirs` is not the
    current mask any more."""
    try:
        return _out(merge.merge(db, sample, body.mine, body.theirs, body.take, body.rest, actor, version_of(if_match)))
    except Moved as error:
        return _moved(request, db, sample, error)


def _out(made: Edited) -> EditedOut:
    one = made.sample
    standing = Standing(id=one.id, status=Status(one.status), version=one.version)
    return EditedOut(revision=made.revision, batch=made.batch, sample=standing)


def _moved(request: Request, db: Database, sample: int, error: Moved) -> Response:
    with db.read() as session:
        one = samples.find(session, sample)
        now = samples_api.SampleFull(**shapes.sample(session, session.get_one(Dataset, one.dataset_id), one))
    return errors.problem(
        request,
        409,
        "Conflict",
        str(error),
        {"ETag": f'"v{one.version}"'},
        current=now.model_dump(),
        yours={"revision": error.base, "version": error.version},
    )
