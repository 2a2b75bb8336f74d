"""Samples: page by page as in the grid, one in full, its revisions."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.store import browse, revisions
from app.store.tables import Dataset
from app.web import shapes
from app.web.api.models import SampleRow
from app.web.deps import After, Limit, OneSample, Owner, Read
from app.web.filters import Filters

router = APIRouter(tags=["samples"])


class SamplePage(BaseModel):
    """Some samples, and the cursor of the page after; null on the last."""

    samples: list[SampleRow]
    next: str | None
    total: int = Field(description="Samples that match the filter, as far as they are counted.")
    more: bool = Field(description="Whether there are, or may be, more than were counted.")


class FlagOut(BaseModel):
    """A finding past its threshold."""

    id: int
    check: str
    score: float
    group: int | None
    reason: str
    state: str = Field(description="open, or kept by a decision.")
    revision: int | None = Field(description="The mask it is about; null where it is about the picture.")


class ScoreOut(BaseModel):
    """What a check says of a sample, flagged or not; 1 = worst."""

    check: str
    score: float
    group: int | None


class GroupRef(BaseModel):
    """A group that a sample belongs to."""

    id: int
    check: str
    size: int
    title: str


class RevisionOut(BaseModel):
    """A proposed mask."""

    id: int
    parent: int | None
    merged: int | None = Field(description="The other revision that a merge took from.")
    state: str = Field(description="pending, current, superseded or rejected.")
    source: str = Field(description="import, brush, cvat or model.")
    actor: str
    at: str
    hash: str = Field(description="Identity of its pixels.")
    mask: str
    receipt: int | None = Field(None, description="The CVAT receipt that tells of it.")


class DecisionOut(BaseModel):
    """What was decided of a sample."""

    id: int
    batch: int
    count: int = Field(description="Samples decided in the same batch.")
    verb: str
    actor: str
    at: str
    revision: int | None
    undone: bool


class AtCvat(BaseModel):
    """A CVAT batch that a sample is or was in."""

    batch: int
    state: str = Field(description="planned, out, back, refused, closed, or sent (by file).")
    reason: str
    job_state: str | None = Field(description="Its job in CVAT, as last seen.")
    assignee: str | None
    link: str | None = Field(description="The job in CVAT, opened at the sample.")
    receipt: int | None = Field(description="The newest receipt that tells of it.")


class SampleFull(SampleRow):
    """A sample with all that is known of it."""

    why: str = Field(description="Why it has this status.")
    channels: int
    dtype: str
    flags: list[FlagOut]
    scores: list[ScoreOut]
    groups: list[GroupRef]
    revisions: list[RevisionOut]
    cvat: list[AtCvat] = Field(description="Its newest CVAT batches, the newest first.")
    decisions: list[DecisionOut]


class Revisions(BaseModel):
    revisions: list[RevisionOut]


@router.get("/datasets/{dataset}/samples")
def page_of_samples(session: Read, owner: Owner, filter: Filters, after: After = None, limit: Limit = 60) -> SamplePage:
    """Samples that match, a page at a time; excluded ones only where `status`, `group` or `key` asks for them."""
    page = browse.page(session, owner.id, filter, after or None, limit)
    rows = [SampleRow(**one) for one in shapes.rows(session, owner, page.rows, filter)]
    counted = browse.count_up_to(session, owner.id, filter)
    return SamplePage(samples=rows, next=page.next, total=counted.number, more=counted.more)


@router.get("/samples/{sample}")
def one_sample(session: Read, one: OneSample, response: Response) -> SampleFull:
    """One sample in full. The ETag is its version: send it as If-Match with a decision."""
    response.headers["ETag"] = f'"v{one.version}"'
    return SampleFull(**shapes.sample(session, session.get_one(Dataset, one.dataset_id), one))


@router.get("/samples/{sample}/revisions")
def revisions_of_sample(session: Read, one: OneSample) -> Revisions:
    """Every mask that was proposed for it, the newest first."""
    owner = session.get_one(Dataset, one.dataset_id)
    rows = [shapes.revision(session, row, owner.class_version) for row in revisions.of_sample(session, one.id)]
    return Revisions(revisions=[RevisionOut(**row) for row in rows])
