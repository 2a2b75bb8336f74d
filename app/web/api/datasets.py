"""Datasets: the list, one of them, its classes, its summary, the histogram of a check's scores."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.domain.checks import registry
from app.domain.classes import Class, ClassList, Role
from app.domain.status import Status
from app.flows import classes as classes_flow
from app.flows.filters import BadFilter
from app.store import browse, datasets
from app.web import shapes
from app.web.api.models import Asked, ClassOut
from app.web.deps import DatasetName, Db, Owner, Read, Reviewer
from app.web.filters import Filters

router = APIRouter(tags=["datasets"])


class DatasetRow(BaseModel):
    """A dataset in the list."""

    name: str
    samples: int
    labelled: int = Field(description="Samples that have a mask.")
    counts: dict[Status, int] = Field(description="Samples by status.")
    created_at: str


class DatasetList(BaseModel):
    datasets: list[DatasetRow]


class DatasetOut(BaseModel):
    """A dataset and its classes."""

    name: str
    created_at: str
    classes: list[ClassOut]
    class_version: int
    guessed: bool = Field(description="Nobody has confirmed the classes' roles yet.")


class ClassIn(Asked):
    """A class as it shall be."""

    id: int = Field(ge=0, le=65535)
    name: str = Field(min_length=1, max_length=80, examples=["big rock"])
    role: Role
    colour: str = Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#e69f00"])


class ClassesIn(Asked):
    classes: list[ClassIn] = Field(min_length=1, max_length=65536)


class ClassShare(ClassOut):
    """A class and how much of the current masks it covers."""

    pixels: int
    images: int


class Size(BaseModel):
    """How many images have this size."""

    width: int
    height: int
    channels: int
    count: int


class NextStep(BaseModel):
    """The one thing to do next."""

    text: str = Field(examples=["110 samples share this mask"])
    url: str
    detail: str
    label: str


class Summary(BaseModel):
    """Counts over a dataset; flags and classes leave excluded samples out."""

    samples: int
    labelled: int
    status: dict[Status, int]
    flags: dict[str, int] = Field(description="Samples with an open flag, by check.")
    classes: list[ClassShare]
    splits: dict[str, int]
    sizes: list[Size]
    next: NextStep | None


class Histogram(BaseModel):
    """Samples by score of a check: counts[i] lie from edges[i] to edges[i + 1]."""

    edges: list[float]
    counts: list[int]
    threshold: float = Field(description="A sample whose score reaches this is flagged.")


@router.get("/datasets")
def all_datasets(session: Read) -> DatasetList:
    """Every dataset by name."""
    return DatasetList(datasets=[DatasetRow(**one) for one in shapes.all_datasets(session)])


@router.get("/datasets/{dataset}")
def one_dataset(session: Read, owner: Owner) -> DatasetOut:
    """One dataset and its classes."""
    return DatasetOut(**shapes.dataset(session, owner))


@router.put("/datasets/{dataset}/classes")
def put_classes(db: Db, dataset: DatasetName, body: ClassesIn, actor: Reviewer) -> DatasetOut:
    """Name the classes, their roles and colours: a new version of the list. Ids that masks hold must stay."""
    listed = tuple(Class(one.id, one.name.strip(), one.role, one.colour.lower()) for one in body.classes)
    classes_flow.put(db, dataset, ClassList(listed, guessed=False), actor)
    with db.read() as session:
        return DatasetOut(**shapes.dataset(session, datasets.find(session, dataset)))


@router.get("/datasets/{dataset}/summary")
def summary(session: Read, owner: Owner) -> Summary:
    """What the overview shows: counts, and what to do next."""
    return Summary(**shapes.overview(session, owner))


@router.get("/datasets/{dataset}/histogram")
def histogram(
    session: Read,
    owner: Owner,
    filter: Filters,
    bins: Annotated[int, Query(ge=1, le=200)] = 40,
) -> Histogram:
    """How the scores of ``check`` are distributed over the samples that the rest of the filter leaves."""
    if filter.check is None:
        raise BadFilter("A histogram needs a check whose scores it shows.")
    counts = browse.histogram(session, owner.id, filter, bins)
    return Histogram(
        edges=[index / bins for index in range(bins + 1)],
        counts=counts,
        threshold=registry.by_name(filter.check).threshold,
    )
