"""When to stop: how many bad masks remain."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.flows import remaining
from app.web.deps import Owner, Read

router = APIRouter(tags=["imprecise masks"])


class SpanOut(BaseModel):
    """An expected number, and the interval that should hold the true one."""

    mean: float
    low: int
    high: int


class ExpectedOut(BaseModel):
    reviews: int = Field(description="So many more reviews, in the queue's order,")
    found: SpanOut = Field(description="should find so many bad masks.")


class RemainingOut(BaseModel):
    """All fields but the sentence are null before a cross-validation has judged the masks."""

    sentence: str = Field(examples=["About 38 bad masks remain (27-52); the next 50 reviews should find about 9."])
    run: int | None = Field(description="The cross-validation whose probabilities this begins with.")
    level: float = Field(description="How often intervals like these hold the truth.")
    found: list[int] | None = Field(description="Bad masks found after 1, 2, ... reviews since then.")
    left: int | None = Field(description="Judged masks that nobody has reviewed.")
    bad: SpanOut | None = Field(description="Bad ones among those.")
    next: ExpectedOut | None
    curve: list[ExpectedOut] | None


@router.get("/datasets/{dataset}/remaining")
def how_many_remain(session: Read, owner: Owner) -> RemainingOut:
    """How many bad masks remain, by the detector's probabilities, what was decided, and the queue's random checks."""
    found = remaining.outlook(session, owner.id)
    return RemainingOut.model_validate(found.as_json() if found else remaining.unjudged())
