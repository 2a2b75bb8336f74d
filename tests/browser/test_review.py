"""Review in the browser: overview, grid, groups, one sample after the other, by mouse and by keys."""

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from app.domain.actor import Actor
from app.store import browse, datasets, jobs, rasters, revisions, samples, standing, summary
from app.store.browse import Filter
from app.store.revisions import Proposal
from app.store.tables import Raster
from tests.browser.conftest import Served, Watch, watched_page


def _status_counts(served: Served) -> dict[str, int]:
    with served.db.read() as session:
        return summary.by_status(session, datasets.find(session, "demo").id)


def _order(served: Served, filter: Filter) -> list[int]:
    with served.db.read() as session:
        return browse.order(session, datasets.find(session, "demo").id, filter, 1000)


def _open_sample(page: Page, served: Served, query: str = "") -> None:
    page.goto(f"{served.url}/d/demo/samples{query}")
    page.locator(".tile > a").first.click()
    _shown(page)


def _shown(page: Page) -> int:
    """The sample on the canvas, once it is painted and its place in the queue is known."""
    expect(page.locator("#canvas")).to_have_attribute("data-sample", re.compile(r"\d+"))
    expect(page.locator("#where")).to_have_text(re.compile(r"\d+ of \d+"))
    return int(page.locator("#canvas").get_attribute("data-sample") or 0)


def _at(page: Page, sample: int) -> None:
    expect(page.locator("#canvas")).to_have_attribute("data-sample", str(sample))


def test_overview_counts_what_the_database_holds(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    counts = _status_counts(served)
    expect(page.locator("#samples-total")).to_have_text(str(sum(counts.values())))
    expect(page.locator("#statuses a", has_text="flagged").locator("b")).to_have_text(str(counts["flagged"]))
    expect(page.locator(".next-step h2")).to_have_text(re.compile("share this mask"))
    page.locator("#statuses a", has_text="flagged").click()
    expect(page.locator("#total")).to_have_text(str(counts["flagged"]))


def test_a_bar_of_the_class_chart_opens_its_samples(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    bars = page.locator("#class-chart .bars .point path")
    expect(bars.first).to_be_visible()
    box = bars.nth(1).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile(r"samples\?class=1$"))
    expect(page.locator(".chip")).to_have_text(re.compile("has soil"))


def test_filters_live_in_the_url(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples")
    page.locator(".option", has_text="shared mask").click()
    expect(page).to_have_url(re.compile(r"check=shared_mask"))
    flagged = page.locator("#total").inner_text()
    page.reload()
    expect(page.locator("#total")).to_have_text(flagged)
    page.get_by_placeholder("Text in the key").fill("0001")
    expect(page).to_have_url(re.compile(r"q=0001"))
    page.go_back()
    expect(page.locator("#total")).to_have_text(flagged)
    page.locator(".chip").first.click()
    expect(page).to_have_url(re.compile(r"/samples$"))


def test_brushing_the_histogram_filters_and_counts(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    expect(page.locator("#brush")).to_have_attribute("data-ready", "true")
    box = page.locator("#histogram").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 3
    page.mouse.move(box["x"] + 0.72 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.85 * box["width"], y, steps=4)
    page.mouse.move(box["x"] + 0.99 * box["width"], y, steps=4)
    with served.db.read() as session:
        inside = browse.count(session, datasets.find(session, "demo").id, Filter(check="shared_mask", min=0.7))
    expect(page.locator("#brush-count")).to_have_text(f"{inside} samples in the range")
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"min=0\.\d+"))
    expect(page.locator("#total")).to_have_text(str(inside))


def test_the_range_can_be_typed(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    page.get_by_label("from").fill("0.5")
    page.keyboard.press("Tab")
    expect(page).to_have_url(re.compile(r"min=0\.5"))


def test_excluding_a_group_and_undoing_it(served: Served, page: Page) -> None:
    before = _status_counts(served)
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    card = page.locator(".group").first
    size = int(card.get_attribute("data-size") or 0)
    card.get_by_role("button", name="Exclude all").click()
    toast = page.locator(".toast", has_text=f"{size} samples excluded. Saved.")
    expect(toast).to_be_visible()
    assert _status_counts(served)["excluded"] == size
    expect(page.locator(".tile").first).to_have_attribute("data-status", "excluded")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="undone")).to_be_visible()
    assert _status_counts(served) == before
    page.goto(f"{served.url}/d/demo/history")
    expect(page.locator(".batch.undone")).to_have_count(1)


