"""What pulls from CVAT came to, and masks that were changed there and here."""

from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.domain.errors import Conflict
from app.flows import conflict
from app.store import cvat, receipts
from app.store.datasets import by_id, classes
from app.store.db import Database
from app.web import cvat_shapes
from app.web.api.decisions import outcome, version_of
from app.web.api.masks import DifferenceOut, IfMatch
from app.web.api.models import Asked, Outcome
from app.web.api.samples import RevisionOut
from app.web.api.status import csv_line
from app.web.deps import Db, Id, OneSample, Read, Reviewer

router = APIRouter(tags=["cvat"])
COLUMNS = ("sample", "outcome", "reason", "pixels", "moves", "annotator", "confirmed", "revision before", "after")
TOGETHER = 500
OutcomeName = Literal["conflict", "changed", "skipped", "unchanged"]


class Total(BaseModel):
    """What one annotator's frames came to."""

    annotator: str | None
    outcome: OutcomeName
    samples: int
    pixels: int


class Receipt(BaseModel):
    """A pull and what it came to."""

    id: int
    batch: int
    name: str
    dataset: str
    which: str = Field(description="all, finished or samples.")
    confirm: bool
    origin: str = Field(description="person, poll or webhook.")
    state: str = Field(description="asked, done, asks (labels wait for an answer) or failed.")
    error: str | None
    job: int | None
    counts: dict[OutcomeName, int]
    jobs: dict[str, int] = Field(description="Jobs in CVAT by state.")
    notes: list[str] = Field(description="What is true of the whole task.")
    totals: list[Total]
    actor: str
    at: str
    ended_at: str | None


class Receipts(BaseModel):
    receipts: list[Receipt]


class Move(BaseModel):
    """Pixels that went from one class to another; `from` is null where there was no mask."""

    from_: int | None = Field(alias="from")
    to: int
    pixels: int
    was: str
    becomes: str


class Line(BaseModel):
    """What a pull came to for one sample."""

    sample: int
    key: str
    status: str = Field(description="The sample's, now.")
    outcome: OutcomeName
    reason: str
    pixels: int = Field(description="That differ from what CVAT held before.")
    moves: list[Move]
    annotator: str | None
    confirmed: bool
    batch: int | None = Field(description="The decisions that followed, to undo them.")
    width: int
    height: int
    image: str
    before: str | None = Field(description="URL of the mask before.")
    after: str | None
    diff: str | None = Field(description="URL of the picture of what changed.")


class Lines(BaseModel):
    lines: list[Line]


class Versions(BaseModel):
    """A mask that was changed in CVAT and here."""

    sample: int
    key: str
    version: int = Field(description="To send back as If-Match.")
    width: int
    height: int
    image: str
    batch: int | None
    pushed: RevisionOut | None = Field(description="What CVAT was given.")
    ours: RevisionOut = Field(description="The mask in force here.")
    theirs: RevisionOut = Field(description="What came back and waits.")
    regions: list[DifferenceOut] = Field(description="Where ours (was) and theirs (becomes) differ, the largest first.")
    total: int = Field(description="Regions in all.")
    pixels: int


class ResolveIn(Asked):
    """Which side counts: of all regions, but for those that `take` says otherwise of."""

    rest: conflict.Side = Field(description="ours or theirs.")
    take: dict[int, conflict.Side] = Field(default_factory=dict, max_length=100_000)


@router.get("/cvat/batches/{batch}/receipts")
def receipts_of_batch(session: Read, batch: Id) -> Receipts:
    """Every pull of a batch, the newest first."""
    cvat.find(session, batch)
    found = receipts.of_batch(session, batch)
    return Receipts(receipts=[Receipt(**cvat_shapes.receipt(session, one)) for one in found])


@router.get("/cvat/receipts/{receipt}")
def one_receipt(session: Read, receipt: Id) -> Receipt:
    """One pull: its totals, by annotator too."""
    return Receipt(**cvat_shapes.receipt(session, receipts.find(session, receipt)))


@router.get("/cvat/receipts/{receipt}/lines")
def lines(
    session: Read,
    receipt: Id,
    outcome: OutcomeName | None = None,
    start: Annotated[int, Query(ge=0, le=1 << 40, description="Lines to pass over.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Lines:
    """What became of each sample: conflicts first, then what was changed, with the most pixels first."""
    found = cvat_shapes.lines(session, receipts.find(session, receipt), outcome, start, limit)
    return Lines(lines=[Line(**one) for one in found])


@router.get(
    "/cvat/receipts/{receipt}/receipt.csv",
    response_class=StreamingResponse,
    responses={200: {"description": "A line a sample.", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def receipt_csv(db: Db, session: Read, receipt: Id) -> StreamingResponse:
    """The receipt as CSV, a line a sample; moves as `rock > sand: 120`."""
    receipts.find(session, receipt)
    headers = {"Content-Disposition": f'attachment; filename="cvat-receipt-{receipt}.csv"'}
    return StreamingResponse(_csv(db, receipt), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(db: Database, receipt: int) -> Iterator[str]:
    with db.read() as session:
        batch = cvat.find(session, receipts.find(session, receipt).batch_id)
        names = {one.id: one.name for one in classes(session, by_id(session, batch.dataset_id)).classes}
        yield csv_line(list(COLUMNS))
        start = 0
        while found := receipts.page(session, receipt, None, start, TOGETHER):
            yield "".join(
                csv_line(
                    [
                        sample.key,
                        one.outcome,
                        one.reason,
                        one.pixels,
                        "; ".join(f"{names.get(was, was)} > {names.get(now, now)}: {n}" for was, now, n in one.moves),
                        one.annotator or "",
                        int(one.confirmed),
                        one.before_id,
                        one.after_id,
                    ]
                )
                for one, sample in found
            )
            start += TOGETHER


@router.get("/samples/{sample}/conflict")
def versions(
    session: Read, one: OneSample, limit: Annotated[int, Query(ge=1, le=10_000, description="Regions listed.")] = 500
) -> Versions:
    """The three masks of a sample that was changed in CVAT and here; 404 where it is in no conflict."""
    return Versions(**cvat_shapes.three_ways(session, one.id, limit))


@router.post("/samples/{sample}/conflict")
def resolve(db: Db, one: OneSample, body: ResolveIn, actor: Reviewer, if_match: IfMatch = None) -> Outcome:
    """Settle a conflict by one decision, which can be undone: ours, theirs, or region by region."""
    with db.read() as session:
        dataset = by_id(session, one.dataset_id).name
    made = conflict.resolve(db, dataset, one.id, body.rest, actor, body.take, version_of(if_match))
    if not made.decided:
        raise Conflict(f"{one.key} was left alone: {made.refused[0].reason}.")
    return outcome(made)
