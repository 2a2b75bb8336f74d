"""Overview and grid: counts, charts, filters, groups, selection, the way back, history, jobs."""

import re

from playwright.sync_api import Page, expect

from app.store import browse, datasets, jobs
from app.store.browse import Filter
from tests.browser.conftest import Served
from tests.browser.steps import expect_sample, status_counts


def test_overview_counts_what_the_database_holds(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    counts = status_counts(served)
    expect(page.locator("#samples-total")).to_have_text(str(sum(counts.values())))
    expect(page.locator("#statuses a", has_text="flagged").locator("b")).to_have_text(str(counts["flagged"]))
    expect(page.locator(".next-step h2")).to_have_text(re.compile("share this mask"))
    page.locator("#statuses a", has_text="flagged").click()
    expect(page.locator("#total")).to_have_text(str(counts["flagged"]))


def test_a_bar_of_the_class_chart_opens_its_samples(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo")
    bars = page.locator("#class-chart .bars .point path")
    expect(bars.first).to_be_visible()
    bars.nth(1).scroll_into_view_if_needed()
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
    page.get_by_role("spinbutton", name="from").fill("5")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert")).to_have_text("A score lies from 0 to 1.")
    expect(page).to_have_url(re.compile(r"min=0\.5"))


def test_excluding_a_group_and_undoing_it(served: Served, page: Page) -> None:
    before = status_counts(served)
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    card = page.locator(".group").first
    size = int(card.get_attribute("data-size") or 0)
    card.get_by_role("button", name="Exclude all").click()
    toast = page.locator(".toast", has_text=f"{size} samples excluded. Saved.")
    expect(toast).to_be_visible()
    assert status_counts(served)["excluded"] == size
    expect(page.locator(".tile").first).to_have_attribute("data-status", "excluded")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="undone")).to_be_visible()
    assert status_counts(served) == before
    page.goto(f"{served.url}/d/demo/history")
    expect(page.locator(".batch.undone")).to_have_count(1)


def test_history_undoes_a_batch_as_one(served: Served, page: Page) -> None:
    before = status_counts(served)
    page.goto(f"{served.url}/d/demo/samples?check=shared_mask")
    page.locator(".group").first.get_by_role("button", name="Keep all").click()
    expect(page.locator(".toast", has_text="kept. Saved.")).to_be_visible()
    page.goto(f"{served.url}/d/demo/history")
    page.locator("[data-undo]").first.click()
    expect(page.locator(".batch")).to_have_count(2)
    assert status_counts(served) == before


def test_selecting_a_range_and_all_that_match(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?sort=key")
    tiles = page.locator(".tile")
    tiles.nth(1).locator("input").check()
    tiles.nth(4).locator("> a").click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("4 selected")
    page.locator("#batch-bar [data-verb=exclude]").click()
    expect(page.locator(".toast", has_text="4 samples excluded")).to_be_visible()
    assert status_counts(served)["excluded"] == 4
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


def test_escape_leads_back_to_the_same_place(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples?sort=key")
    tiles = page.locator(".tile")
    tiles.last.scroll_into_view_if_needed()
    expect(tiles).to_have_count(120)
    chosen = tiles.nth(85)
    chosen.scroll_into_view_if_needed()
    sample = chosen.get_attribute("data-id") or ""
    chosen.locator("> a").click()
    expect_sample(page, int(sample))
    top = page.evaluate("() => JSON.parse(sessionStorage.getItem('grid:/d/demo/samples?sort=key')).top")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{served.url}/d/demo/samples?sort=key")
    back = page.locator(f'.tile[data-id="{sample}"] > a')
    expect(back).to_be_focused()
    expect(back).to_be_in_viewport()
    page.wait_for_function(
        f"() => Math.abs(document.activeElement.closest('.tile').getBoundingClientRect().top - {top}) < 8"
    )


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
