"""Training by the pages, through the real server, worker and trainer processes; both killed in the middle."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.domain.actor import person
from app.flows import child, train
from app.store.db import Database, open_database
from tests.browser.conftest import Watch, watched_page
from tests.browser.test_pages import CONTRAST
from tests.test_jobs import until

SLOWLY = 400_000  # a trainer loads torch first, on a busy machine
EPOCHS = 12  # so many that the first is told long before the last has ended
TINY = {"epochs": 2, "width": 4, "depth": 1, "threads": 1, "augment": [], "precision": "fp32"}


@dataclass
class Site:
    """`remask serve` on a data folder with a demo set of 60 samples."""

    home: Path
    url: str
    db: Database
    start: Callable[[], None]
    kill: Callable[[], None]


@pytest.fixture
def site(small_home: Path, tmp_path: Path) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    home = tmp_path / "home"
    shutil.copytree(small_home, home)
    db = open_database(home / "remask.sqlite")
    env = os.environ | {"REMASK_HOME": str(home), "REMASK_PORT": str(port), "REMASK_REVIEWER": "Rita"}
    running: list[subprocess.Popen[bytes]] = []

    def answers() -> bool:
        with socket.socket() as client:  # where nobody listens, one may be connected with oneself
            return client.connect_ex(("127.0.0.1", port)) == 0 and client.getsockname() != client.getpeername()

    def start() -> None:
        # A process group of its own, so that the server and its worker can be killed as one.
        running.append(subprocess.Popen([sys.executable, "-m", "app", "serve"], env=env, start_new_session=True))
        until(answers)

    def kill() -> None:
        process = running.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    start()
    yield Site(home, f"http://127.0.0.1:{port}", db, start, kill)
    if running:
        kill()
    db.close()


def trained(site: Site, **keys: object) -> int:
    """A run that the command line's own way has trained to its end, without a page."""
    run = train.request(site.db, "demo", person("ada"), keys={**TINY, **keys})
    until(lambda: bool(train.result_of(site.db, run.id)), SLOWLY / 1000)
    return run.id


