"""What is done with projects, tasks and jobs, one small function a step.

Each step can be asked about again: a project and a task are found by name, so a flow that was killed between a step
and its row finds out what the server has before it does anything twice.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise

from app.cvat.answers import (
    Frame,
    Job,
    Label,
    Project,
    Task,
    frames_of,
    job_of,
    label_of,
    optional,
    project_of,
    results,
    shapes_of,
    task_of,
)
from app.cvat.connection import JSON, Connection, Query
from app.cvat.errors import CountDiffers, Missing, Rejected, ServerFailed
from app.cvat.servers import Server
from app.cvat.shapes import Shape
from app.cvat.wire import LabelSpec

_PAGE = 100
# Labels that masks can be drawn with.
_FIT = frozenset(("mask", "any"))
_MOST_PAGES = 1000


def find_projects(connection: Connection, name: str) -> list[Project]:
    """Projects of exactly that name, oldest first; nothing keeps people from having two."""
    found = [project_of(one) for one in _all(connection, "/api/projects", [("name", name)])]
    return sorted((one for one in found if one.name == name), key=lambda one: one.id)


def create_project(connection: Connection, name: str, labels: Iterable[LabelSpec]) -> Project:
    value = {"name": name, "labels": [_label(one) for one in labels]}
    return project_of(connection.send("POST", "/api/projects", value))


def ensure_project(connection: Connection, name: str, labels: Iterable[LabelSpec], known: int | None) -> Project:
    """The project ``known`` by its id, else the oldest of that name, else a new one. Of two pushes that each make one
    at the same moment the later takes its own away again."""
    found = find_projects(connection, name)
    if found:
        return next((one for one in found if one.id == known), found[0])
    made = create_project(connection, name, labels)
    oldest = next(iter(find_projects(connection, name)), made)
    if oldest.id < made.id:
        connection.call("DELETE", f"/api/projects/{made.id}")
        return oldest
    return made


def labels_of(connection: Connection, *, project: int | None = None, task: int | None = None) -> list[Label]:
    """The labels of a project or task; to be read anew at every pull, since people rename and add them."""
    query: Query = [("project_id", project)] if project is not None else [("task_id", task or 0)]
    return [label_of(one) for one in _all(connection, "/api/labels", query)]


def ensure_labels(connection: Connection, project: int, wanted: Iterable[LabelSpec]) -> dict[int, int]:
    """Class id -> label id, with labels added that the project lacks and colours as they are wanted; labels of other
    names stay as they are.

    Raises Rejected where a label of that name is for something other than masks.
    """
    specs = list(wanted)
    known = {one.name: one for one in labels_of(connection, project=project)}
    missing = [one for one in specs if one.name not in known]
    if missing:
        added = {"labels": [_label(one) for one in missing]}
        refusal = None
        try:
            connection.send("PATCH", f"/api/projects/{project}", added, repeat=False)
        except Rejected as error:  # perhaps another push was quicker
            refusal = error
        known = {one.name: one for one in labels_of(connection, project=project)}
        if refusal is not None and any(one.name not in known for one in missing):
            raise refusal
    out = {}
    for spec in specs:
        label = known.get(spec.name)
        if label is None or label.kind not in _FIT:
            kind = f"is for {label.kind}" if label else "could not be added"
            raise Rejected(f"Label {spec.name} of the CVAT project {kind}; make it a label for masks.")
        if label.colour.lower() != spec.colour:
            # CVAT forgets the colour of a label that is sent with its name alone, so both go
            value = {"name": spec.name, "color": spec.colour}
            connection.send("PATCH", f"/api/labels/{label.id}", value, repeat=True)
        out[spec.class_id] = label.id
    return out


def find_tasks(connection: Connection, project: int, name: str) -> list[Task]:
    """Tasks of a project with exactly that name, oldest first."""
    found = [task_of(one) for one in _all(connection, "/api/tasks", [("project_id", project), ("name", name)])]
    return sorted((one for one in found if one.name == name and one.project == project), key=lambda one: one.id)


def create_task(connection: Connection, project: int, name: str, segment_size: int) -> Task:
    """A task without data; jobs of ``segment_size`` frames that don't overlap, since shapes on shared frames double."""
    value = {"name": name, "project_id": project, "segment_size": segment_size, "overlap": 0}
    return task_of(connection.send("POST", "/api/tasks", value))


def task(connection: Connection, id: int) -> Task:
    """Raises Missing."""
    return task_of(connection.get(f"/api/tasks/{id}"))


def delete_task(connection: Connection, id: int) -> bool:
    """Whether it was there; a task that is gone already is no error."""
    try:
        connection.call("DELETE", f"/api/tasks/{id}")
    except Missing:
        return False
    return True


