"""A real browser on the real app: uvicorn and a worker in threads, a data folder of its own, the demo set drawn small.

Every page that a test opens is watched: a request to another host, a violation of the Content-Security-Policy or an
error in the console fails the test.
"""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from app import jobs
from app.domain.actor import person
from app.flows import demo, inspect
from app.settings import Settings
from app.store import jobs as job_rows
from app.store.db import Database, open_database
from app.web.site import create_app

DEMO_SAMPLES = 160
PATIENCE_MS = 60_000  # what a loaded machine may take; a page that is right is seen as soon as it is
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Served:
    """A running app: its address, and its database to look behind the pages."""

    url: str
    db: Database


@dataclass
class Watch:
    """What a test's pages did that they must not do; ``expected`` holds parts of messages that the test provokes."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.seen.append(text)


def _chromium() -> str:
    """The shell first: without windows that nobody sees it takes a third less of the processor."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    reason = "no Chromium on this machine; install it with: apt install chromium"
    if os.environ.get("REMASK_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = _chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo-home")
    db = open_database(home / "remask.sqlite")
    demo.run(db, home, demo.NAME, person("the demo"), count=DEMO_SAMPLES)
    inspect.run(db, demo.NAME)
    with db.write() as session:
        for job in job_rows.waiting(session):
            job_rows.finish(session, job.id, "done")
    db.close()
    return home


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a demo set of 60 samples to train on; its checks weren't made."""
    home = tmp_path_factory.mktemp("small-home")
    db = open_database(home / "remask.sqlite")
    demo.run(db, home, demo.NAME, person("the demo"), count=60)
    with db.write() as session:
        for job in job_rows.waiting(session):
            job_rows.finish(session, job.id, "done")
    db.close()
    return home


def _work(db: Database, settings: Settings, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        with db.read() as session:
            waiting = [job.id for job in job_rows.waiting(session)]
        for job_id in waiting:
            jobs.run(db, settings, job_id, "test worker")


def _serve(home: Path) -> Iterator[Served]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        settings = Settings(home=home, port=listening.getsockname()[1], reviewer="Rita")
        app = create_app(settings)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        stop = threading.Event()
        db = open_database(settings.database)
        threads = (
            threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True),
            threading.Thread(target=_work, args=(db, settings, stop), daemon=True),
        )
        for thread in threads:
            thread.start()
        yield Served(f"http://127.0.0.1:{settings.port}", db)
        stop.set()
        server.should_exit = True
        for thread in threads:
            thread.join(timeout=20)
        db.close()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The app on an empty data folder; its demo set is a small one."""
    full = demo.run

    def small(*args: Any, **kwargs: Any) -> Any:
        return full(*args, **{**kwargs, "count": DEMO_SAMPLES})

    monkeypatch.setattr(demo, "run", small)
    yield from _serve(tmp_path / "home")


@pytest.fixture
def served(demo_home: Path, tmp_path: Path) -> Iterator[Served]:
    """The app with the demo set, imported and checked, that this test alone changes."""
    home = tmp_path / "home"
    shutil.copytree(demo_home, home)
    yield from _serve(home)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watched = Watch()
    yield watched
    assert watched.seen == []


def watched_page(context: BrowserContext, watch: Watch) -> Page:
    """A new page whose requests, console and errors are noted."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws") and parts.hostname != "127.0.0.1":
            watch.note(f"request to another host: {request.url}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watch.note(f"{page.url}: {message.text}")

    page.on("request", on_request)
    page.on("console", on_console)
    page.on("pageerror", lambda error: watch.note(f"{page.url}: {error}"))
    return page


@pytest.fixture
def page(browser: Browser, watch: Watch) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    yield watched_page(context, watch)
    context.close()
