"""The stand-in's answers, route by route; imported for its effect on ``state.ROUTES``."""

import re

from tests.cvat.state import ABOUT, WHEN, Refuse, Reply, Request, State, route


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
    more = {"email": "admin@example.com", "groups": [state.group], "is_staff": True, "is_superuser": True}
    dates = {"is_active": True, "last_login": WHEN, "date_joined": WHEN, "has_analytics_access": True}
    return Reply(200, {**state.user(request.user or ""), **more, **dates})


@route("GET", "/api/memberships")
def memberships(state: State, request: Request, match: re.Match[str]) -> Reply:
    one = {"id": 1, "user": state.user(), "organization": 1, "is_active": True, "joined_date": WHEN}
    return state.page(request, [{**one, "role": state.role, "invitation": None}])


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
