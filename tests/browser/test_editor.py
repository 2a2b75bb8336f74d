"""Drawing in the browser: what is drawn at a known place and zoom is in the database bit for bit."""

import time
from itertools import count

import numpy as np
from playwright.sync_api import Browser, Page, expect

from app.domain.actor import person
from app.domain.detector.region import Reason, region_of
from app.domain.mask import Mask
from app.flows import edit
from app.store import datasets, drafts, rasters, revisions, samples
from app.store.tables import Raster
from tests.browser.conftest import Served, Watch, watched_page
from tests.browser.steps import expect_sample, line_to, shown_sample, status_counts
from tests.suspected import Said, search

SAMPLE = 5
SOIL, BEDROCK, SAND, BIG_ROCK = 1, 2, 3, 4


def current(served: Served, sample: int = SAMPLE) -> tuple[int, Mask]:
    with served.db.read() as session:
        one = samples.find(session, sample)
        revision = revisions.find(session, one.current_id or 0)
        return revision.id, rasters.mask(session, session.get_one(Raster, revision.mask_id))


def start(page: Page, served: Served, **settings: object) -> None:
    """Draw on the sample at a zoom of 8: pixel (x, y) of the picture lies at (8 x, 8 y) of the canvas."""
    page.goto(f"{served.url}/d/demo/samples/{SAMPLE}")
    page.evaluate("chosen => localStorage.setItem('draw', JSON.stringify(chosen))", settings)
    page.reload()
    expect_sample(page, SAMPLE)
    shown_sample(page)
    page.evaluate("""async () => {
      const { Viewer } = await import("/static/viewer.js");
      const { paint } = Viewer.prototype;
      Viewer.prototype.paint = function (box) {
        Object.assign(this, { scale: 8, x: 0, y: 0, fitted: false });
        paint.call(this, box);
      };
    }""")
    page.keyboard.press("n")
    expect(page.locator("#canvas")).to_have_attribute("data-drawing", "true")
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["x"] + 8 * x, box["y"] + 8 * y


def drag(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(page, *point))
    page.mouse.up()


def click(page: Page, x: float, y: float) -> None:
    page.mouse.click(*at(page, x + 0.5, y + 0.5))


def done(page: Page, served: Served) -> Mask:
    """Save; the mask that is in the database then."""
    page.keyboard.press("Enter")
    expect(page.locator("#canvas")).to_have_attribute("data-drawing", "false")
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    return current(served)[1]


def capsule(mask: Mask, a: tuple[float, float], b: tuple[float, float], size: float, id: int) -> None:
    """The pixels whose centre is within half of ``size`` of the line, one by one."""
    (ax, ay), (bx, by) = a, b
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    long = (bx - ax) ** 2 + (by - ay) ** 2
    t = np.clip(((xs - ax) * (bx - ax) + (ys - ay) * (by - ay)) / long, 0, 1) if long else np.zeros(mask.shape)
    mask[(xs - ax - t * (bx - ax)) ** 2 + (ys - ay - t * (by - ay)) ** 2 <= (size / 2) ** 2 + 1e-9] = id


def test_a_stroke_is_in_the_database_pixel_by_pixel(served: Served, page: Page) -> None:
    base, given = current(served)
    start(page, served, size=5)
    page.keyboard.press("5")
    drag(page, (20.5, 20.5), (60.5, 31.5), (60.5, 50.5))
    wanted = given.copy()
    capsule(wanted, (20.5, 20.5), (60.5, 31.5), 5, BIG_ROCK)
    capsule(wanted, (60.5, 31.5), (60.5, 50.5), 5, BIG_ROCK)
    np.testing.assert_array_equal(done(page, served), wanted)
    with served.db.read() as session:
        made = revisions.find(session, current(served)[0])
        assert (made.parent_id, made.source, made.actor_name) == (base, "brush", "Rita")
        assert samples.find(session, SAMPLE).status == "corrected"
        assert drafts.newest(session, SAMPLE, "Rita") is None
    page.keyboard.press("Control+z")
    expect_sample(page, SAMPLE)
    expect(page.locator("#status")).to_have_text("unreviewed")
    np.testing.assert_array_equal(current(served)[1], given)


def test_even_and_square_brushes_sit_between_pixels_and_the_eraser_paints_background(
    served: Served, page: Page
) -> None:
    _, given = current(served)
    start(page, served, size=4, round=False)
    page.keyboard.press("2")
    drag(page, (10.2, 12.2), (30.2, 12.2))
    page.keyboard.press("r")
    page.keyboard.press("e")
    drag(page, (20, 40), (20, 40.01))
    wanted = given.copy()
    wanted[10:14, 8:32] = SOIL
    capsule(wanted, (20, 40), (20, 40), 4, 0)
    np.testing.assert_array_equal(done(page, served), wanted)


