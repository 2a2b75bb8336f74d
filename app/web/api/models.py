"""Shapes that several nouns of the API share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.domain.classes import Role
from app.domain.status import Status

FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, in a sentence.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def _storable(text: str) -> str:
    """JSON can say what is no text: half of a surrogate pair, which no database stores."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is no valid Unicode") from None
    return text


Key = Annotated[str, AfterValidator(_storable)]


class Asked(BaseModel):
    """What a request holds. A field that isn't known is refused: passed over, it would be taken for heeded."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})

    type: str = Field("about:blank", description="Always about:blank: the status says which kind it is.")
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="A sentence for a person.", examples=["There is no dataset named 'mars'."])


class ClassOut(BaseModel):
    """A class of a dataset."""

    id: int = Field(description="The value in the mask, 0..65535.", examples=[3])
    name: str = Field(examples=["big rock"])
    role: Role
    colour: str = Field(examples=["#e69f00"])


class SampleRow(BaseModel):
    """A sample as it stands in a list."""

    id: int
    key: str = Field(description="Unique in its dataset; may hold slashes.", examples=["training_set/00062"])
    status: Status
    version: int = Field(description="Grows with every decision.")
    revision: int | None = Field(description="Its current mask.")
    split: str | None
    width: int
    height: int
    score: float | None = Field(description="Of the list's check, else of its worst open flag; 1 = worst.")
    check: str | None
    reason: str | None
    group: int | None
    image: str = Field(description="URL of the image to look at.")
    mask: str | None = Field(description="URL of the current mask in colours.")


class Standing(BaseModel):
    """Where one sample stands."""

    id: int
    status: Status
    version: int


class Refused(BaseModel):
    """A sample that was left alone, and why."""

    sample: int
    key: str
    reason: str = Field(examples=["it is excluded already"])


class Outcome(BaseModel):
    """What came of a decision, or of an undo."""

    batch: int | None = Field(description="To undo it all by; null where nothing was decided.")
    decided: int
    refused: list[Refused]
    samples: list[Standing]


class Started(BaseModel):
    """A job that was asked for; follow it at /jobs/{id} or /jobs/events."""

    job: int
