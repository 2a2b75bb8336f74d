"""A drawing whose server is killed in the middle: the page goes on, and what was acknowledged is there after it."""

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served, Watch
from tests.browser.test_editor import BIG_ROCK, capsule, current, done, drag, start
from tests.browser.test_runs import SLOWLY, Site, site

__all__ = ["site"]


def test_a_drawing_survives_its_server(site: Site, page: Page, watch: Watch) -> None:
    watch.expected += ["Failed to load resource: net::ERR_"]  # while nobody serves
    served = Served(site.url, site.db)
    base, wanted = current(served)
    wanted = wanted.copy()
    start(page, served, size=3)
    saved = page.locator("#draw-save")
    page.keyboard.press("5")
    drag(page, (10.5, 10.5), (30.5, 10.5))
    expect(saved).to_have_attribute("data-state", "saved")
    site.kill()
    drag(page, (10.5, 30.5), (30.5, 30.5))
    expect(saved).to_have_attribute("data-state", "failed")
    site.start()
    expect(saved).to_have_attribute("data-state", "saved", timeout=SLOWLY)  # without a click
    site.kill()
    site.start()
    assert current(served)[0] == base
    page.reload()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#canvas")).to_have_attribute("data-drawing", "true")
    for y in (10.5, 30.5):
        capsule(wanted, (10.5, y), (30.5, y), 3, BIG_ROCK)
    np.testing.assert_array_equal(done(page, served), wanted)
