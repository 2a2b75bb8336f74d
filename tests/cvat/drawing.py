"""The stand-in's answers about annotations; imported for its effect on ``state.ROUTES``."""

import re
from typing import Any

from tests.cvat.state import Json, Refuse, Reply, Request, State, route

_MINIMUM = {"mask": 5, "polygon": 6, "rectangle": 4, "ellipse": 4, "points": 2, "polyline": 4, "cuboid": 16}


@route("GET", r"/api/(tasks|jobs)/(\d+)/annotations/")
def get_annotations(state: State, request: Request, match: re.Match[str]) -> Reply:
    task, span = target(state, match)
    order = ("id", "label_id", "type", "frame", "group", "source", "occluded", "outside", "z_order", "rotation")
    here = [{key: one[key] for key in (*order, "points", "attributes", "elements")} for one in state.shapes[task]]
    return Reply(200, {"version": 0, "tags": [], "shapes": [one for one in here if one["frame"] in span], "tracks": []})


@route("PUT", r"/api/(tasks|jobs)/(\d+)/annotations/")
def put_annotations(state: State, request: Request, match: re.Match[str]) -> Reply:
    task, span = target(state, match)
    made = [checked(state, task, one) for one in request.json().get("shapes", [])]
    kept = [one for one in state.shapes[task] if one["frame"] not in span]
    for one in made:
        one["id"] = state.numbers.take("shape")
    state.shapes[task] = kept + [one for one in made if one["frame"] < len(state.pictures[task])]
    return Reply(200, {"version": 0, "tags": [], "shapes": made, "tracks": []})


@route("PATCH", r"/api/(tasks|jobs)/(\d+)/annotations/")
def patch_annotations(state: State, request: Request, match: re.Match[str]) -> Reply:
    task, _ = target(state, match)
    action, given = request.query["action"], request.json().get("shapes", [])
    ids = {one.get("id") for one in given}
    if action in ("update", "delete"):
        state.shapes[task] = [one for one in state.shapes[task] if one["id"] not in ids]
    made = [checked(state, task, one) for one in given] if action != "delete" else []
    for one in made:
        one["id"] = one.get("id") or state.numbers.take("shape")
    state.shapes[task] += made
    return Reply(200, {"version": 0, "tags": [], "shapes": made, "tracks": []})


def target(state: State, match: re.Match[str]) -> tuple[int, range]:
    """The task and the frames that an address speaks of."""
    if match[1] == "tasks":
        task = state.of("task", match[2])["id"]
        return task, range(1 << 40)
    job = state.of("job", match[2])
    return job["task_id"], range(job["start_frame"], job["stop_frame"] + 1)


def checked(state: State, task: int, given: Json) -> Json:
    """A shape as it is kept. The server checks almost nothing, and so does this."""
    project = state.tasks[task]["project_id"]
    label = state.labels.get(given["label_id"])
    if label is None or label["project_id"] != project:
        raise Refuse(400, [f"label_id `{given['label_id']}` is invalid"])
    if len(given.get("points", [])) < _MINIMUM.get(given["type"], 0):
        raise Refuse(400, {"shapes": [{"points": [f"invalid length for shape type '{given['type']}'"]}]})
    if given["frame"] < 0:
        raise Refuse(400, {"shapes": [{"frame": ["Ensure this value is greater than or equal to 0."]}]})
    usual: dict[str, Any] = {"occluded": False, "outside": False, "z_order": 0, "rotation": 0.0, "group": None}
    shape = {**usual, "source": "manual", "attributes": [], "elements": [], **given}
    shape["points"] = [float(one) for one in given.get("points", [])]
    return shape