def test_undo_and_redo_of_more_than_a_hundred_steps(served: Served, page: Page) -> None:
    _, given = current(served)
    start(page, served, size=1)
    page.keyboard.press("5")
    spots = [(2 + i % 60 * 2, 2 + i // 60 * 3) for i in range(110)]
    for x, y in spots:
        click(page, x, y)
    for _ in range(110):
        page.keyboard.press("Control+z")
    expect(page.locator("#draw-undo")).to_be_disabled()
    for _ in range(105):
        page.keyboard.press("Control+Shift+z")
    wanted = given.copy()
    for x, y in spots[:105]:
        wanted[y, x] = BIG_ROCK
    np.testing.assert_array_equal(done(page, served), wanted)


def test_polygon_fill_and_locks(served: Served, page: Page) -> None:
    _, given = current(served)
    start(page, served, size=3)
    page.keyboard.press("p")
    page.keyboard.press("5")
    for x, y in ((30, 20), (60, 20), (60, 40), (30, 40)):
        page.mouse.click(*at(page, x, y))
    page.keyboard.press("Enter")
    page.keyboard.press("l")  # big rock can't be painted over from here on
    page.keyboard.press("2")
    page.keyboard.press("b")
    drag(page, (25.5, 30.5), (65.5, 30.5))
    page.keyboard.press("g")
    page.keyboard.press("1")
    click(page, 64, 30)
    wanted = given.copy()
    capsule(wanted, (25.5, 30.5), (65.5, 30.5), 3, SOIL)
    wanted[20:40, 30:60] = BIG_ROCK
    right = np.zeros(wanted.shape, bool)
    right[:, 60:] = True
    wanted[(wanted == SOIL) & right] = 0
    np.testing.assert_array_equal(done(page, served), wanted)


def test_a_whole_class_is_replaced_and_picked_by_alt(served: Served, page: Page) -> None:
    _, given = current(served)
    start(page, served)
    x, y = (int(one[0]) for one in np.nonzero(given == SAND)[::-1])
    page.keyboard.down("Alt")
    click(page, x, y)
    page.keyboard.up("Alt")
    expect(page.locator("#palette .chip:has(.pick[aria-pressed=true])")).to_have_attribute("data-id", str(SAND))
    page.keyboard.press("g")
    page.get_by_label("the class everywhere").check()
    page.locator("#canvas").focus()
    page.keyboard.press("1")
    click(page, x, y)
    wanted = given.copy()
    wanted[wanted == SAND] = 0
    np.testing.assert_array_equal(done(page, served), wanted)


def test_unsaved_work_survives_a_reload_and_can_be_discarded(served: Served, page: Page) -> None:
    _, given = current(served)
    start(page, served, size=3)
    page.keyboard.press("5")
    drag(page, (20.5, 20.5), (40.5, 20.5))
    expect(page.locator("#draw-save")).to_have_attribute("data-state", "saved")
    page.reload()
    expect(page.locator("#draft")).to_contain_text("unfinished drawing")
    page.locator("#draft").get_by_role("button", name="Go on").click()
    wanted = given.copy()
    capsule(wanted, (20.5, 20.5), (40.5, 20.5), 3, BIG_ROCK)
    np.testing.assert_array_equal(done(page, served), wanted)
    page.goto(f"{served.url}/d/demo/samples/{SAMPLE}")
    shown_sample(page)
    expect(page.locator("#draft")).to_be_hidden()


def test_escape_keeps_a_draft_and_discarding_it_leaves_nothing(served: Served, page: Page) -> None:
    revision, _ = current(served)
    start(page, served, size=9)
    drag(page, (20.5, 20.5), (40.5, 20.5))
    page.keyboard.press("Escape")
    banner = page.locator("#draft")
    expect(banner).to_contain_text("unfinished drawing")
    page.wait_for_function("() => fetch('/api/v1/samples/5/draft').then((answer) => answer.status === 200)")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        banner.get_by_role("button", name="Discard").click()
    with served.db.read() as session:
        assert drafts.newest(session, SAMPLE, "Rita") is None
    assert current(served)[0] == revision


def test_a_draft_that_is_not_saved_says_so_and_goes_through_later(served: Served, page: Page, watch: Watch) -> None:
    watch.expected.append("Failed to load resource")
    line = line_to(page, "**/draft?*")
    start(page, served, size=3)
    line.cut = True
    drag(page, (20.5, 20.5), (40.5, 20.5))
    save = page.locator("#draw-save")
    expect(save).to_have_attribute("data-state", "failed")
    expect(save).to_contain_text("Not saved")
    line.cut = False
    expect(save).to_have_attribute("data-state", "saved")
    with served.db.read() as session:
        assert drafts.newest(session, SAMPLE, "Rita") is not None


def test_two_people_draw_and_both_are_kept(served: Served, page: Page, watch: Watch) -> None:
    watch.expected.append("409")
    base, given = current(served)
    start(page, served, size=3)
    page.keyboard.press("5")
    drag(page, (20.5, 20.5), (40.5, 20.5))
    theirs = given.copy()
    theirs[40:50, 60:80] = SOIL
    edit.finish(served.db, SAMPLE, theirs, person("Bob"), base)
    page.keyboard.press("Enter")
    dialog = page.locator("#merge")
    expect(dialog).to_be_visible()
    expect(page.locator("#merge-theirs-name")).to_contain_text("Bob")
    wanted = theirs.copy()
    capsule(wanted, (20.5, 20.5), (40.5, 20.5), 3, BIG_ROCK)
    pressed = dialog.locator("#merge-regions button[aria-pressed=true]")
    expect(pressed.filter(has_text="Mine")).not_to_have_count(0)  # what only one of them changed is taken from that one
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#status")).to_have_text("corrected")
    np.testing.assert_array_equal(current(served)[1], wanted)
    page.keyboard.press("Control+z")
    expect(page.locator("#status")).to_have_text("conflict")
    np.testing.assert_array_equal(current(served)[1], theirs)


def test_two_fingers_zoom_and_one_draws(served: Served, browser: Browser, watch: Watch) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = watched_page(context, watch)
    _, given = current(served)
    start(page, served, size=3)
    client = context.new_cdp_session(page)
    clock = count(time.time() - 30)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        """A second after the touch before. Where a finger flings, Chromium takes the next tap to stop it: no click."""
        places = [dict(zip(("x", "y"), at(page, *point), strict=True)) for point in points]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places, "timestamp": next(clock)})

    touch("touchStart", (5.5, 5.5))
    touch("touchMove", (6.5, 5.5))
    touch("touchStart", (6.5, 5.5), (30.5, 20.5))
    touch("touchEnd")
    page.locator(f"#palette .chip[data-id='{BIG_ROCK}'] .pick").tap()
    touch("touchStart", (10.5, 10.5))
    touch("touchMove", (30.5, 10.5))
    touch("touchEnd")
    expect(page.locator("#draw-save")).to_have_attribute("data-state", "saved")
    page.locator("#draw-done").tap()
    expect(page.locator("#save")).to_have_attribute("data-state", "saved")
    wanted = given.copy()
    capsule(wanted, (10.5, 10.5), (30.5, 10.5), 3, BIG_ROCK)
    np.testing.assert_array_equal(current(served)[1], wanted)
    context.close()


