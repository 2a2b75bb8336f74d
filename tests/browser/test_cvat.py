"""To CVAT and back in the browser: sent from the grid, edited at a stand-in, pulled, told in a receipt, settled."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.actor import person
from app.flows import edit
from app.store import cvat, rasters, revisions, samples
from app.store.tables import CvatBatch, Raster
from tests.browser.conftest import Served, Watch, watched_page
from tests.browser.steps import answers_late
from tests.browser.test_pages import CONTRAST
from tests.cvat.standin import Standin, running

FIRST, SECOND = 0, 1


@pytest.fixture
def lab(served: Served, tmp_path: Path) -> Iterator[Standin]:
    """A CVAT that the served data folder names."""
    with running() as standin:
        path = tmp_path / "home" / "cvat.toml"
        path.write_text(f'[servers.lab]\nurl = "{standin.url}"\ntoken = "full.token"\n')
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        yield standin


def at_cvat(served: Served) -> tuple[CvatBatch, list[int], dict[int, int]]:
    """The batch, its samples by frame, and its labels by class."""
    with served.db.read() as session:
        batch = cvat.find(session, 1)
        frames = sorted((one.number or 0, one.sample_id) for one in cvat.frames(session, 1))
        return batch, [sample for _, sample in frames], cvat.labels(session, 1)


def draw_there(standin: Standin, task: int, frame: int, label: int) -> None:
    """A person draws a rectangle at the left of a frame."""
    held = standin.state.shapes[task]
    drawn = {"type": "rectangle", "id": 9000 + frame, "frame": frame, "label_id": label, "points": [0, 0, 20, 30]}
    held.append(held[-1] | drawn | {"z_order": 5})


def draw_here(served: Served, sample: int) -> None:
    """A person draws in Remask: class 1 at the lower right."""
    with served.db.read() as session:
        current = samples.find(session, sample).current_id
        mask = rasters.mask(session, session.get_one(Raster, revisions.find(session, current or 0).mask_id)).copy()
    mask[-10:, -10:] = np.where(mask[-10:, -10:] == 1, 2, 1)
    edit.finish(served.db, sample, mask, person("ada"), current)


def test_there_and_back(served: Served, page: Page, lab: Standin, browser: Browser, watch: Watch) -> None:
    page.goto(f"{served.url}/d/demo/samples?check=unusual_mask")
    for index in (0, 1, 2):
        page.locator(".tile .pick input").nth(index).check(force=True)
    page.locator("#batch-bar").get_by_role("button", name="Send to CVAT").click()
    expect(page.locator("#send-what")).to_have_text("3 selected samples.")
    page.get_by_role("button", name="Test the connection").click()
    expect(page.locator("#send-tested")).to_have_text(re.compile("Connected to CVAT"))
    page.locator("#send-go").click()
    expect(page.locator(".toast")).to_contain_text("3 samples on the way to CVAT")
    page.locator(".toast").get_by_role("button", name="Look").click()
    card = page.locator("[data-batch='1']")
    expect(card.locator("[data-state]").first).to_have_text("at CVAT")
    batch, sent, labels = at_cvat(served)
    expect(card.get_by_role("link", name="task")).to_have_attribute("href", f"{lab.url}/tasks/{batch.task_id}")

    draw_there(lab, batch.task_id or 0, FIRST, labels[2])
    draw_there(lab, batch.task_id or 0, SECOND, labels[3])
    draw_here(served, sent[SECOND])
    for job in lab.state.jobs.values():
        job["state"], job["assignee"] = "completed", lab.state.user("ann")
    card.get_by_role("button", name="Pull", exact=True).click()
    page.locator(".toast").get_by_role("button", name="Receipt").click()
    facts = page.locator(".facts dd")
    expect(facts).to_have_text(["1", "1", "1", "0"])
    expect(page.locator(".line[data-outcome=changed] figcaption").last).to_have_text(
        re.compile(r"[\d,]+ pixels changed")
    )
    for picture in page.locator(".line[data-outcome=changed] img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth > 0 && image.clientHeight > 0")
    page.get_by_role("navigation", name="Outcome").get_by_role("link", name="Conflicts").click()
    expect(page.locator(".line")).to_have_count(1)
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download").click()
    assert downloaded.value.path().read_text().count("\n") == 4

    owed(served, browser, watch, sent[SECOND])
    page.get_by_role("link", name="Settle it").click()
    settle_by_keys(page, served, sent[SECOND])


def settle_by_keys(page: Page, served: Served, sample: int) -> None:
    """What each side alone changed is chosen to begin with; the first region is turned by the keys."""
    expect(page.locator("#conflict")).to_have_attribute("data-ready", "true")
    sides = page.locator("#regions [aria-pressed=true]")
    assert {"Ours", "Theirs"} == set(sides.all_inner_texts())
    page.keyboard.press(".")
    first = page.locator("#regions li").first
    expect(first).to_have_class(re.compile("marked"))
    for key, side in (("1", "Ours"), ("2", "Theirs")):
        page.keyboard.press(key)
        expect(first.locator("[aria-pressed=true]")).to_have_text(side)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/samples/{sample}$"))
    expect(page.locator("#status")).to_have_text("corrected")
    expect(page.locator("#revisions").get_by_role("link", name="receipt")).to_have_count(1)
    expect(page.locator("#cvat")).to_contain_text("Batch 1 · back")
    page.keyboard.press("Control+z")
    expect(page.locator("#status")).to_have_text("conflict")
    expect(page.locator("#cvat").get_by_role("link", name="Settle it")).to_be_visible()


def owed(served: Served, browser: Browser, watch: Watch, sample: int) -> None:
    """Readable in both themes, and nothing is wider than a phone."""
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        small = watched_page(context, watch)
        for path in ("cvat", "cvat/batches/1", "cvat/receipts/1", f"samples/{sample}/conflict", "export"):
            small.goto(f"{served.url}/d/demo/{path}")
            assert small.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert small.evaluate(CONTRAST) == [], (scheme, path)
        context.close()


def test_without_a_server_the_dialog_says_how(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/d/demo/samples")
    page.locator(".results-head").get_by_role("button", name="Send to CVAT").click()
    expect(page.locator("#send-help")).to_contain_text("REMASK_CVAT_URL")
    expect(page.locator("#send-go")).to_be_hidden()


def test_by_hand(served: Served, page: Page, tmp_path: Path) -> None:
    page.goto(f"{served.url}/d/demo/export")
    page.get_by_text("CVAT: Datumaro 1.0").click()
    page.get_by_label("Pictures go along").uncheck()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download").click()
    file = tmp_path / "back.zip"
    downloaded.value.save_as(file)
    page.locator("#back").get_by_role("link").click()
    page.get_by_label("A file of CVAT's").set_input_files(file)
    page.get_by_role("button", name="Read it").click()
    expect(page).to_have_url(re.compile("/cvat/receipts/1$"))
    expect(page.locator(".facts dd").nth(2)).to_have_text("160")


def test_a_label_is_answered_for(served: Served, page: Page, lab: Standin) -> None:
    page.goto(f"{served.url}/d/demo/samples?check=unusual_mask")
    page.locator(".results-head").get_by_role("button", name="Send to CVAT").click()
    page.locator("#send-go").click()
    page.locator(".toast").get_by_role("button", name="Look").click()
    expect(page.locator("[data-batch='1'] [data-state]").first).to_have_text("at CVAT")
    batch, _, _ = at_cvat(served)
    lab.state.labels[777] = next(iter(lab.state.labels.values())) | {"id": 777, "name": "boulder", "color": "#12a456"}
    draw_there(lab, batch.task_id or 0, FIRST, 777)
    page.get_by_role("button", name="Pull", exact=True).click()
    asked = page.locator("[data-question='777']")
    expect(asked).to_contain_text("boulder")
    asked.get_by_label("Class that boulder is").select_option("sand")
    asked.get_by_role("button", name="It is this class").click()
    expect(asked).to_have_count(0)


def test_one_sample_is_pulled_from_its_page(served: Served, page: Page, lab: Standin) -> None:
    page.goto(f"{served.url}/d/demo/samples?check=unusual_mask")
    page.locator(".results-head").get_by_role("button", name="Send to CVAT").click()
    page.locator("#send-go").click()
    expect(page.locator(".toast").get_by_role("button", name="Look")).to_be_visible()
    answers_late(page, 400)  # the scripts come long after their buttons
    page.locator(".toast").get_by_role("button", name="Look").click()
    card = page.locator("[data-batch='1']")
    expect(card.locator("[data-state]").first).to_have_text("at CVAT")
    next(iter(lab.state.jobs.values())).update(state="in progress", assignee=lab.state.user("ann"))
    card.get_by_role("button", name="Look again").click()
    expect(card.locator(".cvat-jobs")).to_contain_text("in progress")
    expect(card.locator(".cvat-jobs").get_by_role("cell", name="ann", exact=True)).to_be_visible()
    answers_late(page, 0)
    _, (sample, *_), _ = at_cvat(served)
    page.goto(f"{served.url}/d/demo/samples/{sample}")
    page.locator("#cvat").get_by_role("button", name="Pull").click()
    expect(page).to_have_url(re.compile("/cvat/receipts/1$"))
    expect(page.locator(".line")).to_have_count(1)
    expect(page.locator(".line")).to_contain_text("confirmed")
