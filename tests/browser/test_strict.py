"""Every page in a real browser: nothing is asked of anybody else, nothing breaks the Content-Security-Policy, nothing
is complained of; names from strangers stay names, and a role sees what it may do."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.routing import APIRoute, iter_route_contexts
from playwright.sync_api import Browser, Dialog, Page, expect

from app.domain.actor import person
from app.flows import ingest
from app.settings import Settings
from app.store import browse, datasets
from app.store.browse import Filter
from app.store.db import Database
from app.web.roles import Role
from app.web.site import create_app
from tests.browser.conftest import Served, Watch, watched_page
from tests.browser.steps import expect_sample
from tests.strange import strange_classes, strange_zip
from tests.web.live import serving
from tests.web.test_roles import NAMES, SECRETS, token_file

FILLED = {"dataset": "demo"}
BY_HAND = ("/login", "/d/{dataset}/queue", "/static/plotly.min.js", "/openapi.json", "/healthz", "/metrics")
VIOLATIONS = "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective))"


def page_routes(folder: Path) -> set[str]:
    """Templates of all pages."""
    app = create_app(Settings(home=folder))
    db: Database = app.state.db
    found = set()
    for context in iter_route_contexts(app.routes):
        path = str(context.path)
        readable = isinstance(context.original_route, APIRoute) and "GET" in (context.methods or ())
        if readable and not path.startswith(("/api/", "/media/", "/hooks/")) and path not in BY_HAND:
            found.add(path)
    db.close()
    return found


def shape(url: str) -> str:
    """A page's address without numbers and query: one of each kind is looked at."""
    return re.sub(r"\d+", "1", urlsplit(url).path)


def open_strictly(page: Page, url: str) -> int:
    answer = page.goto(url)
    page.wait_for_function("document.readyState === 'complete'")
    page.wait_for_timeout(150)  # what scripts ask for after loading is watched too
    assert answer is not None
    return answer.status


def links(page: Page, base: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all("a[href]:not([download])", "all => all.map((one) => one.href)")
    inside = (url.split("#")[0] for url in found if url.startswith(base))
    return [url for url in inside if not shape(url).startswith(("/api/", "/media/", "/openapi.json"))]


def test_every_page_keeps_to_itself(served: Served, page: Page, watch: Watch, tmp_path: Path) -> None:
    """Routes with what the demo set has, and every kind of page that a link on them leads to."""
    page.add_init_script(VIOLATIONS)
    watch.expected.append("status of 404")  # the demo set has no run, no comparison, no batch at CVAT
    wanted = [re.sub(r"{(\w+)}", lambda m: FILLED.get(m[1], "1"), path) for path in sorted(page_routes(tmp_path))]
    waiting = [f"{served.url}{path}" for path in wanted]
    seen: set[str] = set()
    while waiting:
        url = waiting.pop(0)
        if shape(url) in seen:
            continue
        seen.add(shape(url))
        assert open_strictly(page, url) in (200, 404), url
        waiting += links(page, served.url)
    assert len(seen) >= 14
    assert watch.seen == []


def test_what_breaks_the_policy_would_be_seen(served: Served, page: Page, watch: Watch) -> None:
    page.add_init_script(VIOLATIONS)
    page.goto(served.url)
    page.evaluate("""() => {
      document.body.insertAdjacentHTML('beforeend', '<p style="color: red">x</p><img src="https://example.org/x.png">');
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
    }""")
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    told = " ".join(watch.seen)
    assert all(directive in told for directive in ("style-src", "script-src", "img-src"))
    watch.seen.clear()


def test_names_from_strangers_stay_names(served: Served, page: Page, watch: Watch, tmp_path: Path) -> None:
    strange = strange_zip(tmp_path / "strange.zip")
    ingest.run(served.db, strange, "strange", person("<b>Eve</b>"), label="<i>x</i>", classes=strange_classes())
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    page.add_init_script(VIOLATIONS)
    page.context.add_cookies([{"name": "reviewer", "value": "%3Cb%3EEve", "domain": "127.0.0.1", "path": "/"}])
    for path in ("", "/samples?sort=key", "/history", "/imports", "/classes", "/export", "/train", "/runs"):
        assert open_strictly(page, f"{served.url}/d/strange{path}") == 200
        assert page.locator("img[src=x], main b b, svg[onload]").count() == 0
    open_strictly(page, f"{served.url}/d/strange/samples?sort=key")
    page.locator(".tile > a").first.click()
    with served.db.read() as session:
        order = browse.order(session, datasets.find(session, "strange").id, Filter(sort="key"), 100)
    for sample in order:
        expect_sample(page, sample)
        if sample == order[0]:
            page.keyboard.press("r")
            expect(page.locator("#decisions")).to_contain_text("<b>Eve")
        page.keyboard.press("f")
    assert dialogs == []
    assert page.locator("img[src=x], svg[onload]").count() == 0


def test_a_role_sees_what_it_may_do(demo_home: Path, tmp_path: Path, browser: Browser, watch: Watch) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home, home)
    watch.expected.append("status of 401")
    with serving(home, tokens=token_file(tmp_path)) as (address, _):
        for role in Role:
            context = browser.new_context()
            page = watched_page(context, watch)
            page.goto(f"{address}/d/demo")
            page.get_by_role("link", name="Enter a token").click()
            page.get_by_label("Your token").fill(SECRETS[role])
            page.keyboard.press("Enter")
            expect(page).to_have_url(f"{address}/")
            page.goto(f"{address}/d/demo/samples/1")
            for id in ("#keep", "#exclude"):
                expect(page.locator(id)).to_be_visible(visible=role >= Role.REVIEWER)
            expect(page.locator("#skip")).to_be_visible()
            page.goto(f"{address}/d/demo/export")
            expect(page.get_by_role("button", name="Export")).to_be_visible(visible=role == Role.ADMIN)
            page.goto(f"{address}/d/demo/imports")
            expect(page.locator("#drop")).to_be_visible(visible=role == Role.ADMIN)
            page.locator("#reviewer summary").click()
            expect(page.locator("#reviewer")).to_contain_text(f"You are here as {NAMES[role]}, {role.word}.")
            context.close()
