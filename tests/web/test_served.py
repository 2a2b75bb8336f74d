"""The application behind a real server: live progress over the wire, and static files."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.serving import reserve
from app.settings import Settings
from app.store import jobs
from app.store.db import open_database
from tests.web.live import serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Settings]]:
    """(address, settings) of a server on a free port."""
    with serving(tmp_path) as served:
        yield served


def test_live_progress_reaches_a_client_and_ends_with_it(server: tuple[str, Settings]) -> None:
    address, settings = server
    db = open_database(settings.database)
    with db.write() as session:
        job = jobs.request(session, "demo", None, {"dataset": "demo"}).id
    with (
        httpx.Client(base_url=address, timeout=20) as client,
        client.stream("GET", "/api/v1/jobs/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = [next(lines) for _ in range(3)]
        assert first[0] == "event: job"
        assert f'"id":{job}' in first[1].replace(" ", "")
        assert '"dataset":"demo"' in first[1].replace(" ", "")
        assert first[2].startswith("id: ")
        with db.write() as session:
            jobs.cancel(session, job)
        told = next(line for line in lines if line.startswith("data:"))
        assert '"cancelled"' in told
    db.close()


def test_what_is_small_is_sent_at_once(tmp_path: Path) -> None:
    """asyncio turns Nagle's algorithm off only for sockets that say they are TCP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with reserve(Settings(home=tmp_path, port=port)) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_static_files_are_kept_by_the_browser(server: tuple[str, Settings]) -> None:
    address, _ = server
    with httpx.Client(base_url=address, timeout=20) as client:
        plotly = client.get("/static/plotly.min.js")
        assert plotly.headers["content-type"].startswith("text/javascript")
        assert len(plotly.content) > 1_000_000
        again = client.get("/static/plotly.min.js?v=1", headers={"If-None-Match": plotly.headers["etag"]})
        assert "immutable" in again.headers["cache-control"]
        style = client.get("/static/app.css")
        assert style.headers["cache-control"] == "no-cache"
        assert client.get("/static/app.css", headers={"If-None-Match": style.headers["etag"]}).status_code == 304
        assert "immutable" in client.get("/static/app.css?v=1").headers["cache-control"]
        assert client.get("/static/../app/settings.py").status_code == 404
        assert client.get("/static/%2e%2e/pyproject.toml").status_code == 404
