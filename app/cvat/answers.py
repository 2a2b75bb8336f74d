"""What CVAT answers, read into frozen results; an answer without the fields that count isn't CVAT's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.cvat.errors import NotCvat
from app.cvat.shapes import Shape

T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    id: int
    name: str


@dataclass(frozen=True)
class Label:
    """A label of a project or task; ``kind`` is what may be drawn with it: mask, any, polygon, ..."""

    id: int
    name: str
    colour: str
    kind: str


@dataclass(frozen=True)
class Task:
    """A task; ``size`` frames, 0 as long as it has no data. ``updated`` is the server's text for the moment."""

    id: int
    name: str
    project: int | None
    size: int
    status: str
    updated: str


@dataclass(frozen=True)
class Job:
    """A job over the frames ``start`` to ``stop`` (included). ``kind``: annotation, ground_truth, consensus_replica.

    ``state``: new, in progress, completed, rejected; ``stage``: annotation, validation, acceptance.
    """

    id: int
    task: int
    kind: str
    start: int
    stop: int
    state: str
    stage: str
    assignee: str | None
    updated: str

    @property
    def frames(self) -> range:
        return range(self.start, self.stop + 1)


@dataclass(frozen=True)
class Frame:
    """A picture of a task: ``name`` with its sub-folders. ``deleted``: somebody took it out of the task."""

    number: int
    name: str
    width: int
    height: int
    deleted: bool


def project_of(value: Any) -> Project:
    return Project(need(value, "id", int), need(value, "name", str))


def label_of(value: Any) -> Label:
    return Label(need(value, "id", int), need(value, "name", str), need(value, "color", str), need(value, "type", str))


def task_of(value: Any) -> Task:
    project, size = value.get("project_id") if isinstance(value, dict) else None, optional(value, "size", int)
    return Task(
        need(value, "id", int),
        need(value, "name", str),
        project if isinstance(project, int) else None,
        size or 0,
        need(value, "status", str),
        need(value, "updated_date", str),
    )


def job_of(value: Any) -> Job:
    person = optional(value, "assignee", dict)
    return Job(
        need(value, "id", int),
        need(value, "task_id", int),
        optional(value, "type", str) or "annotation",
        need(value, "start_frame", int),
        need(value, "stop_frame", int),
        need(value, "state", str),
        need(value, "stage", str),
        need(person, "username", str) if person else None,
        need(value, "updated_date", str),
    )


def frames_of(value: Any) -> tuple[Frame, ...]:
    """A task's frames by number. Numbers count pictures of the task, whatever was deleted."""
    listed = need(value, "deleted_frames", list)
    if not all(isinstance(one, int) for one in listed):
        raise NotCvat("The server lists deleted frames that are no numbers; it isn't CVAT, or an unknown version.")
    deleted = frozenset(listed)
    return tuple(
        Frame(number, need(one, "name", str), need(one, "width", int), need(one, "height", int), number in deleted)
        for number, one in enumerate(need(value, "frames", list))
    )


def shapes_of(value: Any) -> tuple[Shape, ...]:
    """All annotations in the order of the answer. Tags and tracks, which a class map can't hold, come as shapes of
    that kind, a track on its first frame."""
    return (
        *map(_shape, need(value, "shapes", list)),
        *(_plain("tag", one) for one in need(value, "tags", list)),
        *(_plain("track", one) for one in need(value, "tracks", list)),
    )


def results(value: Any) -> Iterator[Any]:
    yield from need(value, "results", list)


def need(value: Any, name: str, kind: type[T]) -> T:
    """The field of that name and type. Raises NotCvat."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise NotCvat(f"An answer of the server lacks {name}; it isn't CVAT, or a version that isn't known here.")
    return found


def optional(value: Any, name: str, kind: type[T]) -> T | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, kind) else None


def _plain(kind: str, value: Any) -> Shape:
    return Shape(kind, need(value, "frame", int), need(value, "label_id", int), id=optional(value, "id", int))


def _shape(value: Any) -> Shape:
    points: Sequence[float] = optional(value, "points", list) or ()
    return Shape(
        need(value, "type", str),
        need(value, "frame", int),
        need(value, "label_id", int),
        points,
        optional(value, "z_order", int) or 0,
        float(optional(value, "rotation", float) or optional(value, "rotation", int) or 0),
        optional(value, "id", int),
    )
