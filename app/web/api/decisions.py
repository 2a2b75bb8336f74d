"""Decisions: on one sample, or on many at once."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, model_validator

from app.domain.errors import Invalid
from app.domain.status import Status
from app.flows import review
from app.flows.review import Selection
from app.store import samples
from app.store.browse import Filter
from app.store.db import Database
from app.store.decisions import Wish
from app.store.tables import Dataset
from app.web import errors, shapes
from app.web.api import samples as samples_api
from app.web.api.models import Asked, Key, Outcome, Refused, Standing
from app.web.deps import MAX_ID, DatasetName, Db, Id, Reviewer
from app.web.filters import read_filter

router = APIRouter(tags=["decisions"])
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]
Text = str | int | float | None


class BadPrecondition(Invalid):
    """An If-Match that isn't a sample's ETag."""


class DecisionIn(Asked):
    """What is decided of one sample."""

    verb: Literal["keep", "exclude", "include", "restore", "reject"]
    revision: RowId | None = Field(None, description="The mask that restore and reject are about.")
    checks: list[str] | None = Field(None, max_length=100, description="keep closes only these checks' flags.")

    @model_validator(mode="after")
    def _revision_given(self) -> "DecisionIn":
        if self.verb in ("restore", "reject") and self.revision is None:
            raise ValueError(f"{self.verb} needs the revision that it is about")
        return self


class FilterIn(Asked):
    """The filter of the grid's URL, by the same names."""

    status: list[str] | str | None = None
    check: str | None = None
    class_: Text = Field(None, alias="class")
    split: str | None = None
    min: Text = None
    max: Text = None
    q: str | None = None
    group: Text = None
    key: str | None = None
    flagged: bool | Literal[""] | None = None
    sort: str | None = None

    def read(self) -> Filter:
        """Raises BadFilter."""
        said = self.model_dump(exclude_none=True, exclude={"status", "flagged"})
        status = [self.status] if isinstance(self.status, str) else self.status
        flagged = "" if self.flagged in (None, "") else str(int(bool(self.flagged)))
        return read_filter(status=status, flagged=flagged, **{name: str(value) for name, value in said.items()})


class DecisionsIn(Asked):
    """What is decided of many samples: given by id, by key, as a group, or as all that match a filter."""

    verb: Literal["keep", "exclude", "include"]
    samples: list[RowId] | None = Field(None, max_length=200_000)
    keys: list[Key] | None = Field(None, max_length=200_000)
    group: RowId | None = None
    spare_one: bool = Field(False, description="Of a group: all but the one that is worth most.")
    filter: FilterIn | None = None
    checks: list[str] | None = Field(None, max_length=100, description="keep closes only these checks' flags.")
    expected: dict[RowId, int] | None = Field(
        None, description="Versions that you saw, by sample; one that has moved on is left alone."
    )

    @model_validator(mode="after")
    def _one_selection(self) -> "DecisionsIn":
        if sum(one is not None for one in (self.samples, self.keys, self.group, self.filter)) != 1:
            raise ValueError("give just one of samples, keys, group and filter")
        if self.spare_one and self.group is None:
            raise ValueError("spare_one goes with a group")
        return self

    def selection(self) -> Selection:
        """Raises BadFilter."""
        chosen = self.filter.read() if self.filter is not None else None
        return Selection(self.samples or (), self.keys or (), self.group, chosen, self.spare_one)


def outcome(result: review.Outcome) -> Outcome:
    """What a flow brought about, as the API says it."""
    return Outcome(
        batch=result.batch,
        decided=len(result.decided),
        refused=[Refused(sample=one.sample, key=one.key, reason=one.reason) for one in result.refused],
        samples=[Standing(id=one.id, status=Status(one.status), version=one.version) for one in result.decided],
    )


@router.post(
    "/samples/{sample}/decisions",
    responses={
        409: {
            "description": "The sample has moved on, or the decision doesn't fit: `current` is how it stands, `yours` "
            "what was asked.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    },
    response_model=Outcome,
)
def decide_one(
    request: Request,
    db: Db,
    sample: Id,
    body: DecisionIn,
    actor: Reviewer,
    if_match: Annotated[str | None, Header(description="The sample's ETag, as you saw it.", examples=['"v3"'])] = None,
) -> Outcome | Response:
    """Decide one sample. With If-Match, nothing is written over what somebody else decided since."""
    version = version_of(if_match)
    wish = Wish(body.verb, None if body.checks is None else frozenset(body.checks), None, body.revision)
    result = review.decide_one(db, sample, wish, actor, version)
    if result.decided:
        return outcome(result)
    return left_alone(request, db, sample, result, {**body.model_dump(exclude_none=True), "version": version})


def left_alone(
    request: Request, db: Database, sample: int, result: review.Outcome, yours: dict[str, object]
) -> Response:
    """409: why the one sample was not decided, how it stands now, and what was asked of it."""
    with db.read() as session:
        one = samples.find(session, sample)
        now = samples_api.SampleFull(**shapes.sample(session, session.get_one(Dataset, one.dataset_id), one))
    reason = f"{one.key} was left alone: {result.refused[0].reason}."
    return errors.problem(
        request, 409, "Conflict", reason, {"ETag": f'"v{one.version}"'}, current=now.model_dump(), yours=yours
    )


@router.post("/datasets/{dataset}/decisions")
def decide_many(db: Db, dataset: DatasetName, body: DecisionsIn, actor: Reviewer) -> Outcome:
    """Decide many samples as one batch. What doesn't fit is left alone and listed in `refused`, the rest is decided."""
    wish = Wish(body.verb, None if body.checks is None else frozenset(body.checks))
    return outcome(review.decide(db, dataset, body.selection(), wish, actor, body.expected))


def version_of(if_match: str | None) -> int | None:
    """The version that an If-Match names, None for none or any. Raises BadPrecondition."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'(?:W/)?"v(\d{1,18})"', if_match.strip(), re.ASCII)
    if found is None:
        raise BadPrecondition('If-Match has to be the ETag of the sample, like "v3".')
    return int(found[1])
