"""The stand-in's mask exports, drawn by our own hand: they show that a test of exports works, and prove nothing about a
server. Imported for its effect on ``state.ROUTES``."""

import re
import tempfile
from pathlib import Path

from app.cvat.answers import shapes_of
from app.cvat.archives.base import ArchiveKind, Outgoing
from app.cvat.archives.registry import write_archive
from app.cvat.shapes import compose, ellipse_rule
from app.cvat.wire import LabelSpec
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
