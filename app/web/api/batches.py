"""The history: batches of decisions, and undoing them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.flows import review
from app.store import history
from app.web import shapes
from app.web.api.decisions import outcome
from app.web.api.models import Outcome
from app.web.deps import AfterId, Db, Id, Owner, Read, Reviewer

router = APIRouter(tags=["decisions"])


class BatchOut(BaseModel):
    """Decisions made in one go."""

    id: int
    verb: str
    actor: str
    at: str
    count: int
    left: int = Field(description="Decisions of it that aren't undone.")
    undone_by: int | None
    undoes: int | None
    sample: int | None = Field(description="The sample, where it is only one.")
    key: str | None


class BatchPage(BaseModel):
    batches: list[BatchOut]
    next: int | None = Field(description="`after` of the page behind it.")


@router.get("/datasets/{dataset}/batches")
def batches(
    session: Read, owner: Owner, after: AfterId = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> BatchPage:
    """The newest first."""
    found = history.entries(session, owner.id, after, limit + 1)
    shown = [BatchOut(**shapes.batch(entry)) for entry in found[:limit]]
    return BatchPage(batches=shown, next=shown[-1].id if len(found) > limit else None)


@router.post("/batches/{batch}/undo")
def undo(db: Db, batch: Id, actor: Reviewer) -> Outcome:
    """Undo a batch, by a batch that can be undone itself. Samples decided again since are left alone and listed; where
    that is all of them, 409."""
    return outcome(review.undo(db, batch, actor))
