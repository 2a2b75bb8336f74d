"""One sample after the other, by mouse and by keys: looking, deciding, undoing, and what goes wrong."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.actor import Actor
from app.store import rasters, revisions, samples, standing
from app.store.browse import Filter
from app.store.revisions import Proposal
from app.store.tables import Raster
from app.web import pages
from tests.browser.conftest import Served, Watch, watched_page
from tests.browser.steps import expect_sample, line_to, open_sample, order_of, shown_sample, status_counts


def test_next_and_previous_by_keys_without_a_page_load(served: Served, page: Page) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    open_sample(page, served, "?check=shared_mask")
    page.evaluate("window.sameDocument = true")
    expect_sample(page, order[0])
    for key, at in (("f", 1), ("ArrowRight", 2), ("s", 3), ("d", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect_sample(page, order[at])
    expect(page.locator("#where")).to_have_text(f"2 of {len(order)}")
    expect(page).to_have_url(re.compile(rf"/samples/{order[1]}\?check=shared_mask$"))
    page.go_back()
    expect_sample(page, order[2])
    assert page.evaluate("window.sameDocument")


def test_a_walk_comes_in_parts(served: Served, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PART", 7)
    order = order_of(served, Filter(sort="key"))
    with page.expect_response(lambda answer: "/queue?" in answer.url and answer.json()["next"] is None):
        page.goto(f"{served.url}/d/demo/samples/{order[20]}?sort=key")
    expect(page.locator("#where")).to_have_text(f"21 of {len(order)}")
    page.evaluate("window.sameDocument = true")
    for key, at in (("d", 19), ("f", 20), ("f", 21)):
        page.keyboard.press(key)
        expect_sample(page, order[at])
    assert page.evaluate("window.sameDocument")


def test_decisions_by_keys_are_saved_and_undone(served: Served, page: Page) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    open_sample(page, served, "?check=shared_mask")
    status = page.locator("#status")
    for key, name in (("x", "excluded"), ("Control+z", "flagged"), ("r", "accepted"), ("Control+z", "flagged")):
        page.keyboard.press(key)
        expect(status).to_have_text(name)
        expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    page.keyboard.press("Control+Shift+z")
    expect(status).to_have_text("accepted")
    page.keyboard.press("f")
    expect_sample(page, order[1])
    page.keyboard.press("a")
    expect(status).to_have_text("accepted")
    page.keyboard.press("Enter")
    expect_sample(page, order[2])
    page.keyboard.press("Enter")
    expect_sample(page, order[3])
    expect(status).to_have_text("flagged")
    page.keyboard.press("d")
    expect(status).to_have_text("accepted")
    assert status_counts(served)["accepted"] == 3
    expect(page.locator("#decisions li")).to_have_count(1)
    expect(page.locator("#decisions")).to_have_text(re.compile("Rita"))


def test_looking_by_keys(served: Served, page: Page) -> None:
    open_sample(page, served, "?check=shared_mask")
    canvas = page.locator("#canvas")
    shown: Callable[[str], None] = lambda what: expect(canvas).to_have_attribute("data-shown", what)  # noqa: E731
    shown("mask")
    for key in ("Space", "v"):
        page.keyboard.down(key)
        shown("image")
        page.keyboard.up(key)
        shown("mask")
    page.keyboard.press("h")
    shown("image")
    page.keyboard.press("h")
    shown("mask")
    page.keyboard.press("c")
    shown("contour")
    page.keyboard.press("c")
    eyes = page.locator(".legend .eye")
    page.keyboard.press("2")
    expect(eyes.nth(1)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("f")
    expect(eyes.nth(1)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("2")
    expect(eyes.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+Digit3")
    expect(page.locator(".legend .eye[aria-pressed=true]")).to_have_count(1)


def test_the_wheel_zooms_and_zero_fits(served: Served, page: Page) -> None:
    open_sample(page, served)
    canvas = page.locator("#canvas")
    fitted = canvas.screenshot()
    canvas.hover()
    page.mouse.wheel(0, -400)
    page.keyboard.press("+")
    expect(page.locator("#read")).to_be_visible()
    page.mouse.move(5, 5)
    expect(page.locator("#read")).to_be_hidden()
    assert canvas.screenshot() != fitted
    page.keyboard.press("0")
    page.wait_for_function("() => new Promise(requestAnimationFrame).then(() => true)")
    assert canvas.screenshot() == fitted


def test_no_key_acts_while_typing_or_in_a_control(served: Served, page: Page) -> None:
    open_sample(page, served, "?check=shared_mask")
    first = shown_sample(page)
    page.locator("#reviewer summary").click()
    name = page.locator("#reviewer input")
    name.fill("")
    name.press_sequentially("fx sa 1?")
    expect(name).to_have_value("fx sa 1?")
    expect(page.locator("#keys-sheet")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(name).to_be_hidden()
    page.locator("#opacity").focus()
    for key in ("f", "x", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("#opacity").input_value() == "55"
    page.locator("#contour").focus()
    page.keyboard.press("Space")
    expect(page.locator("#contour")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    assert shown_sample(page) == first
    expect(page.locator("#status")).to_have_text("flagged")
    assert status_counts(served)["excluded"] == 0


def test_after_a_click_the_keys_act_again(served: Served, page: Page) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    open_sample(page, served, "?check=shared_mask")
    page.locator("#contour").click()
    page.keyboard.press("f")
    expect_sample(page, order[1])


def test_by_keyboard_alone(served: Served, page: Page) -> None:
    order = order_of(served, Filter(status=("flagged",)))
    page.goto(f"{served.url}/d/demo/samples?status=flagged")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tile > a").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect_sample(page, order[1])
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "exclude":
            break
    outline = page.locator("#exclude").evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("excluded")
    expect_sample(page, order[1])
    page.keyboard.press("Escape")
    expect(page.locator(".tile").first).to_be_visible()


def test_the_sheet_of_keys(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    for key in ("?", "F1"):
        page.keyboard.press(key)
        expect(page.locator("#keys-sheet")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#keys-sheet")).to_be_hidden()


def test_a_stale_decision_is_refused_with_what_changed(
    served: Served, page: Page, browser: Browser, watch: Watch
) -> None:
    watch.expected.append("409")
    open_sample(page, served, "?check=shared_mask")
    other = watched_page(browser.contexts[-1], watch)
    other.goto(page.url)
    shown_sample(other)
    other.keyboard.press("r")
    expect(other.locator("#status")).to_have_text("accepted")
    page.keyboard.press("x")
    banner = page.locator("#banner")
    expect(banner).to_have_text(re.compile("changed since you opened it: now accepted"))
    banner.get_by_role("button", name="exclude anyway").click()
    expect(page.locator("#status")).to_have_text("excluded")


def test_a_decision_that_is_not_saved_says_so_and_retries(served: Served, page: Page, watch: Watch) -> None:
    watch.expected.append("Failed to load resource")
    line = line_to(page, "**/decisions")
    open_sample(page, served, "?check=shared_mask")
    line.cut = True
    page.keyboard.press("x")
    expect(page.locator("#save")).to_have_attribute("data-state", "failed")
    line.cut = False
    page.locator("#save button").click()
    expect(page.locator("#status")).to_have_text("excluded")
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")


def _propose(served: Served, sample: int) -> None:
    """Another mask for the sample, as a second import would bring it."""
    with served.db.write() as session:
        one = samples.find(session, sample)
        mask = rasters.mask(session, session.get_one(Raster, revisions.find(session, one.current_id or 0).mask_id))
        other = mask.copy()
        other[:8] = (int(mask[0, 0]) + 1) % 4
        (raster,) = rasters.put_masks(session, [(other, None)])
        revisions.propose(session, [Proposal(one, raster.id, 1, "import", Actor("import", "second.zip"))])
        standing.refresh(session, [sample])


def test_quick_keys_lose_nothing(served: Served, page: Page) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    open_sample(page, served, "?check=shared_mask")
    for _ in range(4):
        page.keyboard.press("x")
        page.keyboard.press("f")
    expect_sample(page, order[4])
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    page.wait_for_function("() => JSON.parse(sessionStorage.getItem('visit')).done.length === 4")
    assert status_counts(served)["excluded"] == 4


def test_going_on_after_a_decision(served: Served, page: Page) -> None:
    order = order_of(served, Filter(check="shared_mask"))
    open_sample(page, served, "?check=shared_mask")
    page.get_by_label("Go on after a decision").check()
    page.locator("#canvas").focus()
    page.keyboard.press("x")
    expect_sample(page, order[1])
    page.keyboard.press("Control+z")
    expect_sample(page, order[0])
    expect(page.locator("#status")).to_have_text("flagged")


def test_a_proposed_mask_is_accepted_and_the_old_one_restored(served: Served, page: Page) -> None:
    _propose(served, 1)
    page.goto(f"{served.url}/d/demo/samples/1")
    shown_sample(page)
    status = page.locator("#status")
    masks = page.locator("#revisions li")
    expect(status).to_have_text("suggested")
    expect(masks).to_have_count(2)
    masks.first.get_by_role("button", name="Show").click()
    expect(page.locator("#banner")).to_have_text(re.compile("pending"))
    page.keyboard.press("a")
    expect(status).to_have_text("corrected")
    masks.last.get_by_role("button", name="Restore").click()
    expect(status).to_have_text("accepted")
    page.keyboard.press("Control+z")
    expect(status).to_have_text("corrected")
    page.keyboard.press("Control+z")
    expect(status).to_have_text("suggested")
    page.keyboard.press("r")
    expect(status).not_to_have_text("suggested")


def test_the_reviewers_name_is_kept(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    page.locator("#reviewer summary").click()
    page.locator("#reviewer input").fill("Ada Example")
    page.keyboard.press("Enter")
    expect(page.locator("#reviewer [data-name]")).to_have_text("Ada Example")
    open_sample(page, served)
    page.keyboard.press("x")
    expect(page.locator("#decisions")).to_have_text(re.compile("Ada Example"))
