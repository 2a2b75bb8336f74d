"""A picture over four megapixels is seen in windows; it is fetched whole only to be drawn on, a larger one in part."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Request, expect

from app.domain.actor import person
from app.domain.mask import Mask
from app.flows import ingest
from app.store import datasets, rasters, revisions
from app.store.tables import Raster
from tests.browser.conftest import Served
from tests.sets import every_sample


def put(served: Served, folder: Path, height: int, width: int) -> Mask:
    """A data set of one picture of flat grey, which is its own mask."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[1000:1500, 1000:1500] = 2
    for name in ("images", "masks"):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "large.png", compress_level=1)
    ingest.run(served.db, folder, "large", person("Rita"), label="large")
    return pixels


def current(served: Served) -> Mask:
    with served.db.read() as session:
        [one] = every_sample(session, datasets.find(session, "large").id)
        revision = revisions.find(session, one.current_id or 0)
        return rasters.mask(session, session.get_one(Raster, revision.mask_id))


def test_a_large_picture_is_seen_in_windows(served: Served, page: Page, tmp_path: Path) -> None:
    put(served, tmp_path, 2100, 2000)
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/media/" in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.goto(f"{served.url}/d/large/samples")
    page.locator(".tile a").first.click()
    canvas = page.locator("#canvas")
    expect(canvas).to_have_attribute("data-windows", "all")
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(canvas).to_have_attribute("data-windows", "all")
    shown = [url for url in asked if "size=" in url]
    assert len(shown) == len(asked)
    expect(page.locator(".legend .share").first).not_to_be_empty()
    page.keyboard.press("n")
    expect(canvas).to_have_attribute("data-drawing", "true")
    assert any("mask.bin" in url and "size=" not in url for url in asked)


def test_a_part_of_a_larger_picture_is_drawn_on(served: Served, page: Page, tmp_path: Path) -> None:
    wanted = put(served, tmp_path, 4000, 4200).copy()
    page.goto(f"{served.url}/d/large/samples")
    page.evaluate("() => localStorage.setItem('draw', JSON.stringify({ size: 1 }))")
    page.locator(".tile a").first.click()
    canvas, saved, told = page.locator("#canvas"), page.locator("#draw-save"), page.locator("#part-text")
    expect(canvas).to_have_attribute("data-windows", "all")
    for _ in range(5):
        page.keyboard.press("+")
    page.keyboard.press("n")
    expect(canvas).to_have_attribute("data-drawing", "true")
    expect(told).to_have_text("You draw on the part in view, 2048 × 2048 of 4200 × 4000 pixels, from 1076, 976.")

    def click(x: int, y: int) -> None:
        """On a place of the canvas; the pixel of the picture that lies there is painted."""
        page.mouse.move(x, y)
        at = re.match(r"(\d+), (\d+)", page.locator("#read").inner_text())
        assert at is not None
        page.mouse.click(x, y)
        wanted[int(at[2]), int(at[1])] = 2

    page.keyboard.press("2")
    click(700, 400)
    expect(saved).to_have_attribute("data-state", "saved")
    page.reload()
    expect(page.locator("#draft")).to_contain_text("of the part from 1076, 976")
    page.keyboard.press("n")
    expect(page.locator(".toast")).to_contain_text("unfinished drawing here")
    expect(told).to_be_hidden()
    page.locator("#draft").get_by_role("button", name="Go on").click()
    expect(told).to_contain_text("that you began on")
    page.keyboard.press("2")
    click(600, 500)
    page.keyboard.press("Enter")
    expect(canvas).to_have_attribute("data-drawing", "false")
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    expect(page.locator("#decisions")).to_contain_text("drew a mask")
    np.testing.assert_array_equal(current(served), wanted)
    page.keyboard.press("Control+z")
    expect(page.locator("#decisions")).to_contain_text("undone")
