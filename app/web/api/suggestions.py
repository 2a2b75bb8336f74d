"""Masks suggested by a run's models, and rules that accept them in bulk."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from app.flows import accept, suggest
from app.store import suggestions
from app.web import suggestion_shapes
from app.web.api.decisions import RowId, outcome
from app.web.api.models import Asked, Key, Outcome, Started
from app.web.deps import DatasetName, Db, Owner, Read, Reviewer

router = APIRouter(tags=["suggestions"])


class SuggestIn(Asked):
    run: RowId | None = Field(None, description="Whose models; by default the newest cross-validation's.")
    method: str = Field("ensemble", max_length=40, description="softmax, ensemble or pseudoseg.")
    precision: float = Field(0.97, description="Share of the proposed pixels that should be right.")
    only: str | None = Field(None, max_length=40, description="unlabeled or flagged; null for both.")
    keys: list[Key] = Field([], max_length=200_000, description="Samples in place of those.")


class SuggestStarted(Started):
    """Suggestions that were asked for; `job` makes them."""

    suggesting: int


class SuggestingOut(BaseModel):
    """One asking of a model. `result` is null until it has ended."""

    id: int
    run: int
    job: int
    state: str = Field(description="queued, running, done, failed or cancelled.")
    error: str | None
    method: str
    precision: float
    only: str | None
    by: str
    at: datetime
    result: dict[str, Any] | None = Field(
        description="sentence (what to expect), judgement (of changes to flagged masks), believed, reached, share, "
        "classes with their thresholds, methods as measured on held-out samples, proposed, refused."
    )


class Suggestings(BaseModel):
    suggestings: list[SuggestingOut] = Field(description="The newest first.")
    waiting: int = Field(description="Suggestions that wait for a decision.")


class AcceptIn(Asked):
    """A rule: every suggested pixel of a class that is sure enough."""

    class_: str = Field(alias="class", max_length=200, description="Name of the class.")
    above: float = Field(0.99, description="Share of pixels like these that should be right.")


@router.post("/datasets/{dataset}/suggestions", status_code=status.HTTP_202_ACCEPTED)
def start_suggesting(db: Db, dataset: DatasetName, body: SuggestIn, actor: Reviewer) -> SuggestStarted:
    """Let a model propose masks, in the background, where held-out samples show that it can be believed."""
    one = suggest.request(
        db,
        dataset,
        actor,
        run=body.run,
        method=body.method,
        precision=body.precision,
        only=body.only,
        keys=body.keys,
    )
    return SuggestStarted(suggesting=one.id, job=one.job_id or 0)


@router.get("/datasets/{dataset}/suggestions")
def list_suggestings(session: Read, owner: Owner) -> Suggestings:
    """What models were asked for, what was measured and what they proposed."""
    found = [SuggestingOut(**one) for one in suggestion_shapes.of_dataset(session, owner)]
    return Suggestings(suggestings=found, waiting=suggestions.count_waiting(session, owner.id))


@router.post("/datasets/{dataset}/suggestions/accept")
def accept_suggestions(db: Db, dataset: DatasetName, body: AcceptIn, actor: Reviewer) -> Outcome:
    """Put every sure pixel of a class in force, as one batch whose actor is the rule; it is undone like any other."""
    return outcome(accept.accept(db, dataset, body.class_, body.above, actor))
