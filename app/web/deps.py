"""What routes are given: the database, the dataset and sample in the URL, who asks, and bounded ids and pages."""

from collections.abc import Iterator
from typing import Annotated, cast
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request
from sqlalchemy.orm import Session

from app.domain.actor import Actor, person
from app.settings import Settings
from app.store import datasets, samples
from app.store.db import Database
from app.store.tables import Dataset, Sample
from app.web.tokens import Holder

REVIEWER = "reviewer"
MAX_ID = (1 << 63) - 1


def _database(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


Db = Annotated[Database, Depends(_database)]
Config = Annotated[Settings, Depends(_settings)]


def _read(db: Db) -> Iterator[Session]:
    with db.read() as session:
        yield session


Read = Annotated[Session, Depends(_read)]


def holder(request: Request) -> Holder:
    """Whose token the request carries."""
    return cast(Holder, request.state.holder)


def reviewer(request: Request) -> str:
    """The name that this request's decisions carry: the token's where it has one, else that of the header
    ``X-Reviewer``, else the cookie's, else the settings'.

    Header and cookie are percent-encoded UTF-8, since neither can hold more than ASCII safely.
    """
    if holder(request).name is not None:
        return str(holder(request).name)
    said = request.headers.get("x-reviewer") or request.cookies.get(REVIEWER)
    name = unquote(said) if said else ""
    return person(name if name.strip() else _settings(request).reviewer).name


def _actor(request: Request) -> Actor:
    return person(reviewer(request))


Reviewer = Annotated[Actor, Depends(_actor)]

DatasetName = Annotated[str, Path(description="Name of the dataset.", examples=["mars"])]
Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=500, description="Entries a page.")]
After = Annotated[str | None, Query(max_length=20_000, description="The cursor `next` of the page before.")]
AfterId = Annotated[int | None, Query(ge=1, le=MAX_ID, description="The id of the last entry of the page before.")]


def _owner(dataset: DatasetName, session: Read) -> Dataset:
    return datasets.find(session, dataset)


def _sample(sample: Id, session: Read) -> Sample:
    return samples.find(session, sample)


Owner = Annotated[Dataset, Depends(_owner)]
OneSample = Annotated[Sample, Depends(_sample)]
