"""The stand-in's answers, route by route; imported for its effect on ``state.ROUTES``."""

import base64
import email.parser
import email.policy
import re
import uuid

from tests.cvat.state import ABOUT, WHEN, Refuse, Reply, Request, State, path_id, picture_sizes, route


@route("GET", "/api/server/about")
def about(state: State, request: Request, match: re.Match[str]) -> Reply:
    return Reply(200, {**ABOUT, "version": state.version, "logo_url": f"{state.url}/static/logo.svg"})


@route("POST", "/api/auth/login")
def login(state: State, request: Request, match: re.Match[str]) -> Reply:
    given = request.json()
    if state.users.get(given.get("username")) != given.get("password"):
        return Reply(400, {"non_field_errors": ["Unable to log in with provided credentials."]})
    return Reply(200, {"key": "0123456789abcdef" * 2 + "01234567"}, {"Set-Cookie": "sessionid=s; Path=/"})


@route("POST", "/api/auth/logout")
def logout(state: State, request: Request, match: re.Match[str]) -> Reply:
    return Reply(200, {"detail": "Successfully logged out."})


@route("GET", "/api/users/self")
def users_self(state: State, request: Request, match: re.Match[str]) -> Reply:
    more = {"email": "admin@example.com", "groups": ["admin"], "is_staff": True, "is_superuser": True}
    dates = {"is_active": True, "last_login": WHEN, "date_joined": WHEN, "has_analytics_access": True}
    return Reply(200, {**state.user(request.user or ""), **more, **dates})


@route("GET", "/api/auth/access_tokens/self")
def token_self(state: State, request: Request, match: re.Match[str]) -> Reply:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Reply(200, {"id": 1, "name": "test", "read_only": state.tokens[bearer], "owner": state.user()})


@route("GET", "/api/projects")
def list_projects(state: State, request: Request, match: re.Match[str]) -> Reply:
    name = request.query.get("name")
    found = [one for one in state.projects.values() if name is None or one["name"] == name]
    return state.page(request, found[::-1])


@route("POST", "/api/projects")
def create_project(state: State, request: Request, match: re.Match[str]) -> Reply:
    given, id = request.json(), state.numbers.take("project")
    state.projects[id] = {
        "url": f"{state.url}/api/projects/{id}", "id": id, "name": given["name"].strip(), "owner": state.user(),
        "assignee": None, "guide_id": None, "bug_tracker": "", "created_date": WHEN, "updated_date": WHEN,
        "status": "annotation", "dimension": None, "organization": None, "organization_id": None,
        "target_storage": None, "source_storage": None,
        "tasks": {"count": 0, "url": f"{state.url}/api/tasks?project_id={id}"},
        "labels": {"url": f"{state.url}/api/labels?project_id={id}"}, "assignee_updated_date": None,
        "task_subsets": [],
    }  # fmt: skip
    for spec in given.get("labels", []):
        state.add_label(spec, id)
    return Reply(201, state.projects[id])


@route("PATCH", r"/api/projects/(\d+)")
def patch_project(state: State, request: Request, match: re.Match[str]) -> Reply:
    project = state.of("project", match[1])
    for spec in request.json().get("labels", []):
        state.add_label(spec, project["id"])
    return Reply(200, project)


@route("DELETE", r"/api/projects/(\d+)")
def delete_project(state: State, request: Request, match: re.Match[str]) -> Reply:
    del state.projects[state.of("project", match[1])["id"]]
    return Reply(204)


@route("GET", "/api/labels")
def list_labels(state: State, request: Request, match: re.Match[str]) -> Reply:
    if "task_id" in request.query:
        project = state.of("task", request.query["task_id"])["project_id"]
    else:
        project = state.of("project", request.query["project_id"])["id"]
    return state.page(request, [one for one in state.labels.values() if one["project_id"] == project])


@route("PATCH", r"/api/labels/(\d+)")
def rename_label(state: State, request: Request, match: re.Match[str]) -> Reply:
    label = state.of("label", match[1])
    label |= {"color": "#4a539b", **request.json()}
    return Reply(200, label)


@route("DELETE", r"/api/labels/(\d+)")
def delete_label(state: State, request: Request, match: re.Match[str]) -> Reply:
    gone = state.of("label", match[1])["id"]
    del state.labels[gone]
    for task, shapes in state.shapes.items():
        state.shapes[task] = [one for one in shapes if one["label_id"] != gone]
    return Reply(204)