def test_keys_of_decisions_rest_while_drawing(served: Served, page: Page) -> None:
    before = status_counts(served)
    start(page, served)
    for key in ("x", "a", "s"):
        page.keyboard.press(key)
    assert shown_sample(page) == SAMPLE
    expect(page.locator("#canvas")).to_have_attribute("data-drawing", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#draft")).to_be_hidden()
    assert status_counts(served) == before


def test_the_proposed_mask_is_copied_under_the_brush_and_compared(served: Served, page: Page) -> None:
    base, given = current(served)
    proposed = given.copy()
    proposed[20:40, 30:70] = BIG_ROCK
    edit.finish(served.db, SAMPLE, proposed, person("Bob"), base, aside=True)
    start(page, served, size=10, round=False)
    expect(page.locator("#kit [data-tool=copy]")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("t")
    drag(page, (25, 30), (50, 30))
    wanted = given.copy()
    wanted[25:35, 30:55] = BIG_ROCK
    np.testing.assert_array_equal(done(page, served), wanted)
    page.goto(f"{served.url}/d/demo/samples/{SAMPLE}")
    shown_sample(page)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#merge-why")).to_contain_text(f"{int((wanted != proposed).sum())} pixels")
    page.get_by_role("button", name="All mine").click()
    expect(page.locator("#status")).to_have_text("corrected")
    np.testing.assert_array_equal(current(served)[1], proposed)


def test_what_the_models_saw_is_copied_where_no_mask_waits(served: Served, page: Page) -> None:
    given = current(served)[1]
    seen = given.copy()
    seen[20:40, 30:70] = BIG_ROCK
    home = served.db.path
    assert home is not None
    with served.db.read() as session:
        classes = sorted(datasets.classes(session, datasets.find(session, "demo")).ids)
    suspect = region_of(seen != given, Reason.MISSING, SOIL, BIG_ROCK, 0.5)
    search(served.db, home.parent, "demo", {SAMPLE: Said([suspect], seen)}, classes)
    start(page, served, size=10, round=False)
    expect(page.locator("#kit [data-tool=copy]")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("t")
    drag(page, (25, 30), (50, 30))
    wanted = given.copy()
    wanted[25:35, 30:55] = BIG_ROCK
    np.testing.assert_array_equal(done(page, served), wanted)


def test_keys_right_after_done_see_the_new_mask(served: Served, page: Page) -> None:
    start(page, served, size=3)
    drag(page, (20.5, 20.5), (40.5, 20.5))
    page.keyboard.press("Enter")
    page.keyboard.press("d")  # on to the next and back, while it is still being saved
    expect(page.locator("#status")).to_have_text("corrected")
    expect_sample(page, SAMPLE)
    page.keyboard.press("x")
    expect(page.locator("#status")).to_have_text("excluded")
    assert status_counts(served)["excluded"] == 1
