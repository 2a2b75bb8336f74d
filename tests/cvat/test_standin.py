"""The stand-in answers as the real server did, request by request, as far as it plays it."""

import json
import re
from typing import Any

import pytest
import urllib3

from tests.cvat.recorded import Exchange, traffic
from tests.cvat.schema import Schema, Unlawful
from tests.cvat.standin import running
from tests.cvat.state import Numbers, State
from tests.shared import shared

# Steps that the stand-in doesn't play: CVAT's own formats, its list of them, and tokens.
_NOT_PLAYED = re.compile(r"export|import|format|access token|outsider|malformed|media type|twice|old|request id")
# What differs from run to run, or between servers.
_VOLATILE = re.compile(r"(^|_)(date|dates|url|login|joined|key|description|message)$")


def played(name: str) -> list[Exchange]:
    return [one for one in traffic(name) if not _NOT_PLAYED.search(one.step) or "login" in one.step]


def steady(value: Any) -> Any:
    """An answer without moments and addresses; numbers as numbers."""
    if isinstance(value, dict):
        return {key: steady(one) for key, one in value.items() if not _VOLATILE.search(key)}
    if isinstance(value, list):
        return [steady(one) for one in value]
    return value


def after_edits(one: Exchange) -> bool:
    """The recording imported other annotations before it looked at these."""
    return one.step == "delete a label" and one.method == "GET"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("traffic_sdk2.80.0.jsonl", Numbers(project=43, label=149, task=38, job=43, shape=149397, webhook=5)),
        ("traffic.jsonl", Numbers(project=42, label=145, task=37, job=41, shape=149352, webhook=4)),
    ],
)
def test_the_recorded_traffic_replayed(name: str, first: Numbers) -> None:
    pool = urllib3.PoolManager()
    steps = played(name)
    started = sum(isinstance(one.answer, dict) and one.answer.get("status") == "started" for one in steps)
    state, seen = State(first, polls=started), 0
    with running(state) as standin:
        for one in steps:
            if after_edits(one):
                continue
            seen += 1
            headers = {key: value for key, value in one.headers.items() if key.startswith(("content-t", "upload"))}
            if "/auth/login" not in one.path:
                headers["authorization"] = "Bearer full.token"
            body = one.body
            if isinstance(body, dict):
                body = {**body, "password": "admin-password"} if body.get("password") == "<redacted>" else body
                answer = pool.request(one.method, standin.url + _target(one), headers=headers, json=body)
            else:
                answer = pool.request(one.method, standin.url + _target(one), headers=headers, body=body)
            assert answer.status == one.status, (one.step, answer.data)
            if isinstance(one.answer, (dict, list)):
                got, wanted = steady(answer.json()), steady(one.answer)
                assert got == wanted, one.step
            elif isinstance(one.answer, bytes):
                assert answer.data == one.answer, one.step
    pool.clear()
    assert seen > 30


def _target(one: Exchange) -> str:
    return one.path + ("?" + "&".join(f"{name}={value}" for name, value in one.query) if one.query else "")


@pytest.mark.parametrize("name", ["traffic.jsonl", "traffic_sdk2.80.0.jsonl"])
def test_every_recorded_request_is_lawful(name: str) -> None:
    """So that the check of requests refuses nothing that the real server took."""
    schema = Schema(shared("cvat/openapi.yml"))
    for one in traffic(name):
        body = json.dumps(one.body).encode() if isinstance(one.body, (dict, list)) else one.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        schema.check(one.method, one.path, one.query, one.headers.get("content-type", "").split(";")[0], body)


@pytest.mark.parametrize(
    ("method", "path", "query", "kind", "body", "reason"),
    [
        ("GET", "/api/nothing", [], "", b"", "not in the schema"),
        ("DELETE", "/api/server/about", [], "", b"", "not in the schema"),
        ("GET", "/api/tasks", [("colour", "1")], "", b"", "no query parameter colour"),
        ("GET", "/api/tasks", [("page", "one")], "", b"", "no integer"),
        ("PUT", "/api/tasks/1/annotations/", [], "text/plain", b"x", "not text/plain"),
        ("PUT", "/api/tasks/1/annotations/", [], "application/json", b"{", "no JSON"),
        ("PUT", "/api/tasks/1/annotations/", [], "application/json", b'{"shapes":[{"frame":-1}]}', "required"),
    ],
)
def test_unlawful_requests_are_found(
    method: str, path: str, query: list[tuple[str, str]], kind: str, body: bytes, reason: str
) -> None:
    with pytest.raises(Unlawful, match=reason):
        Schema(shared("cvat/openapi.yml")).check(method, path, query, kind, body)
