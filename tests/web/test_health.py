"""What machines ask: health, figures, and the id that every answer carries."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app import logs
from app.store import jobs, workers
from app.store.db import Database

SECRET = "a secret of many letters"  # noqa: S105


def figures(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def named(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_health_tells_whether_a_worker_was_seen(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/healthz").json() | {"version": ""} == {
        "status": "waiting",
        "database": "ok",
        "workers": 0,
        "version": "",
    }
    pulse = workers.Pulse(tmp_path, "worker")
    pulse.beat()
    assert client.get("/healthz").json()["status"] == "ok"
    pulse.end()
    assert client.get("/healthz").json()["workers"] == 0


def test_health_says_so_where_the_database_does_not_answer(client: TestClient, db: Database) -> None:
    with db.write() as session:
        session.execute(text("ALTER TABLE job RENAME TO gone"))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "The database can't be used" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_health_needs_no_token_and_figures_do(serve: Callable[..., TestClient]) -> None:
    client = serve(headers={}, host="127.0.0.1", token=SECRET)
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 401
    with_token = {"Authorization": f"Bearer {SECRET}"}
    assert client.get("/metrics", headers=with_token).status_code == 200


def test_figures_count_requests_by_route(client: TestClient) -> None:
    for sample in (1, 2, 3):
        assert client.get(f"/api/v1/samples/{sample}").status_code == 200
    client.get("/api/v1/samples/9999")
    client.get("/nowhere/at/all")
    client.request("BREW", "/")
    found = figures(client)
    one = {"method": "GET", "route": "/api/v1/samples/{sample}"}
    assert found["remask_request_seconds_count", named(**one, status="200")] == 3
    assert found["remask_request_seconds_count", named(**one, status="404")] == 1
    assert found["remask_request_seconds_count", named(method="GET", route="other", status="404")] == 1
    assert not [labels for _, labels in found if "nowhere" in str(labels) or "BREW" in str(labels)]


def test_figures_count_jobs_and_samples(client: TestClient, db: Database) -> None:
    with db.write() as session:
        jobs.request(session, "demo", None, {"dataset": "demo"})
    found = figures(client)
    assert found["remask_jobs", named(state="queued")] == 1
    assert found["remask_jobs", named(state="failed")] == 0
    assert found["remask_samples", named(status="flagged")] == 4
    assert found["remask_queue_age_seconds", named()] >= 0
    assert found["remask_workers", named()] == 0


def test_every_answer_has_an_id(client: TestClient) -> None:
    made = [client.get("/healthz").headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    assert re.fullmatch(r"[0-9a-f]{32}", made[0])
    given = client.get("/healthz", headers={"X-Request-ID": "from-the-proxy-17"})
    assert given.headers["x-request-id"] == "from-the-proxy-17"
    hostile = client.get("/healthz", headers={"X-Request-ID": '"}\t{"forged": 1'})
    assert re.fullmatch(r"[0-9a-f]{32}", hostile.headers["x-request-id"])
    refused = client.get("/", headers={"Host": "elsewhere"})
    assert refused.status_code == 421
    assert refused.headers["x-request-id"]


@pytest.fixture
def json_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, object]]]]:
    """Log lines as JSON for the time of a test; what was written so far, parsed."""
    before, level = logging.root.handlers[:], logging.root.level
    out = StringIO()
    with monkeypatch.context() as secret:
        secret.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG")
        secret.setenv("REMASK_TOKEN", SECRET)
        secret.setenv("REMASK_DATABASE_URL", "postgresql+psycopg://remask:pa%24%24word@db/remask")
        logs.begin("json", out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logging.basicConfig(level=level, handlers=before, force=True)
    logging.getLogger("app").setLevel(logging.NOTSET)


def test_log_lines_are_json_with_the_request(
    json_lines: Callable[[], list[dict[str, object]]], serve: Callable[..., TestClient]
) -> None:
    client = serve()
    client.get("/api/v1/samples/1?token=a+secret+of+many+letters", headers={"X-Request-ID": "request-0001"})
    [line] = [one for one in json_lines() if one["request"] == "request-0001"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/samples/{sample}", 200)
    assert line["level"] == "info"
    assert "token" not in json.dumps(line)


def test_no_secret_is_logged(
    json_lines: Callable[[], list[dict[str, object]]], serve: Callable[..., TestClient], db: Database
) -> None:
    client = serve(headers={}, token=SECRET)
    client.get("/login?token=a+secret+of+many+letters")
    client.get("/healthz", headers={"Authorization": f"Bearer {SECRET}"})
    client.get(f"/api/v1/samples/{SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
    log = logging.getLogger("app.test")
    try:
        raise RuntimeError("can't reach postgresql+psycopg://remask:pa%24%24word@db/remask, nor pa$$word")
    except RuntimeError:
        log.exception("key %s", "wJalrXUtnFEMI/K7MDENG")
    said = json.dumps(json_lines())
    assert "key ***" in said
    for secret in (SECRET, "wJalrXUtnFEMI/K7MDENG", "pa%24%24word", "pa$$word"):
        assert secret not in said
