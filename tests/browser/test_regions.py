"""Suspected regions in the browser: gone through by keys, accepted to the pixel, kept, undone; the page of regions."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.domain.detector.region import Reason, region_of
from app.domain.mask import Mask
from app.store import datasets, rasters, regions, revisions, samples
from app.store.tables import Raster
from tests.browser.conftest import Served
from tests.browser.steps import expect_sample, shown_sample
from tests.suspected import Said, search

SAMPLE, OTHER = 5, 6
SEEN = 4  # big rock


def current(served: Served, sample: int = SAMPLE) -> Mask:
    with served.db.read() as session:
        revision = revisions.find(session, samples.find(session, sample).current_id or 0)
        return rasters.mask(session, session.get_one(Raster, revision.mask_id))


def states(served: Served, sample: int = SAMPLE) -> list[str]:
    with served.db.read() as session:
        return [one.state for one in regions.of_sample(session, samples.find(session, sample))]


def disc(shape: tuple[int, ...], x: int, y: int, radius: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return inside


@pytest.fixture
def suspected(served: Served) -> Iterator[Served]:
    """Two samples with suspected discs, three on the first; the model sees big rocks there and nowhere else."""
    home = served.db.path
    assert home is not None
    with served.db.read() as session:
        classes = sorted(datasets.classes(session, datasets.find(session, "demo")).ids)
    said = {}
    for sample, places in ((SAMPLE, [(30, 20, 0.9), (80, 30, 0.8), (60, 50, 0.3)]), (OTHER, [(40, 30, 0.7)])):
        seen = current(served, sample).copy()
        found = []
        for x, y, sure in places:
            inside = disc(seen.shape, x, y, 6)
            seen[inside] = SEEN
            found.append(region_of(inside, Reason.MISSING, 1, SEEN, sure))
        said[sample] = Said(found, seen)
    search(served.db, home.parent, "demo", said, classes)
    yield served


def open_it(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/d/demo/samples/{SAMPLE}?sort=region")
    expect_sample(page, SAMPLE)
    shown_sample(page)
    expect(page.locator("#suspect-list li")).to_have_count(3)


def selected(page: Page) -> int:
    found = page.locator("#canvas").get_attribute("data-region")
    assert found
    return int(found)


def test_a_region_is_accepted_to_the_pixel_and_undone(suspected: Served, page: Page) -> None:
    given = current(suspected)
    open_it(page, suspected)
    page.keyboard.press(".")
    first = selected(page)
    expect(page.locator("#keep span")).to_have_text("Accept region")
    page.keyboard.press("a")
    expect(page.locator("#suspect-count")).to_have_text("2 of 3 regions open")
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    expected = given.copy()
    expected[disc(given.shape, 30, 20, 6)] = SEEN
    np.testing.assert_array_equal(current(suspected), expected)
    expect(page.locator("#status")).to_have_text("flagged")
    assert selected(page) != first  # the next one, so that a second key goes on
    page.keyboard.press("Control+z")
    expect(page.locator("#suspect-count")).to_have_text("3 regions")
    np.testing.assert_array_equal(current(suspected), given)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("#suspect-count")).to_have_text("2 of 3 regions open")
    np.testing.assert_array_equal(current(suspected), expected)


def test_through_all_regions_by_keys(suspected: Served, page: Page) -> None:
    open_it(page, suspected)
    page.keyboard.press(".")
    first = selected(page)
    page.keyboard.press(".")
    second = selected(page)
    page.keyboard.press(",")
    assert selected(page) == first != second
    page.keyboard.press("r")
    expect(page.locator("#suspect-list [data-state=kept]")).to_have_count(1)
    assert selected(page) == second
    page.keyboard.press("Escape")
    expect(page.locator("#canvas")).to_have_attribute("data-region", "")
    page.keyboard.press("Enter")
    expect_sample(page, OTHER)
    assert states(suspected) == ["kept"] * 3
    page.keyboard.press("d")
    expect_sample(page, SAMPLE)
    expect(page.locator("#status")).to_have_text("accepted")


def test_looks(suspected: Served, page: Page) -> None:
    open_it(page, suspected)
    canvas = page.locator("#canvas")
    given = canvas.screenshot()
    seen = {given}
    for key, look in (("t", "suggestion"), ("y", "difference"), ("m", "heat")):
        page.keyboard.press(key)
        expect(canvas).to_have_attribute("data-look", look)
        expect(page.locator(f"#looks [data-look={look}]")).to_have_attribute("aria-pressed", "true")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen.add(canvas.screenshot())
    assert len(seen) == 4
    page.keyboard.press("n")  # drawing is on what is given
    expect(canvas).to_have_attribute("data-drawing", "true")
    expect(canvas).to_have_attribute("data-look", "given")


def test_hovering_and_clicking_the_list(suspected: Served, page: Page) -> None:
    open_it(page, suspected)
    canvas = page.locator("#canvas")
    before = canvas.screenshot()
    page.locator("#suspect-list .what").nth(1).hover()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert canvas.screenshot() != before
    page.locator("#suspect-list .what").nth(1).click()
    expect(page.locator("#suspect-list li").nth(1)).to_have_attribute("aria-current", "true")
    page.locator("#suspect-list li").nth(1).get_by_role("button", name="Accept", exact=True).click()
    expect(page.locator("#suspect-list li").nth(1)).to_have_attribute("data-state", "accepted")
    assert (current(suspected)[disc((64, 128), 80, 30, 6)] == SEEN).all()


def test_the_page_of_regions_by_keys(suspected: Served, page: Page) -> None:
    given = current(suspected)
    page.goto(f"{suspected.url}/d/demo/regions")
    cards = page.locator(".suspect")
    expect(cards).to_have_count(4)
    page.keyboard.press(".")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("a")
    page.keyboard.press("r")
    expect(cards.nth(0)).to_have_attribute("data-state", "accepted")
    expect(cards.nth(1)).to_have_attribute("data-state", "kept")
    assert states(suspected) == ["accepted", "kept", "open"]
    page.keyboard.press("Control+z")
    expect(cards.nth(1)).to_have_attribute("data-state", "open")
    page.keyboard.press("Control+z")
    expect(cards.nth(0)).to_have_attribute("data-state", "open")
    np.testing.assert_array_equal(current(suspected), given)
    page.keyboard.press("Enter")
    expect_sample(page, SAMPLE)
    expect(page.locator("#canvas")).to_have_attribute("data-region", re.compile(r"\d+"))


def test_many_regions_at_once(suspected: Served, page: Page) -> None:
    page.goto(f"{suspected.url}/d/demo/regions")
    cards = page.locator(".suspect")
    cards.nth(0).focus()
    page.keyboard.press("s")
    cards.nth(2).focus()
    page.keyboard.press("s")
    expect(page.locator("#picked")).to_have_text("2 selected")
    page.keyboard.press("a")
    expect(page.locator(".suspect[data-state=accepted]")).to_have_count(2)
    assert (states(suspected), states(suspected, OTHER)) == (["accepted", "open", "open"], ["accepted"])
    page.goto(f"{suspected.url}/d/demo/regions?min=0.5")
    expect(cards).to_have_count(1)
    page.locator("#pick-all").click()
    page.get_by_role("toolbar", name="Selection").get_by_role("button", name="Keep mine").click()
    expect(page.locator(".nothing")).to_be_visible()
    expect(page.locator(".toast")).to_contain_text("kept")
    assert states(suspected) == ["accepted", "kept", "open"]
