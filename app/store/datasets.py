"""Datasets and their class lists."""

import re
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.classes import Class, ClassList, Role
from app.domain.errors import Invalid, NotFound
from app.store.tables import ClassPixels, ClassVersion, Dataset, Revision, Sample

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_RULE = "A dataset's name has 1 to 64 letters, digits, dots, dashes or underscores, a letter or digit first."


class BadName(Invalid):
    """A name that can't be a dataset's."""


def iso(at: datetime | None) -> str | None:
    """A time from the database (always UTC; SQLite forgets to say so) as ISO text."""
    return None if at is None else at.replace(tzinfo=UTC).isoformat(timespec="milliseconds")


def find(session: Session, name: str) -> Dataset:
    """Raises NotFound."""
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    if dataset is None:
        raise NotFound(f"There is no dataset named {name!r}.")
    return dataset


def by_id(session: Session, id: int) -> Dataset:
    return session.get_one(Dataset, id)


def find_or_create(session: Session, name: str, actor: Actor) -> Dataset:
    """The dataset of that name, made with an empty class list where it isn't there. Raises BadName."""
    if not NAME.fullmatch(name):
        raise BadName(NAME_RULE)
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    if dataset is None:
        dataset = Dataset(name=name, class_version=0)
        session.add(dataset)
        session.flush()
        set_classes(session, dataset, ClassList(()), actor)
    return dataset


def classes(session: Session, dataset: Dataset, version: int | None = None) -> ClassList:
    """A version of the class list, by default the one in force."""
    row = session.get_one(ClassVersion, (dataset.id, version or dataset.class_version))
    listed = (Class(one["id"], one["name"], Role(one["role"]), one["colour"]) for one in row.classes)
    return ClassList(tuple(listed), row.guessed)


def set_classes(session: Session, dataset: Dataset, listed: ClassList, actor: Actor) -> int:
    """Put a class list in force as a new version, unless it is the one already; the version."""
    if dataset.class_version and classes(session, dataset) == listed:
        return dataset.class_version
    last = session.scalar(select(func.max(ClassVersion.version)).where(ClassVersion.dataset_id == dataset.id))
    dataset.class_version = (last or 0) + 1
    session.add(
        ClassVersion(
            dataset_id=dataset.id,
            version=dataset.class_version,
            classes=listed.as_json(),
            guessed=listed.guessed,
            actor_kind=actor.kind,
            actor_name=actor.name,
        )
    )
    session.flush()
    return dataset.class_version


def id_of(session: Session, name: str) -> int | None:
    """The id of the dataset of that name, None where there is none yet."""
    return session.scalar(select(Dataset.id).where(Dataset.name == name))


def known_classes(session: Session, name: str) -> ClassList | None:
    """The class list of the dataset of that name, None where there is no such dataset yet."""
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    return None if dataset is None else classes(session, dataset)


def class_ids(session: Session, dataset_id: int) -> set[int]:
    """The class ids that occur in any mask of the dataset, superseded ones too."""
    query = (
        select(ClassPixels.class_id)
        .join(Revision, Revision.mask_id == ClassPixels.raster_id)
        .join(Sample, Sample.id == Revision.sample_id)
        .where(Sample.dataset_id == dataset_id)
        .distinct()
    )
    return set(session.scalars(query))
