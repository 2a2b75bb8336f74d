"""Two reviewers in two browsers on one queue, and what a role shows of the pages."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.store.browse import Filter
from app.store.tables import Lease, Sample
from tests.browser.conftest import Served, Watch, watched_page
from tests.browser.steps import answers_late, expect_sample, order_of


def person_at(browser: Browser, watch: Watch, served: Served, name: str) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "reviewer", "value": name, "domain": "127.0.0.1", "path": "/"}])
    page = watched_page(context, watch)
    page.goto(f"{served.url}/")
    return page


def leased(served: Served) -> dict[int, str]:
    with served.db.read() as session:
        return {row.sample_id: row.reviewer for row in session.scalars(select(Lease))}


def settled(page: Page, served: Served, name: str, samples: list[int]) -> None:
    """Wait until just these samples are leased to ``name``."""
    for _ in range(100):
        if sorted(id for id, who in leased(served).items() if who == name) == sorted(samples):
            return
        page.wait_for_timeout(50)
    assert sorted(id for id, who in leased(served).items() if who == name) == sorted(samples)


def test_two_reviewers_are_led_past_each_other(served: Served, browser: Browser, watch: Watch) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    ana, bo = (person_at(browser, watch, served, name) for name in ("Ana", "Bo"))
    first = f"{served.url}/d/demo/samples/{order[0]}?check=shared_mask"
    ana.goto(first)
    settled(ana, served, "Ana", order[:2])
    bo.goto(first)
    expect(bo.locator("#held")).to_have_text("Ana is looking at this")
    expect(ana.locator("#held")).to_be_hidden()
    settled(bo, served, "Bo", [order[2]])
    bo.keyboard.press("f")
    expect_sample(bo, order[2])
    expect(bo.locator("#held")).to_be_hidden()
    settled(bo, served, "Bo", order[2:4])
    ana.keyboard.press("f")
    expect_sample(ana, order[1])
    settled(ana, served, "Ana", [order[1], order[4]])
    bo.keyboard.press("x")
    expect(bo.locator("#status")).to_have_text("excluded")
    bo.keyboard.press("f")
    expect_sample(bo, order[3])
    settled(bo, served, "Bo", [order[3], order[5]])
    ana.keyboard.press("f")
    expect_sample(ana, order[4])
    ana.keyboard.press("d")
    expect_sample(ana, order[3])
    expect(ana.locator("#held")).to_have_text("Bo is looking at this")
    bo.goto("about:blank")
    settled(bo, served, "Bo", [])
    ana.keyboard.press("d")
    expect_sample(ana, order[2])
    settled(ana, served, "Ana", order[2:4])
    for context in (ana.context, bo.context):
        context.close()


def test_keys_wait_in_turn_for_who_has_what(served: Served, browser: Browser, watch: Watch) -> None:
    """Where others are about going on takes a question; what is pressed meanwhile is for the samples that come."""
    order = order_of(served, Filter(check="shared_mask"))
    ana, bo = (person_at(browser, watch, served, name) for name in ("Ana", "Bo"))
    ana.goto(f"{served.url}/d/demo/samples/{order[0]}?check=shared_mask")
    settled(ana, served, "Ana", order[:2])
    bo.goto(f"{served.url}/d/demo/samples/{order[0]}?check=shared_mask")
    settled(bo, served, "Bo", [order[2]])
    bo.wait_for_load_state("networkidle")
    answers_late(bo, 300)
    for key in ("f", "x", "f", "x", "f"):
        bo.keyboard.press(key)
    expect_sample(bo, order[4])
    expect(bo.locator("#save")).to_have_attribute("data-state", "saved")
    bo.wait_for_function("() => JSON.parse(sessionStorage.getItem('visit')).done.length === 2")
    with served.db.read() as session:
        found = session.scalars(select(Sample.id).where(Sample.status == "excluded"))
        assert sorted(found) == sorted(order[2:4])
    for context in (ana.context, bo.context):
        context.close()


def test_the_end_of_a_list_that_others_are_at(served: Served, browser: Browser, watch: Watch) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    ana, bo = (person_at(browser, watch, served, name) for name in ("Ana", "Bo"))
    ana.goto(f"{served.url}/d/demo/samples/{order[-1]}?check=shared_mask")
    settled(ana, served, "Ana", [order[-1]])
    bo.goto(f"{served.url}/d/demo/samples/{order[-2]}?check=shared_mask")
    settled(bo, served, "Bo", [order[-2]])
    bo.wait_for_load_state("networkidle")
    bo.keyboard.press("f")
    expect(bo.locator(".toast")).to_contain_text("What is left of this list is with Ana.")
    assert urlsplit(bo.url).path.endswith(f"/{order[-2]}")
    for context in (ana.context, bo.context):
        context.close()