@route("GET", "/api/tasks")
def list_tasks(state: State, request: Request, match: re.Match[str]) -> Reply:
    wanted = {key: value for key, value in request.query.items() if key in ("name", "project_id")}
    found = [one for one in state.tasks.values() if all(str(one[key]) == value for key, value in wanted.items())]
    return state.page(request, found[::-1])


@route("POST", "/api/tasks")
def create_task(state: State, request: Request, match: re.Match[str]) -> Reply:
    given = request.json()
    project, id = state.of("project", str(given["project_id"])), state.numbers.take("task")
    state.tasks[id] = {
        "url": f"{state.url}/api/tasks/{id}", "id": id, "name": given["name"].strip(), "project_id": project["id"],
        "mode": "", "owner": state.user(), "assignee": None, "bug_tracker": "", "created_date": WHEN,
        "updated_date": WHEN, "overlap": given.get("overlap", 0), "segment_size": given.get("segment_size", 0),
        "status": "annotation", "guide_id": None, "dimension": "2d", "subset": "", "organization_id": None,
        "organization": None, "target_storage": None, "source_storage": None,
        "jobs": {"count": 0, "completed": 0, "validation": 0, "url": f"{state.url}/api/jobs?task_id={id}"},
        "labels": {"url": f"{state.url}/api/labels?task_id={id}"}, "assignee_updated_date": None,
        "validation_mode": None, "consensus_enabled": False,
    }  # fmt: skip
    return Reply(201, state.tasks[id])


@route("GET", r"/api/tasks/(\d+)")
def get_task(state: State, request: Request, match: re.Match[str]) -> Reply:
    return Reply(200, state.of("task", match[1]))


@route("DELETE", r"/api/tasks/(\d+)")
def delete_task(state: State, request: Request, match: re.Match[str]) -> Reply:
    id = state.of("task", match[1])["id"]
    del state.tasks[id]
    for one in [state.shapes, state.pictures, state.deleted, state.uploads]:
        one.pop(id, None)  # type: ignore[attr-defined]
    state.jobs = {key: job for key, job in state.jobs.items() if job["task_id"] != id}
    return Reply(204)


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


@route("PATCH", r"/api/tasks/\d+/data/(1_[^/]+)")
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
    data = state.pictures[state.of("task", match[1])["id"]][int(request.query["number"])][1]
    return Reply(200, data, kind="image/png")


@route("GET", "/api/webhooks")
def list_webhooks(state: State, request: Request, match: re.Match[str]) -> Reply:
    return state.page(request, list(state.webhooks.values()))


@route("POST", "/api/webhooks")
def create_webhook(state: State, request: Request, match: re.Match[str]) -> Reply:
    id = state.numbers.take("webhook")
    given = {key: value for key, value in request.json().items() if key != "secret"}
    usual = {"description": "", "content_type": "application/json", "is_active": True, "organization": None}
    dates = {"created_date": WHEN, "updated_date": WHEN, "owner": state.user()}
    state.webhooks[id] = {**usual, **dates, **given, "id": id, "url": f"{state.url}/api/webhooks/{id}"}
    return Reply(201, state.webhooks[id])


@route("PUT", r"/api/webhooks/(\d+)")
def put_webhook(state: State, request: Request, match: re.Match[str]) -> Reply:
    hook = state.of("webhook", match[1])
    hook |= {key: value for key, value in request.json().items() if key != "secret"}
    return Reply(200, hook)


@route("DELETE", r"/api/webhooks/(\d+)")
def delete_webhook(state: State, request: Request, match: re.Match[str]) -> Reply:
    del state.webhooks[state.of("webhook", match[1])["id"]]
    return Reply(204)


@route("GET", "/api/jobs")
def list_jobs(state: State, request: Request, match: re.Match[str]) -> Reply:
    wanted = {key: value for key, value in request.query.items() if key in ("task_id", "state", "stage", "type")}
    found = [one for one in state.jobs.values() if all(str(one[key]) == value for key, value in wanted.items())]
    return state.page(request, found[::-1])


@route("GET", r"/api/jobs/(\d+)")
def get_job(state: State, request: Request, match: re.Match[str]) -> Reply:
    return Reply(200, state.of("job", match[1]))


@route("PATCH", r"/api/jobs/(\d+)")
def patch_job(state: State, request: Request, match: re.Match[str]) -> Reply:
    job, given = state.of("job", match[1]), request.json()
    if "status" in given:
        raise Refuse(403, {"detail": "Attempted to update an unknown field"})
    if "stage" in given and "state" not in given:
        given["state"] = "new"
    job |= given
    accepted = job["stage"] == "acceptance" and job["state"] == "completed"
    job["status"] = "completed" if accepted else "annotation"
    return Reply(200, job)


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
