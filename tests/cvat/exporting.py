"""The stand-in's exports and imports, by our own hand: they show that a test of them works, and prove nothing about a
server. Imported for its effect on ``state.ROUTES``."""

import re
import tempfile
import uuid
from pathlib import Path

from app.cvat.answers import shapes_of
from app.cvat.archives.base import ArchiveKind, Outgoing, stem
from app.cvat.archives.registry import read_archive, write_archive
from app.cvat.shapes import compose, ellipse_rule
from app.cvat.wire import LabelSpec
from app.domain.formats.source import open_source
from tests.cvat.drawing import checked
from tests.cvat.state import Reply, Request, State, picture_sizes, route


@route("POST", r"/api/tasks/(\d+)/dataset/export")
def export(state: State, request: Request, match: re.Match[str]) -> Reply:
    task = state.of("task", match[1])
    rq_id = f"action=export&target=task&target_id={task['id']}"
    state.requests[rq_id] = [0, "finished", "", task]
    return Reply(202, {"rq_id": rq_id})


@route("GET", r"/api/tasks/(\d+)/dataset/download")
def download(state: State, request: Request, match: re.Match[str]) -> Reply:
    task = state.of("task", match[1])
    labels = [one for one in state.labels.values() if one["project_id"] == task["project_id"]]
    specs = [LabelSpec(one["name"], one["color"], number) for number, one in enumerate(labels, start=1)]
    ids: dict[int, int | None] = {one["id"]: number for number, one in enumerate(labels, start=1)}
    held = shapes_of({"shapes": state.shapes[task["id"]], "tags": [], "tracks": []})
    major, minor = state.version.split(".")[:2]
    frames = []
    for number, picture in enumerate(picture_sizes(state, task["id"])):
        here = [one for one in held if one.frame == number]
        drawn = compose(here, ids, picture["height"], picture["width"], ellipse_rule((int(major), int(minor))))
        frames.append(Outgoing(picture["name"], drawn.mask, 0, ""))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        write_archive(path, ArchiveKind.MASKS, frames, specs)
        return Reply(200, path.read_bytes(), kind="application/zip")


@route("POST", r"/api/tasks/(\d+)/annotations/")
def post_annotations(state: State, request: Request, match: re.Match[str]) -> Reply:
    """An import: begun, a file that is announced, and its end."""
    task = state.of("task", match[1])
    if "upload-start" in request.headers:
        return Reply(202)
    if "upload-length" in request.headers:
        key = f"1_{uuid.uuid4()}"
        state.pieces[key] = (task["id"], key, int(request.headers["upload-length"]), b"")
        place = f"{state.url}/api/tasks/{task['id']}/annotations/{key}"
        return Reply(201, headers={"Location": place, "Upload-Filename": key, "Tus-Resumable": "1.0.0"})
    sizes = {stem(one["name"]): (number, one) for number, one in enumerate(picture_sizes(state, task["id"]))}
    labels = {one["name"]: id for id, one in state.labels.items() if one["project_id"] == task["project_id"]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "import.zip"
        path.write_bytes(state.uploads[task["id"]].pop(request.query["filename"]))
        source = open_source(path)
        archive = read_archive(source, {name: (one["width"], one["height"]) for name, (_, one) in sizes.items()})
        state.shapes[task["id"]] = [
            checked(
                state,
                task["id"],
                {
                    "type": shape.kind,
                    "frame": sizes[frame.name][0],
                    "label_id": labels[archive.labels[shape.label]],
                    "points": list(shape.points),
                    "z_order": shape.z_order,
                    "id": state.numbers.take("shape"),
                },
            )
            for frame in archive.frames()
            for shape in frame.shapes
        ]
        source.close()
    rq_id = f"action=import&target=task&target_id={task['id']}"
    state.requests[rq_id] = [0, "finished", "", task]
    return Reply(202, {"rq_id": rq_id})
