"""Take the README's pictures from the running app with the demo set: python docs/screenshots.py [FOLDER]

Needs the development packages and Chromium (Debian: apt install chromium).
"""

import io
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from app.domain.actor import person  # noqa: E402  (the checkout's own app)
from app.flows import demo, inspect  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.store import jobs  # noqa: E402
from app.store.db import open_database  # noqa: E402
from app.web.site import create_app  # noqa: E402

WIDE = (1360, 850)
NARROW = (390, 780)


@contextmanager
def running_demo(home: Path) -> Iterator[str]:
    """The address of an app that serves the demo set, imported and checked."""
    db = open_database(Settings(home=home).database)
    demo.run(db, home, demo.NAME, person("the demo"))
    inspect.run(db, demo.NAME)
    with db.write() as session:  # the checks that the import asked for have just run here
        for job in jobs.waiting(session):
            jobs.finish(session, job.id, "done")
    db.close()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_app(Settings(home=home, port=port, reviewer="Ada"))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(timeout=20)


def _open(browser: Browser, url: str, scheme: str = "light", size: tuple[int, int] = WIDE) -> Page:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    return page


def _save(page: Page, path: Path) -> None:
    """A PNG of 256 colours, which is small and looks the same."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size // 1024} KiB\n")


def take(folder: Path) -> None:
    """Write every picture to ``folder``. Raises RuntimeError without a Chromium."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise RuntimeError("No Chromium on this machine; install it with: apt install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, running_demo(Path(home)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        _save(_open(browser, f"{url}/d/demo"), folder / "overview.png")
        _save(_open(browser, f"{url}/d/demo/samples?check=shared_mask"), folder / "grid.png")
        page = _open(browser, f"{url}/d/demo/samples?check=shared_mask", "dark")
        page.locator(".tile > a").nth(2).click()
        page.locator("#canvas[data-shown=mask]").wait_for()
        page.keyboard.press("x")
        page.locator("#save[data-state=saved]").wait_for()
        page.locator(".toasts").evaluate("node => node.replaceChildren()")
        _save(page, folder / "sample.png")
        _save(_open(browser, f"{url}/d/demo/samples?check=shared_mask", size=NARROW), folder / "narrow.png")
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