def delete_tasks(connection: Connection, project: int, name: str) -> None:
    """Takes all tasks of that name out of a project. Where one is said to be gone, the list is asked too: what stands
    before a server may say so of anything. Raises ServerFailed where it is still there."""
    deleted = [delete_task(connection, one.id) for one in find_tasks(connection, project, name)]
    if not all(deleted) and find_tasks(connection, project, name):
        raise ServerFailed(f"CVAT {connection.server.name} keeps task {name} that was to be deleted; try again later.")


def jobs_of(connection: Connection, task: int) -> list[Job]:
    """A task's jobs by first frame. Ground truth and consensus jobs are among them: their shapes aren't the task's."""
    found = [job_of(one) for one in _all(connection, "/api/jobs", [("task_id", task)])]
    return sorted(found, key=lambda one: (one.start, one.id))


def frames(connection: Connection, task: int) -> tuple[Frame, ...]:
    """A task's pictures by number, deleted ones too. Raises Rejected or NotCvat for a task without data."""
    return frames_of(connection.get(f"/api/tasks/{task}/data/meta"))


def frame_bytes(connection: Connection, task: int, number: int) -> bytes:
    """A picture as CVAT keeps it, which is as it was uploaded."""
    query: Query = [("number", number), ("quality", "original"), ("type", "frame")]
    return connection.call("GET", f"/api/tasks/{task}/data/", query=query).body


def put_annotations(connection: Connection, task: int, body: bytes) -> None:
    """Replaces all annotations of a task, whole or not at all (``wire.body``). Never to be done twice without a look
    at ``shapes``: it would take away what people have drawn since."""
    connection.call("PUT", f"/api/tasks/{task}/annotations/", body=body, content_type=JSON)


def shapes(connection: Connection, *, task: int | None = None, job: int | None = None) -> tuple[Shape, ...]:
    """All shapes of a task or job in the server's order, those on deleted frames too."""
    path = f"/api/tasks/{task}" if task is not None else f"/api/jobs/{job}"
    return shapes_of(connection.get(f"{path}/annotations/"))


def check_count(got: Iterable[Shape], sent: Mapping[int, int]) -> None:
    """``sent``: frame -> shapes that were put there. Raises CountDiffers naming the first frame that differs."""
    held: dict[int, int] = {}
    for shape in got:
        held[shape.frame] = held.get(shape.frame, 0) + 1
    for frame in sorted({*held, *sent}):
        if held.get(frame, 0) != sent.get(frame, 0):
            raise CountDiffers(
                f"CVAT holds {held.get(frame, 0)} shapes on frame {frame}, {sent.get(frame, 0)} were sent; "
                "the push is not complete."
            )


def holds_any(got: Iterable[Shape], sent: Iterable[tuple[int, Iterable[bytes]]]) -> bool:
    """Whether a task holds at least one of the shapes that were to be put there, just as ``wire`` wrote it. Since they
    are put all at once, one says that all had arrived; what differs since is people's work.

    ``sent``: frame -> its shapes.
    """
    held: dict[tuple[int, int], list[Shape]] = {}
    for one in got:
        held.setdefault((one.frame, one.label), []).append(one)
    return any(
        list(other.points) == shape["points"]
        for frame, shapes in sent
        for shape in map(json.loads, shapes)
        for other in held.get((frame, shape["label_id"]), ())
    )


def frames_in(jobs: Iterable[Job], finished: bool) -> frozenset[int]:
    """Frames of annotation jobs, of completed ones alone where ``finished``. Others aren't the task's annotations."""
    own = (one for one in jobs if one.kind == "annotation" and (one.state == "completed" or not finished))
    return frozenset(number for one in own for number in one.frames)


def job_with(jobs: Iterable[Job], frame: int) -> Job | None:
    """The annotation job that holds a frame, the first where several do."""
    return next((one for one in jobs if one.kind == "annotation" and frame in one.frames), None)


def overlapping(jobs: Iterable[Job]) -> list[tuple[Job, Job]]:
    """Neighbouring annotation jobs that share frames; their shapes come doubled, an edit in one misses the other."""
    own = [one for one in jobs if one.kind == "annotation"]
    return [(one, next_one) for one, next_one in pairwise(own) if next_one.start <= one.stop]


def job_url(server: Server, task: int, job: int) -> str:
    """Where a person opens a job."""
    return f"{server.url}/tasks/{task}/jobs/{job}"


def _label(spec: LabelSpec) -> dict[str, str]:
    return {"name": spec.name, "color": spec.colour, "type": "mask"}


def _all(connection: Connection, path: str, query: Query) -> Iterable[object]:
    """The entries of all pages."""
    for page in range(1, _MOST_PAGES):
        value = connection.get(path, [*query, ("page", page), ("page_size", _PAGE)])
        yield from results(value)
        if not optional(value, "next", str):
            return
