"""Bringing data in and out by the pages; what every page owes: contrast, both themes, narrow screens, plain links."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.mask import encode_png
from app.store import datasets, summary
from tests.browser.conftest import Served, Watch, watched_page

PAGES = (
    "/",
    "/d/demo",
    "/d/demo/samples",
    "/d/demo/samples?check=shared_mask",
    "/d/demo/samples/1",
    "/d/demo/history",
    "/d/demo/imports",
    "/d/demo/imports/1",
    "/d/demo/classes",
    "/d/demo/export",
    "/help/keys",
    "/docs",
)

# Every text on the page against what lies under it, by the formula of WCAG 2.2: relative luminance and contrast ratio.
CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const colour = rgba(getComputedStyle(node).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, ground(node.parentElement));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const left = 'svg, [hidden], [disabled], [aria-disabled=true], noscript, script, dialog:not([open]), .sr';
    if (!own || node.closest(left)) continue;
    if (!node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const style = getComputedStyle(node);
    const under = ground(node);
    const [a, b] = [light(over(rgba(style.color), under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


def _settled(page: Page, url: str) -> None:
    """Open the page and wait for its chart, where it has one."""
    page.goto(url)
    for chart in page.locator(".chart").all():
        expect(chart.locator(".main-svg").first).to_be_visible()


def _png(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return encode_png(array)


@pytest.fixture
def pairs_zip(tmp_path: Path) -> Path:
    """Six good pairs, a mask of another size and a picture that is cut off."""
    rng = np.random.default_rng(7)
    path = tmp_path / "holiday.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(7):
            image = rng.integers(0, 255, (48, 64), np.uint8)
            mask = np.zeros((48, 64) if index < 6 else (20, 20), np.uint8)
            mask[4 : 10 + index, 5:18] = 1
            archive.writestr(f"images/{index}.png", _png(image))
            archive.writestr(f"masks/{index}.png", _png(mask))
        archive.writestr("images/broken.png", _png(rng.integers(0, 255, (48, 64), np.uint8))[:200])
        archive.writestr("masks/broken.png", _png(np.ones((48, 64), np.uint8)))
    return path


def test_an_empty_app_offers_the_demo_set_in_one_click(empty: Served, page: Page) -> None:
    page.goto(empty.url)
    expect(page.locator("h1")).to_have_text(re.compile("Find the masks"))
    page.get_by_role("button", name="Try the demo set").click()
    expect(page).to_have_url(re.compile("/d/demo$"))
    expect(page.locator(".next-step h2")).to_have_text(re.compile("share this mask"))
    with empty.db.read() as session:
        total = sum(summary.by_status(session, datasets.find(session, "demo").id).values())
    expect(page.locator("#samples-total")).to_have_text(str(total))


def test_a_zip_by_the_drop_zone_and_its_report(empty: Served, page: Page, pairs_zip: Path) -> None:
    page.goto(empty.url)
    with page.expect_file_chooser() as chooser:
        page.locator("#drop label", has_text="Choose files").click()
    chooser.value.set_files(pairs_zip)
    expect(page).to_have_url(re.compile(r"/d/holiday/imports/\d+$"))
    expect(page.locator("#refused-total")).to_have_text("2")
    expect(page.locator("#refused tbody tr")).to_have_count(2)
    expect(page.locator("#refused")).to_have_text(re.compile("broken"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "broken" in download.value.path().read_text()


def test_files_can_be_dropped_anywhere_on_the_page(empty: Served, page: Page) -> None:
    out = io.BytesIO()
    images = np.random.default_rng(1).integers(0, 255, (5, 24, 32), np.uint8)
    np.savez(out, images=images, masks=(images > 128).astype(np.uint8))
    page.goto(empty.url)
    transfer = page.evaluate_handle(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "small set.npz"));
          return transfer;
        }""",
        list(out.getvalue()),
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_have_class(re.compile("over"))
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page).to_have_url(re.compile(r"/d/small-set/imports/\d+$"))
    expect(page.locator(".facts dd").first).to_have_text("5")


