"""What a CVAT server keeps, and how it answers: projects, labels, tasks, jobs, uploads, annotations, requests.

Answers have the fields, texts and quirks of the recorded ones (2.54.1): a shape that is updated moves to the end and
keeps its id, shapes beyond the task are dropped without a word, a deleted label takes its shapes along, a renamed one
loses its colour.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from PIL import Image

ABOUT = {
    "name": "Computer Vision Annotation Tool",
    "description": "A stand-in for tests.",
    "version": "2.54.1",
    "logo_url": "/static/logo.svg",
    "subtitle": "Open Data Annotation Platform",
}
WHEN = "2026-11-22T08:50:57.401158Z"
Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """``path`` is decoded, ``headers`` are in lower case, ``user`` is None for nobody."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    user: str | None

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Reply:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/vnd.cvat+json"


class Refuse(Exception):
    """An answer other than the asked one."""

    def __init__(self, status: int, body: Any) -> None:
        self.reply = Reply(status, body)


@dataclass
class Numbers:
    """The next id of each kind."""

    project: int = 1
    label: int = 1
    task: int = 1
    job: int = 1
    shape: int = 1
    webhook: int = 1

    def take(self, kind: str) -> int:
        number: int = getattr(self, kind)
        setattr(self, kind, number + 1)
        return number


Route = Callable[["State", Request, re.Match[str]], Reply]
ROUTES: list[tuple[str, re.Pattern[str], Route]] = []


def route(method: str, pattern: str) -> Callable[[Route], Route]:
    def add(function: Route) -> Route:
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return add


