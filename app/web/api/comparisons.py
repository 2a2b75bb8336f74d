"""Comparisons: did it help, asked for, followed, read."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, Field

from app.flows import compare
from app.store import comparisons as rows
from app.store.tables import Comparison
from app.web import comparison_shapes
from app.web.api.jobs import JobOut, job_out
from app.web.api.models import Asked, Started
from app.web.api.run_models import RunShort
from app.web.deps import DatasetName, Db, Id, Owner, Read, Reviewer

router = APIRouter(tags=["comparisons"])
_SIDE = "An arm, or snapshot:ID."


class ComparisonIn(Asked):
    before: str = Field("imported", max_length=40, description=_SIDE, examples=["imported"])
    after: str = Field("curated", max_length=40, description=_SIDE, examples=["curated"])
    seeds: int = Field(3, ge=1, le=compare.MOST_SEEDS, description="Trainings of each side.")
    preset: str = Field("baseline", max_length=40, examples=["no_background"])
    config: dict[str, Any] = Field({}, description="Keys as in training-options; the same for both sides.")


class ComparisonStarted(Started):
    """A comparison that was asked for; its `job` trains and judges."""

    comparison: int


class ComparisonShort(BaseModel):
    """A comparison in a list."""

    id: int
    dataset: str
    before: str
    after: str
    subject: str = Field(description="What the difference is the work of.")
    seeds: int
    preset: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    at: str
    actor: str
    job: int
    done: int = Field(description="Epochs of all runs, and models judged.")
    total: int
    message: str
    error: str | None
    sentence: str | None = Field(description="The verdict, once it is done.")
    clear: bool | None = Field(description="Whether the interval leaves zero out.")


class ComparisonList(BaseModel):
    comparisons: list[ComparisonShort]


class Figure(BaseModel):
    """Shares of 1; null where no given pixel lets it be measured."""

    before: list[float | None] = Field(description="One value a seed.")
    after: list[float | None]
    difference: float | None
    low: float | None = Field(description="Lower end of the 95 % interval.")
    high: float | None
    spread: float | None = Field(description="Standard deviation of the seeds' differences.")
    smallest: float | None = Field(description="The true difference that would be told from none four times in five.")


class ClassFigure(Figure):
    name: str
    role: str
    colour: str


class ReadingOut(BaseModel):
    """One judgement of both sides."""

    reference: Literal["current", "imported"] = Field(description="Which masks judged.")
    verified: bool = Field(description="Only those that a person confirmed.")
    samples: int
    groups: int = Field(description="Content groups: what the bootstrap draws.")
    overall: Figure = Field(description="Mean IoU over the foreground classes.")
    classes: list[ClassFigure]


class ComparedRun(RunShort):
    side: Literal["before", "after"]
    seed: int


class ComparisonFull(ComparisonShort):
    """A comparison with its runs, and its result once it is done."""

    config: dict[str, Any]
    runs: list[ComparedRun]
    notes: list[str] = Field(description="What to know before believing it.")
    test: dict[str, int] | None = Field(description="Test samples: all, verified, changed since the import, left out.")
    arms: dict[str, dict[str, Any]] | None = Field(description="What each side learned from.")
    readings: list[ReadingOut] = Field(description="The headline's first.")


def _comparison(session: Read, comparison: Id) -> Comparison:
    return rows.find(session, comparison)


@router.post("/datasets/{dataset}/comparisons", status_code=status.HTTP_202_ACCEPTED)
def start_comparison(db: Db, dataset: DatasetName, body: ComparisonIn, actor: Reviewer) -> ComparisonStarted:
    """Train both sides on every seed and judge them on the same masks, in the background."""
    wish = {"before": body.before, "after": body.after, "preset": body.preset}
    found = compare.request(db, dataset, actor, seeds=body.seeds, keys=body.config, **wish)
    return ComparisonStarted(comparison=found.id, job=found.job_id or 0)


@router.get("/datasets/{dataset}/comparisons")
def comparisons_of_dataset(session: Read, owner: Owner) -> ComparisonList:
    """Comparisons, the newest first."""
    found = comparison_shapes.of_dataset(session, owner)
    return ComparisonList(comparisons=[ComparisonShort(**one) for one in found])


@router.get("/comparisons/{comparison}")
def one_comparison(session: Read, row: Annotated[Comparison, Depends(_comparison)]) -> ComparisonFull:
    """A comparison in full."""
    return ComparisonFull(**comparison_shapes.full(session, row))


@router.post("/comparisons/{comparison}/cancel")
def cancel_comparison(db: Db, comparison: Id) -> JobOut:
    """Ask a comparison to stop; runs that are done stay. 409 where it has ended."""
    job = compare.cancel(db, comparison)
    with db.read() as session:
        return job_out(session, job)


@router.post("/comparisons/{comparison}/resume", status_code=status.HTTP_202_ACCEPTED)
def resume_comparison(db: Db, comparison: Id) -> ComparisonStarted:
    """Go on with one that failed or was cancelled; runs that are done aren't trained again. 409 for any other."""
    return ComparisonStarted(comparison=comparison, job=compare.resume(db, comparison).id)
