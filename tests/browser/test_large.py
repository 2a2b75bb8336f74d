"""A picture over four megapixels is seen in windows, and fetched whole only to be drawn on."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Request, expect

from app.domain.actor import person
from app.flows import ingest
from tests.browser.conftest import Served


def test_a_large_picture_is_seen_in_windows(served: Served, page: Page, tmp_path: Path) -> None:
    pixels = np.zeros((2100, 2000), np.uint8)
    pixels[1000:1500, 1000:1500] = 2
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "large.png")
    ingest.run(served.db, tmp_path, "large", person("Rita"), label="large")
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
