"""The stand-in's answers about pictures and uploads; imported for its effect on ``state.ROUTES``."""

import base64
import email.parser
import email.policy
import io
import re
import uuid
import zipfile

from tests.cvat.state import WHEN, Refuse, Reply, Request, State, path_id, picture_sizes, route


@route("POST", r"/api/tasks/(\d+)/data/")
def post_data(state: State, request: Request, match: re.Match[str]) -> Reply:
    task = state.of("task", match[1])
    if task["id"] in state.pictures:
        raise Refuse(400, ["Adding more data is not supported"])
    files = state.uploads.setdefault(task["id"], {})
    headers = request.headers
    if "upload-start" in headers:
        return Reply(202)
    if "upload-multiple" in headers:
        for name, data in form_files(headers["content-type"], request.body):
            if name in files:
                raise Refuse(500, "IntegrityError")
            files[name] = data
        return Reply(200)
    if "upload-length" in headers:
        if "origin" not in headers:
            raise Refuse(500, "TypeError: unsupported operand")  # by CVAT's source; not recorded
        name = base64.b64decode(headers["upload-metadata"].split()[1]).decode()
        key = f"1_{uuid.uuid4()}"
        state.pieces[key] = (task["id"], name, int(headers["upload-length"]), b"")
        place = f"{state.url}/api/tasks/{task['id']}/data/{key}"
        return Reply(201, headers={"Location": place, "Upload-Filename": key, "Tus-Resumable": "1.0.0"})
    rq_id = f"action=create&target=task&target_id={task['id']}"
    state.requests[rq_id] = [0, "started", "", task]
    return Reply(202, {"rq_id": rq_id})


@route("PATCH", r"/api/tasks/\d+/(?:data|annotations)/(1_[^/]+)")
def patch_piece(state: State, request: Request, match: re.Match[str]) -> Reply:
    if match[1] not in state.pieces:
        return Reply(404)
    task, name, length, data = state.pieces[match[1]]
    if int(request.headers["upload-offset"]) != len(data):
        return Reply(409, headers={"Upload-Offset": str(len(data))})
    data += request.body
    state.pieces[match[1]] = (task, name, length, data)
    if len(data) == length:
        state.uploads.setdefault(task, {})[name] = data
        del state.pieces[match[1]]
    return Reply(204, headers={"Upload-Offset": str(len(data)), "Tus-Resumable": "1.0.0"})


@route("HEAD", r"/api/tasks/\d+/data/(1_[^/]+)")
def head_piece(state: State, request: Request, match: re.Match[str]) -> Reply:
    if match[1] not in state.pieces:
        return Reply(404)  # complete, and renamed
    return Reply(200, headers={"Upload-Offset": str(len(state.pieces[match[1]][3])), "Tus-Resumable": "1.0.0"})


@route("GET", r"/api/requests/(.+)")
def get_request(state: State, request: Request, match: re.Match[str]) -> Reply:
    rq_id = path_id(match)
    if rq_id not in state.requests:
        return Reply(404, "There is no request with specified id", kind="text/plain")
    entry = state.requests[rq_id]
    entry[0] += 1
    task = entry[3]
    if entry[1] == "started" and entry[0] > state.polls:
        try:
            if state.break_import:
                raise ValueError(state.break_import)
            state.import_data(task)
            entry[1] = "finished"
        except ValueError as error:
            entry[1:3] = ["failed", f"cvat.apps.engine.task.ValidationError: {error}"]
            state.break_import = None
    running = entry[1] == "started"
    return Reply(200, {
        "status": entry[1], "message": "Media files are being extracted..." if running else entry[2], "id": rq_id,
        "operation": {"type": "create:task", "target": "task", "project_id": task["project_id"],
                      "task_id": task["id"], "job_id": None, "format": None, "lightweight": None},
        "progress": 0.0, "created_date": WHEN, "started_date": WHEN, "finished_date": None if running else WHEN,
        "expiry_date": None, "owner": {"id": 1, "username": "admin"}, "result_url": None,
        "result_id": None,
    })  # fmt: skip


@route("GET", r"/api/tasks/(\d+)/data/meta")
def get_meta(state: State, request: Request, match: re.Match[str]) -> Reply:
    id = state.of("task", match[1])["id"]
    if id not in state.pictures:
        raise Refuse(400, ["Task has no data"])
    found = picture_sizes(state, id)
    return Reply(200, {
        "chapters": None, "chunks_updated_date": WHEN, "chunk_size": 72, "size": len(found), "image_quality": 100,
        "start_frame": 0, "stop_frame": len(found) - 1, "frame_filter": "", "frames": found,
        "deleted_frames": state.deleted[id], "included_frames": None, "storage": "local", "cloud_storage_id": None,
    })  # fmt: skip


@route("PATCH", r"/api/tasks/(\d+)/data/meta")
def patch_meta(state: State, request: Request, match: re.Match[str]) -> Reply:
    state.deleted[state.of("task", match[1])["id"]] = request.json()["deleted_frames"]
    return get_meta(state, request, match)


@route("GET", r"/api/tasks/(\d+)/data/")
def get_frame(state: State, request: Request, match: re.Match[str]) -> Reply:
    task, number = state.of("task", match[1]), int(request.query["number"])
    pictures = state.pictures[task["id"]]
    if request.query["type"] == "chunk":
        out, size = io.BytesIO(), task["data_chunk_size"]
        with zipfile.ZipFile(out, "w") as archive:
            for at, (name, data) in enumerate(pictures[number * size : (number + 1) * size]):
                archive.writestr(f"{at:06}.{name.rpartition('.')[2]}", data)
        return Reply(200, out.getvalue(), kind="application/zip")
    return Reply(200, pictures[number][1], kind="image/png")


def form_files(kind: str, body: bytes) -> list[tuple[str, bytes]]:
    """The files of a multipart form."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    out = []
    for part in message.iter_parts():
        name = part.get_filename()
        if name is not None:
            payload = part.get_payload(decode=True)
            out.append((name, payload if isinstance(payload, bytes) else b""))
    return out
