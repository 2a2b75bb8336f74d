"""Leases: the next sample that nobody else looks at, and who looks at one that was opened by hand."""

from typing import Annotated, Literal

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from app.flows import queue
from app.web.api.models import Asked
from app.web.deps import MAX_ID, DatasetName, Db, Id, Reviewer

router = APIRouter(tags=["leases"])
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class NextIn(Asked):
    """Where a walk goes on."""

    samples: list[RowId] = Field(max_length=200, description="The next ids of the walk, in its order.")
    since: int = Field(0, ge=0, le=MAX_ID, description="`batch` of the queue: samples that others decided later go.")
    done: list[RowId] = Field([], max_length=200, description="Samples that you have left: their leases end.")


class PassedOut(BaseModel):
    """A sample that was passed over."""

    sample: int
    by: str = Field(description="Who looks at it, or has decided it.")
    why: Literal["held", "decided"]


class Next(BaseModel):
    """The sample that is yours for two minutes; null where all are with others, or decided."""

    sample: int | None
    passed: list[PassedOut]


class LeaseOut(BaseModel):
    """Who looks at a sample."""

    sample: int
    by: str
    yours: bool


@router.post("/datasets/{dataset}/next")
def next_sample(db: Db, dataset: DatasetName, body: NextIn, actor: Reviewer) -> Next:
    """The first of these samples that nobody else looks at or has decided, leased to you: no other gets it."""
    handed = queue.next_of(db, dataset, body.samples, actor, body.since, body.done)
    passed = [PassedOut(sample=one.sample, by=one.by, why=one.why) for one in handed.passed]
    return Next(sample=handed.sample, passed=passed)


@router.post("/samples/{sample}/lease")
def take_lease(db: Db, sample: Id, actor: Reviewer) -> LeaseOut:
    """Say that you look at this sample, for two minutes; again to go on. If somebody else does, their lease stays, and
    nothing is refused to you: a decision on what has changed is."""
    by = queue.look_at(db, sample, actor)
    return LeaseOut(sample=sample, by=by, yours=by == actor.name)


@router.delete("/samples/{sample}/lease", status_code=status.HTTP_204_NO_CONTENT)
def end_lease(db: Db, sample: Id, actor: Reviewer) -> None:
    """Say that you have left it."""
    queue.leave(db, sample, actor)