class State:
    """Everything the server knows. ``polls``: how often a request is asked about before it is done; ``break_import``:
    what the next import fails with; ``half_imports``: how many imports end with the first half of their pictures alone
    (synthesised); ``forbidden``: "METHOD path" that this account may not; ``group`` and ``role``: its rights, on the
    server and in the organization (by the schema, not recorded but for admin)."""

    def __init__(
        self,
        numbers: Numbers | None = None,
        polls: int = 1,
        version: str = "2.54.1",
        group: str = "admin",
        role: str = "owner",
    ) -> None:
        self.numbers = numbers or Numbers()
        self.polls = polls
        self.version = version
        self.group, self.role = group, role
        self.url = ""
        self.users = {"admin": "admin-password"}
        self.tokens: dict[str, bool] = {"full.token": False, "reading.token": True}
        self.organizations = {"mars"}
        self.break_import: str | None = None
        self.half_imports = 0
        self.forbidden: str | None = None
        self.projects: dict[int, Json] = {}
        self.labels: dict[int, Json] = {}
        self.tasks: dict[int, Json] = {}
        self.jobs: dict[int, Json] = {}
        self.webhooks: dict[int, Json] = {}
        self.shapes: dict[int, list[Json]] = {}
        self.pictures: dict[int, list[tuple[str, bytes]]] = {}
        self.deleted: dict[int, list[int]] = {}
        self.uploads: dict[int, dict[str, bytes]] = {}
        self.pieces: dict[str, tuple[int, str, int, bytes]] = {}
        self.requests: dict[str, list[Any]] = {}

    def handle(self, request: Request) -> Reply:
        for method, pattern, function in ROUTES:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                self._admit(request)
                try:
                    return function(self, request, match)
                except Refuse as refusal:
                    return refusal.reply
        if any(pattern.fullmatch(request.path) for _, pattern, _ in ROUTES):
            return Reply(405, {"detail": f'Method "{request.method}" not allowed.'})
        return Reply(404, {"detail": "Not found."})

    def _admit(self, request: Request) -> None:
        if request.path in ("/api/server/about", "/api/auth/login"):
            return
        if request.user is None:
            raise Refuse(401, {"detail": "Authentication credentials were not provided."})
        slug = request.headers.get("x-organization") or request.query.get("org")
        if slug and slug not in self.organizations:
            raise Refuse(404, {"detail": f"{slug} organization does not exist."})
        if f"{request.method} {request.path}" == self.forbidden:
            raise Refuse(403, {"detail": "You do not have permission to perform this action."})
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(bearer) and request.method not in ("GET", "HEAD"):
            raise Refuse(403, {"detail": "You do not have permission to perform this action."})

    def of(self, kind: str, id: str) -> Json:
        found: Json | None = getattr(self, f"{kind}s").get(int(id))
        if found is None:
            raise Refuse(404, {"detail": f"No {kind.capitalize()} matches the given query."})
        return found

    def user(self, name: str = "admin") -> Json:
        return {"url": f"{self.url}/api/users/1", "id": 1, "username": name, "first_name": "", "last_name": ""}

    def add_label(self, spec: Json, project: int) -> None:
        taken = {one["name"] for one in self.labels.values() if one["project_id"] == project}
        if spec["name"] in taken:
            raise Refuse(400, ["All label names must be unique"])
        id = self.numbers.take("label")
        self.labels[id] = {
            "id": id,
            "name": spec["name"].strip(),
            "color": spec.get("color") or "#4a539b",
            "attributes": [],
            "type": spec.get("type", "any"),
            "sublabels": [],
            "project_id": project,
            "parent_id": None,
            "has_parent": False,
        }

    def page(self, request: Request, found: list[Json]) -> Reply:
        size, number = int(request.query.get("page_size", 10)), int(request.query.get("page", 1))
        part = found[(number - 1) * size : number * size]
        more = number * size < len(found)
        following = f"{self.url}{request.path}?page={number + 1}&page_size={size}" if more else None
        return Reply(200, {"count": len(found), "next": following, "previous": None, "results": part})

    def import_data(self, task: Json) -> None:
        """The server's own work, once a request has been asked about often enough."""
        files = self.uploads.pop(task["id"], {})
        found: list[tuple[str, bytes]] = []
        for name, data in files.items():
            if name.endswith(".zip"):
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    found += [(one, archive.read(one)) for one in archive.namelist() if not one.endswith("/")]
            else:
                found.append((name.rpartition("/")[2], data))
        if not found:
            raise ValueError("No media data found")
        found.sort(key=lambda one: one[0].encode())
        if self.half_imports:
            self.half_imports -= 1
            found = found[: -(-len(found) // 2)]
        self.pictures[task["id"]], self.deleted[task["id"]], self.shapes[task["id"]] = found, [], []
        size = len(found)
        task |= {"size": size, "mode": "annotation", "data": task["id"], "image_quality": 100, "updated_date": WHEN}
        task |= {
            "data_chunk_size": 72,
            "data_original_chunk_type": "imageset",
            "data_compressed_chunk_type": "imageset",
        }
        task |= {"data_cloud_storage_id": None}
        segment = task["segment_size"] or size
        for start in range(0, size, segment):
            id = self.numbers.take("job")
            self.jobs[id] = self.job(id, task, start, min(start + segment, size) - 1)
        task["segment_size"] = segment
        task["jobs"] = {**task["jobs"], "count": -(-size // segment)}

    def job(self, id: int, task: Json, start: int, stop: int, kind: str = "annotation") -> Json:
        return {
            "url": f"{self.url}/api/jobs/{id}", "id": id, "task_id": task["id"], "project_id": task["project_id"],
            "assignee": None, "guide_id": None, "dimension": "2d", "bug_tracker": "", "status": "annotation",
            "stage": "annotation", "state": "new", "mode": "annotation", "frame_count": stop - start + 1,
            "start_frame": start, "stop_frame": stop, "data_chunk_size": 72, "data_compressed_chunk_type": "imageset",
            "data_original_chunk_type": "imageset", "created_date": WHEN, "updated_date": WHEN,
            "issues": {"url": f"{self.url}/api/issues?job_id={id}", "count": 0},
            "labels": {"url": f"{self.url}/api/labels?job_id={id}"}, "type": kind, "organization": None,
            "target_storage": None, "source_storage": None, "assignee_updated_date": None, "parent_job_id": None,
            "consensus_replicas": 0,
        }  # fmt: skip


def picture_sizes(state: State, task: int) -> list[Json]:
    out = []
    for name, data in state.pictures[task]:
        with Image.open(io.BytesIO(data)) as image:
            size = {"width": image.width, "height": image.height}
        out.append({**size, "name": name, "related_files": 0, "has_related_context": False})
    return out


def path_id(match: re.Match[str]) -> str:
    return unquote(match[1])
