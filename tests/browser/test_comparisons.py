"""Did it help, by the pages: asked for, killed in the middle, gone on with, and read."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.actor import person
from app.flows import compare, review
from app.flows.review import Selection
from app.store import comparisons, datasets
from app.store.decisions import Wish
from tests.browser.conftest import Watch, watched_page
from tests.browser.steps import answers_late
from tests.browser.test_pages import CONTRAST
from tests.browser.test_runs import SLOWLY, Site, site
from tests.sets import every_sample
from tests.test_jobs import until

__all__ = ["site"]


def ended(site: Site) -> list[bool]:
    """Which runs of comparison 1 have ended."""
    with site.db.read() as session:
        return [bool(one.result) for one in comparisons.runs_of(session, 1)]


def written(site: Site, run: int) -> int:
    return (site.home / "runs" / str(run) / "result.json").stat().st_mtime_ns


@pytest.mark.long
def test_from_the_form_over_a_kill_to_a_verdict(site: Site, page: Page, browser: Browser, watch: Watch) -> None:
    watch.expected += ["Failed to load resource: net::ERR_"]  # while nobody serves
    with site.db.read() as session:
        labelled = [one.key for one in every_sample(session, datasets.find(session, "demo").id) if one.current_id]
    review.decide(site.db, "demo", Selection(keys=labelled[:12]), Wish("exclude"), person("ada"))
    page.goto(f"{site.url}/d/demo")
    answers_late(page, 400)  # the script comes long after its form
    page.get_by_role("link", name="Did it help?").click()
    page.get_by_label("After").select_option("imported")
    page.get_by_role("button", name="Compare").click()  # the browser says that both are the same
    expect(page).to_have_url(re.compile(r"/comparisons$"))
    answers_late(page, 0)
    page.get_by_label("After").select_option("without_excluded")
    for label, value in (("Seeds", 1), ("epochs", 2), ("width", 4)):
        page.get_by_label(label, exact=True).fill(str(value))
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/comparisons/1$"))
    until(lambda: ended(site)[:1] == [True], SLOWLY / 1000)
    site.kill()
    first = written(site, 1)
    site.start()
    expect(page.locator(".verdict .sentence")).to_have_text(
        re.compile(r"No difference can be seen|contaminat|Leaving out what is excluded (gained|lost)"), timeout=SLOWLY
    )
    assert ended(site) == [True, True]
    assert written(site, 1) == first
    expect(page.locator("#intervals .main-svg").first).to_be_visible()
    expect(page.get_by_role("link", name="Side by side")).to_be_visible()
    owed(site, browser, watch)


def owed(site: Site, browser: Browser, watch: Watch) -> None:
    """Readable in both themes, and nothing is wider than a phone."""
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        small = watched_page(context, watch)
        for path in ("comparisons", "comparisons/1"):
            small.goto(f"{site.url}/d/demo/{path}")
            assert small.evaluate("document.documentElement.scrollWidth") <= 390
            assert small.evaluate(CONTRAST) == [], (scheme, path)
        context.close()


def test_one_that_failed_is_asked_for_again(site: Site, page: Page) -> None:
    """Nothing is excluded or changed, so there is nothing to compare."""
    id = compare.request(site.db, "demo", person("ada"), seeds=1).id
    page.goto(f"{site.url}/d/demo/comparisons/{id}")
    expect(page.locator(".job-error")).to_have_text(re.compile("nothing to compare"), timeout=SLOWLY)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-state]").first).to_have_text(re.compile("queued|running|failed"))
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=SLOWLY)