def test_history_undoes_a_batch_as_one(served: Served, page: Page) -> None:
    before = _status_counts(served)
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    page.locator(".group").first.get_by_role("button", name="Keep all").click()
    expect(page.locator(".toast", has_text="kept. Saved.")).to_be_visible()
    page.goto(f"{served.url}/d/demo/history")
    page.locator("[data-undo]").first.click()
    expect(page.locator(".batch")).to_have_count(2)
    assert _status_counts(served) == before


def test_selecting_a_range_and_all_that_match(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?sort=key")
    tiles = page.locator(".tile")
    tiles.nth(1).locator("input").check()
    tiles.nth(4).locator("> a").click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("4 selected")
    page.locator("#batch-bar [data-verb=exclude]").click()
    expect(page.locator(".toast", has_text="4 samples excluded")).to_be_visible()
    assert _status_counts(served)["excluded"] == 4
    tiles.nth(8).locator("> a").click(modifiers=["Control"])
    expect(page.locator("#picked")).to_have_text("1 selected")
    page.locator("#pick-all").click()
    expect(page.locator("#picked")).to_have_text(re.compile(r"All \d+ that match"))
    page.keyboard.press("Escape")
    expect(page.locator("#batch-bar")).to_be_hidden()


def test_the_grid_goes_on_while_scrolling(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?sort=key")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(60)
    tiles.last.scroll_into_view_if_needed()
    expect(tiles).to_have_count(120)


def test_next_and_previous_by_keys_without_a_page_load(served: Served, page: Page) -> None:
    order = _order(served, Filter(check="shared_mask"))
    _open_sample(page, served, "?check=shared_mask")
    page.evaluate("window.sameDocument = true")
    _at(page, order[0])
    for key, at in (("f", 1), ("ArrowRight", 2), ("s", 3), ("d", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        _at(page, order[at])
    expect(page.locator("#where")).to_have_text(f"2 of {len(order)}")
    expect(page).to_have_url(re.compile(rf"/samples/{order[1]}\?check=shared_mask$"))
    page.go_back()
    _at(page, order[2])
    assert page.evaluate("window.sameDocument")


def test_decisions_by_keys_are_saved_and_undone(served: Served, page: Page) -> None:
    order = _order(served, Filter(check="shared_mask"))
    _open_sample(page, served, "?check=shared_mask")
    status = page.locator("#status")
    for key, name in (("x", "excluded"), ("Control+z", "flagged"), ("r", "accepted"), ("Control+z", "flagged")):
        page.keyboard.press(key)
        expect(status).to_have_text(name)
        expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    page.keyboard.press("Control+Shift+z")
    expect(status).to_have_text("accepted")
    page.keyboard.press("f")
    _at(page, order[1])
    page.keyboard.press("a")
    expect(status).to_have_text("accepted")
    page.keyboard.press("Enter")
    _at(page, order[2])
    page.keyboard.press("Enter")
    _at(page, order[3])
    expect(status).to_have_text("flagged")
    page.keyboard.press("d")
    expect(status).to_have_text("accepted")
    assert _status_counts(served)["accepted"] == 3
    expect(page.locator("#decisions li")).to_have_count(1)
    expect(page.locator("#decisions")).to_have_text(re.compile("Rita"))


def test_looking_by_keys(served: Served, page: Page) -> None:
    _open_sample(page, served, "?check=shared_mask")
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
    _open_sample(page, served)
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
    _open_sample(page, served, "?check=shared_mask")
    first = _shown(page)
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
    assert _shown(page) == first
    expect(page.locator("#status")).to_have_text("flagged")
    assert _status_counts(served)["excluded"] == 0


def test_after_a_click_the_keys_act_again(served: Served, page: Page) -> None:
    order = _order(served, Filter(check="shared_mask"))
    _open_sample(page, served, "?check=shared_mask")
    page.locator("#contour").click()
    page.keyboard.press("f")
    _at(page, order[1])


def test_escape_leads_back_to_the_same_place(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?sort=key")
    tiles = page.locator(".tile")
    tiles.last.scroll_into_view_if_needed()
    expect(tiles).to_have_count(120)
    chosen = tiles.nth(85)
    chosen.scroll_into_view_if_needed()
    sample = chosen.get_attribute("data-id") or ""
    top = chosen.evaluate("node => node.getBoundingClientRect().top")
    chosen.locator("> a").click()
    _at(page, int(sample))
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{served.url}/d/demo/samples?sort=key")
    back = page.locator(f'.tile[data-id="{sample}"] > a')
    expect(back).to_be_focused()
    expect(back).to_be_in_viewport()
    page.wait_for_function(f"Math.abs(document.activeElement.getBoundingClientRect().top - {top}) < 8")


def test_by_keyboard_alone(served: Served, page: Page) -> None:
    order = _order(served, Filter(status=("flagged",)))
    page.goto(f"{served.url}/d/demo/samples?status=flagged")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tile > a").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    _at(page, order[1])
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "exclude":
            break
    outline = page.locator("#exclude").evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("excluded")
    _at(page, order[1])
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
    _open_sample(page, served, "?check=shared_mask")
    other = watched_page(browser.contexts[-1], watch)
    other.goto(page.url)
    _shown(other)
    other.keyboard.press("r")
    expect(other.locator("#status")).to_have_text("accepted")
    page.keyboard.press("x")
    banner = page.locator("#banner")
    expect(banner).to_have_text(re.compile("changed since you opened it: now accepted"))
    banner.get_by_role("button", name="exclude anyway").click()
    expect(page.locator("#status")).to_have_text("excluded")


def test_a_decision_that_is_not_saved_says_so_and_retries(served: Served, page: Page, watch: Watch) -> None:
    watch.expected.append("Failed to load resource")
    _open_sample(page, served, "?check=shared_mask")
    page.route("**/decisions", lambda route: route.abort())
    page.keyboard.press("x")
    expect(page.locator("#save")).to_have_attribute("data-state", "failed")
    page.unroute("**/decisions")
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


def test_a_proposed_mask_is_accepted_and_the_old_one_restored(served: Served, page: Page) -> None:
    _propose(served, 1)
    page.goto(f"{served.url}/d/demo/samples/1")
    _shown(page)
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


def test_a_running_job_shows_in_the_header_and_can_be_cancelled(served: Served, page: Page) -> None:
    with served.db.write() as session:
        job = jobs.request(session, "check", datasets.find(session, "demo").id, {})
        assert jobs.claim(session, job.id, "somebody")
        jobs.beat(session, job.id, "somebody", 30, 120, "looking")
    page.goto(f"{served.url}/d/demo/history")
    page.locator("#jobs summary").click()
    row = page.locator("#jobs li").first
    expect(row).to_have_text(re.compile("Checks · demo.*looking · 30 of 120"))
    with page.expect_response("**/cancel"):
        row.get_by_role("button", name="Cancel").click()
    with served.db.write() as session:
        assert not jobs.beat(session, job.id, "somebody", 31, 120, "looking")
        jobs.finish(session, job.id, "cancelled")
    expect(row).to_have_text(re.compile("cancelled"))


def test_the_reviewers_name_is_kept(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    page.locator("#reviewer summary").click()
    page.locator("#reviewer input").fill("Ada Example")
    page.keyboard.press("Enter")
    expect(page.locator("#reviewer [data-name]")).to_have_text("Ada Example")
    _open_sample(page, served)
    page.keyboard.press("x")
    expect(page.locator("#decisions")).to_have_text(re.compile("Ada Example"))
