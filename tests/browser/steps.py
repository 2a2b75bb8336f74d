"""Steps that several browser tests take."""

import re
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from app.store import browse, datasets, summary
from app.store.browse import Filter
from tests.browser.conftest import Served


def status_counts(served: Served) -> dict[str, int]:
    with served.db.read() as session:
        return summary.by_status(session, datasets.find(session, "demo").id)


def order_of(served: Served, filter: Filter) -> list[int]:
    with served.db.read() as session:
        return browse.order(session, datasets.find(session, "demo").id, filter, 1000)


def open_sample(page: Page, served: Served, query: str = "") -> None:
    page.goto(f"{served.url}/d/demo/samples{query}")
    page.locator(".tile > a").first.click()
    shown_sample(page)


def shown_sample(page: Page) -> int:
    """The sample on the canvas, once it is painted and its place in the queue is known."""
    expect(page.locator("#canvas")).to_have_attribute("data-sample", re.compile(r"\d+"))
    expect(page.locator("#where")).to_have_text(re.compile(r"\d+ of \d+"))
    return int(page.locator("#canvas").get_attribute("data-sample") or 0)


def expect_sample(page: Page, sample: int) -> None:
    expect(page.locator("#canvas")).to_have_attribute("data-sample", str(sample))


def answers_late(page: Page, milliseconds: int) -> None:
    """The line is so slow from now on; page and scripts come one after the other. 0: as quick as it is."""
    line = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1, "latency": milliseconds}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)


@dataclass
class Line:
    """Where ``cut``, requests don't come through."""

    cut: bool = False


def line_to(page: Page, pattern: str) -> Line:
    """The line for requests to ``pattern``. To be laid before the page is opened: Chromium lets requests of an open
    page pass a rule that it got a moment ago."""
    line = Line()
    page.route(pattern, lambda route: route.abort() if line.cut else route.continue_())
    return line
