"""A reviewer's unfinished mask of a sample."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.flows import edit
from app.store import drafts
from app.store.datasets import iso
from app.store.drafts import NO_BASE
from app.web.bodies import BODY, MaskBody, Part
from app.web.deps import MAX_ID, Db, Id, OneSample, Read, Reviewer

router = APIRouter(tags=["editing"])
Base = Annotated[
    int | None,
    Query(ge=1, le=MAX_ID, description="The revision that the work was begun on; without it, a sample without a mask."),
]


class DraftSaved(BaseModel):
    """The draft is on the disk."""

    counter: int = Field(description="Its number; the next save is sent with one more.")
    at: str


class Discarded(BaseModel):
    discarded: int = Field(description="How many drafts there were: 0 or 1.")


@router.get(
    "/samples/{sample}/draft",
    response_class=Response,
    responses={
        200: {
            "description": "The ids row by row, as in mask.bin; headers X-Mask-Dtype, X-Draft-Base (empty: no mask), "
            "X-Draft-Counter, X-Draft-At; of a part X-Draft-X, X-Draft-Y, its left and upper edge.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        204: {"description": "You have no draft of this sample."},
    },
)
def draft(session: Read, one: OneSample, actor: Reviewer) -> Response:
    """Your unfinished mask of the sample, the one that was saved last."""
    found = drafts.newest(session, one.id, actor.name)
    if found is None:
        return Response(status_code=204)
    mask = drafts.mask(found)
    headers = {
        "X-Mask-Dtype": mask.dtype.name,
        "X-Mask-Width": str(found.width),
        "X-Mask-Height": str(found.height),
        "X-Draft-Base": str(found.base_id) if found.base_id != NO_BASE else "",
        "X-Draft-Counter": str(found.counter),
        "X-Draft-At": iso(found.at) or "",
    }
    if part := drafts.part_of(found):
        headers |= {"X-Draft-X": str(part.x), "X-Draft-Y": str(part.y)}
    data = mask.astype(mask.dtype.newbyteorder("<"), copy=False).tobytes()
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.put("/samples/{sample}/draft", openapi_extra=BODY)
def put_draft(
    db: Db,
    sample: Id,
    mask: MaskBody,
    actor: Reviewer,
    part: Part,
    counter: Annotated[int, Query(ge=1, le=1 << 31, description="One more than the last; 1 for a new draft.")],
    base: Base = None,
) -> DraftSaved:
    """Keep unfinished work. Sent again with the same number and pixels it changes nothing; with any other number than
    the next, 409: another window of yours saved since. With `x`, `y`, `width` and `height` it is of that part alone;
    409 where your draft is of another one."""
    saved = edit.save_draft(db, sample, mask, actor, base, counter, part)
    return DraftSaved(counter=saved.counter, at=iso(saved.at) or "")


@router.delete("/samples/{sample}/draft")
def delete_draft(db: Db, sample: Id, actor: Reviewer, base: Base = None) -> Discarded:
    """Throw your draft on this base away."""
    return Discarded(discarded=edit.discard(db, sample, actor, base))