def test_what_cannot_be_imported_is_said_in_place(empty: Served, page: Page, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("no picture")
    page.goto(empty.url)
    page.locator("#drop input[name=files]").set_input_files(note)
    expect(page.locator("#drop-state p")).to_have_class("job-error")
    page.locator("#drop summary").click()
    page.get_by_label("Dataset name").fill("../other")
    page.locator("#drop input[name=files]").set_input_files(note)
    expect(page.locator("#drop-state p")).to_contain_text("A dataset's name has 1 to 64")


def test_unknown_colours_are_named_and_the_import_goes_on(empty: Served, page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    drawn = np.array([[0, 0, 0], [200, 40, 40], [40, 40, 200]], np.uint8)
    path = tmp_path / "painted.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(f"images/{name}.png", encode_png(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)))
            archive.writestr(f"masks/{name}.png", encode_png(drawn[np.arange(16 * 24).reshape(16, 24) % 3]))
    page.goto(empty.url)
    page.locator("#drop input[name=files]").set_input_files(path)
    asked = page.get_by_role("group", name="Classes of the colours")
    expect(asked.get_by_role("textbox")).to_have_count(3)
    asked.get_by_label("Name of the class with colour #c82828").fill('red, "wild"')
    asked.get_by_label("Name of the class with colour #2828c8").fill("background")
    asked.get_by_role("button", name="Import with these names").click()
    expect(asked).to_be_visible()  # two classes of one name
    asked.get_by_label("Name of the class with colour #2828c8").fill("blue")
    asked.get_by_role("button", name="Import with these names").click()
    expect(page).to_have_url(re.compile(r"/d/painted/imports/\d+$"))
    expect(page.locator(".facts dd").first).to_have_text("3")
    page.goto(f"{empty.url}/d/painted/samples")
    expect(page.locator(".option", has_text='red, "wild"')).to_be_visible()


def test_guessed_roles_are_confirmed_and_kept(empty: Served, page: Page, pairs_zip: Path) -> None:
    page.goto(empty.url)
    page.locator("#drop input[name=files]").set_input_files(pairs_zip)
    page.get_by_role("link", name="Look and confirm").click()
    expect(page.locator("#guessed")).to_be_visible()
    page.get_by_label("Name of class 1").fill("pond <b>")
    page.get_by_role("button", name="Confirm and save").click()
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    page.reload()
    expect(page.locator("#guessed")).to_have_count(0)
    expect(page.get_by_label("Name of class 1")).to_have_value("pond <b>")
    page.goto(f"{empty.url}/d/holiday/samples")
    expect(page.locator(".option", has_text="pond <b>")).to_be_visible()


def test_an_export_is_followed_and_downloaded(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/export")
    page.get_by_text("Folder").click()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.locator("#download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert any(name.endswith("manifest.json") for name in archive.namelist())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_on_every_page(served: Served, browser: Browser, watch: Watch, theme: str) -> None:
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = watched_page(context, watch)
    for path in PAGES:
        _settled(page, served.url + path)
        assert page.evaluate(CONTRAST) == [], path
    context.close()


def test_the_theme_can_be_chosen_and_stays(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != light
    page.goto(f"{served.url}/d/demo/history")
    assert page.evaluate(ground) != light


def test_nothing_sticks_out_on_a_narrow_screen(served: Served, browser: Browser, watch: Watch) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = watched_page(context, watch)
    for path in PAGES:
        _settled(page, served.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto(f"{served.url}/d/demo/samples")
    expect(page.locator("#facets")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    page.locator(".option", has_text="shared mask").tap()
    expect(page).to_have_url(re.compile("check=shared_mask"))
    context.close()


def test_plain_links_lead_through_the_set_without_script(served: Served, browser: Browser, watch: Watch) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = watched_page(context, watch)
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    page.locator(".tile > a").first.click()
    expect(page.locator("#where")).to_have_text(re.compile("1 of"))
    page.locator("#next").click()
    expect(page.locator("#where")).to_have_text(re.compile("2 of"))
    page.locator("#back").click()
    expect(page.locator(".tile").first).to_be_visible()
    context.close()