def test_from_the_button_to_a_finished_run(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/d/demo")
    page.get_by_role("link", name="Retrain").click()
    expect(page.locator("#estimate")).to_have_text(
        re.compile("About .* judging by a trial on this machine"), timeout=SLOWLY
    )
    page.get_by_text("No-background U-Net").click()
    for section in ("Network", "Pictures", "Machine"):
        page.locator("summary", has_text=section).click()
    page.get_by_label("Name", exact=True).fill("tiny <b>")
    for label, value in (("epochs", 2), ("width", 4), ("depth", 1), ("threads", 1), ("samples", 2)):
        page.get_by_label(label, exact=True).fill(str(value))
    page.get_by_label("affine", exact=True).uncheck()
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/runs/1$"))
    expect(page.locator("#told")).to_have_text(re.compile(r"Epoch \d of 2|Stopped after 2"), timeout=SLOWLY)
    expect(page.locator("#told")).to_have_text(re.compile("Stopped after 2 epochs"), timeout=SLOWLY)
    expect(page.locator("[data-state]")).to_have_text("done")
    expect(page.locator("h1")).to_have_text("Run 1 · tiny <b>")
    expect(page.locator("#figures [data-figure=background_accuracy]")).to_be_visible()
    for chart in ("loss-chart", "miou-chart", "class-chart", "confusion-chart"):
        expect(page.locator(f"#{chart} .main-svg").first).to_be_visible()
    expect(page.locator("#strips img")).to_have_count(2)
    assert page.locator("#strips img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
    with page.expect_download() as download:
        page.get_by_role("link", name="model.pt").click()
    assert download.value.path().stat().st_size > 1000
    asked = json.loads((child.folder_of(site.home, 1) / "config.json").read_text())
    assert (asked["ignore_background"], asked["monitor"], asked["augment"]) == (
        True,
        "miou_on_foreground",
        ["hflip", "vflip"],
    )
    page.locator("#confusions button").first.click()
    expect(page.locator("#confused h2")).to_have_text(re.compile("taken for"))
    expect(page.locator("#confused .tile").first).to_be_visible()
    page.locator("#worst .tile a").first.click()
    expect(page).to_have_url(re.compile(r"/d/demo/samples/\d+"))


def test_a_run_goes_on_by_itself_after_server_and_worker_were_killed(site: Site, page: Page, watch: Watch) -> None:
    watch.expected += ["Failed to load resource: net::ERR_"]  # while nobody serves
    keys = {**TINY, "epochs": EPOCHS, "patience": 99, "samples": 0}
    run = train.request(site.db, "demo", person("ada"), keys=keys)
    page.goto(f"{site.url}/d/demo/runs/{run.id}")
    until(lambda: any(one["event"] == "epoch" for one in child.events(site.home, run.id)), SLOWLY / 1000)
    site.kill()
    assert not train.result_of(site.db, run.id)
    site.start()
    expect(page.locator("#told")).to_have_text(re.compile(f"Stopped after {EPOCHS} epochs"), timeout=SLOWLY)
    starts = [one["epoch"] for one in child.events(site.home, run.id) if one["event"] == "start"]
    assert starts[0] == 0
    assert starts[-1] >= 1
    result = json.loads((child.folder_of(site.home, run.id) / "result.json").read_text())
    assert [one["epoch"] for one in result["history"]] == list(range(EPOCHS))


def test_a_run_is_cancelled_and_its_model_stays(site: Site, page: Page) -> None:
    run = train.request(site.db, "demo", person("ada"), keys={**TINY, "epochs": 5000, "patience": 5000})
    page.goto(f"{site.url}/d/demo/runs")
    expect(page.locator("[data-progress]")).to_have_text(re.compile("of 5,000"), timeout=SLOWLY)
    page.get_by_role("link", name=f"{run.id} · baseline").click()
    expect(page.locator("#pace")).to_have_text(re.compile("images/s.*left"), timeout=SLOWLY)
    expect(page.locator("#files").get_by_role("link", name="model.pt")).to_be_visible(timeout=SLOWLY)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-state]")).to_have_text("cancelled", timeout=SLOWLY)
    expect(page.locator("#files").get_by_role("link", name="model.pt")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#told")).to_have_text(re.compile(r"Epoch \d+ of"), timeout=SLOWLY)
    starts = [one["epoch"] for one in child.events(site.home, run.id) if one["event"] == "start"]
    assert starts[-1] > starts[0]


def test_runs_side_by_side_and_what_every_page_owes(site: Site, browser: Browser, watch: Watch) -> None:
    first, second = trained(site), trained(site, ignore_background=True)
    paths = ("runs", "train", f"train?from={second}", f"runs/{first}", f"runs?compare={first},{second}")
    for theme, width in (("light", 390), ("dark", 1280)):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme="dark" if theme == "dark" else "light"
        )
        page = watched_page(context, watch)
        for path in paths:
            page.goto(f"{site.url}/d/demo/{path}")
            for chart in page.locator(".chart:visible").all():
                expect(chart.locator(".main-svg").first).to_be_visible()
            page.evaluate("for (const one of document.querySelectorAll('details.fold')) one.open = true")
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        context.close()
    page = watched_page(browser.new_context(), watch)
    page.goto(f"{site.url}/d/demo/runs")
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    for id in (first, second):
        page.get_by_label(f"Compare run {id}").check()
    page.get_by_role("button", name="Compare").press("Enter")
    expect(page.locator("td", has_text="ignore background")).to_be_visible()
    sent: list[Any] = []

    def take(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(status=202, json={"run": first, "job": 1})

    page.route("**/api/v1/datasets/demo/runs", take)  # before the page is opened, see ``line_to``
    page.goto(f"{site.url}/d/demo/train?from={second}")
    expect(page.locator("#estimate")).to_have_text(re.compile(f"judging by run {second}"))
    expect(page.get_by_label("ignore background", exact=True)).to_be_checked()
    page.locator("summary", has_text="Network").click()
    page.get_by_label("depth", exact=True).fill("9")
    page.locator("summary", has_text="Network").click()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_label("depth", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("/train"))
    page.get_by_label("depth", exact=True).fill("1")
    page.get_by_label("Rounds of self-training").fill("2")
    expect(page.locator("#estimate")).to_have_text(re.compile("more for what the rounds add"))
    page.get_by_label("Precision for those").fill("0.9")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(f"/runs/{first}$"))
    assert [(one["rounds"], one["precision"]) for one in sent] == [(2, 0.9)]
    page.context.close()
