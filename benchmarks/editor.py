"""How fast drawing is in a real browser: frames while a stroke is drawn, undo, the draft and the save, on a large mask.

    python -m benchmarks.editor [--side 2048] [--regions 200] [--strokes 12] [--saves 8]

A picture of SIDE x SIDE with a mask of REGIONS regions in eight classes is imported into a data folder of its own and
served; Chromium (found on the machine) draws on it with real pointer events. Printed are p50, p95 and max in ms:

- script: what the page computes for a frame of a stroke: the pointer's events since the last frame, and painting;
- frame: from one painted frame to the next while the pointer moves;
- undo: taking back the last stroke, until it is painted;
- draft: from the stroke's end to the acknowledged draft, without the pause that autosave waits for (300 ms);
- save: from Enter to the acknowledged revision; and how much of it the server computed, which other work on the
  machine doesn't stretch.
"""

import argparse
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import uvicorn
from playwright.sync_api import Page, sync_playwright
from scipy.spatial import cKDTree

from app.domain.actor import person
from app.flows import ingest
from app.settings import Settings
from app.store.db import open_database
from app.web.site import create_app

CLASSES = 8
QUIET_MS = 300
PROBE = """async () => {
  const { Viewer } = await import("/static/viewer.js");
  const probe = (window.probe = { script: [], frame: [], handling: 0, from: 0, last: 0 });
  addEventListener("pointermove", () => (probe.from = performance.now()), true);
  const { repaint, paint } = Viewer.prototype;
  Viewer.prototype.repaint = function (box) {
    repaint.call(this, box);
    if (probe.from) probe.handling += performance.now() - probe.from;
    probe.from = 0;
  };
  Viewer.prototype.paint = function (box) {
    const start = performance.now();
    paint.call(this, box);
    if (!probe.on || !probe.handling) return;
    probe.script.push(probe.handling + performance.now() - start);
    if (probe.last) probe.frame.push(start - probe.last);
    probe.last = start;
    probe.handling = 0;
  };
}"""


def picture(
    side: int, regions: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A noisy gray picture and its mask: the cells of ``regions`` points, in eight classes."""
    points = random.uniform(0, side, (regions, 2))
    rows, columns = np.mgrid[:side, :side]
    _, nearest = cKDTree(points).query(np.stack([rows.ravel(), columns.ravel()], axis=1))
    cells = nearest.reshape(side, side)
    gray = random.integers(40, 216, regions)[cells] + random.integers(-20, 20, (side, side))
    return gray.astype(np.uint8), (cells % CLASSES).astype(np.uint8)


@contextmanager
def served(home: Path, side: int, regions: int) -> Iterator[str]:
    gray, mask = picture(side, regions, np.random.default_rng(0))
    np.savez(home / "large.npz", training_set=np.stack([gray, mask])[None])
    db = open_database(home / "remask.sqlite")
    ingest.run(db, home / "large.npz", "large", person("the benchmark"))
    db.close()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_app(Settings(home=home, port=port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}/d/large/samples/1"
        server.should_exit = True
        thread.join(timeout=20)


def stroke(page: Page, random: np.random.Generator) -> None:
    """A curve over a third of the picture as it is shown, the pointer telling its place some hundred times."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    corners = random.uniform(0.15, 0.85, (4, 2)) * (box["width"], box["height"]) + (box["x"], box["y"])
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.evaluate("() => Object.assign(probe, { on: true, last: 0, handling: 0 })")
    for x, y in corners[1:]:
        page.mouse.move(float(x), float(y), steps=40)
    page.evaluate("() => (probe.on = false)")
    page.mouse.up()


UNTIL = """(selector) => new Promise((resolve) => {
  const box = document.querySelector(selector);
  const start = performance.now();
  box.dataset.state = "waiting";
  const look = (_, seen) => {
    if (box.dataset.state !== "saved") return;
    seen.disconnect();
    resolve(performance.now() - start);
  };
  new MutationObserver(look).observe(box, { attributes: true, attributeFilter: ["data-state"] });
  KEY
})"""
PAINTED = """() => new Promise((resolve) => {
  const start = performance.now();
  KEY
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
})"""


def press(key: str, ctrl: bool = False) -> str:
    how = f'{{ key: "{key}", ctrlKey: {str(ctrl).lower()}, bubbles: true }}'
    return f'document.dispatchEvent(new KeyboardEvent("keydown", {how}));'


def until_saved(page: Page, selector: str, key: str) -> float:
    """Milliseconds from a key until the element of ``selector`` says that it is saved."""
    return float(page.evaluate(UNTIL.replace("KEY", key), selector))


def measure(page: Page, url: str, strokes: int, saves: int) -> dict[str, list[float]]:
    random = np.random.default_rng(1)
    found: dict[str, list[float]] = {"undo": [], "draft": [], "save": [], "save, server's processor": []}
    page.goto(url)
    for size in (40, 160):
        page.evaluate("size => localStorage.setItem('draw', JSON.stringify({ size }))", size)
        page.reload()
        page.evaluate(PROBE)
        page.locator("#canvas[data-sample]").wait_for()
        page.keyboard.press("n")
        page.locator("#canvas[data-drawing=true]").wait_for()
        stroke(page, random)
        page.evaluate("() => Object.assign(probe, { script: [], frame: [] })")
        for _ in range(strokes):
            stroke(page, random)
            page.locator("#draw-save[data-state=saved]").wait_for()
            found["undo"].append(float(page.evaluate(PAINTED.replace("KEY", press("z", ctrl=True)))))
            found["draft"].append(until_saved(page, "#draw-save", press("y", ctrl=True)) - QUIET_MS)
        for name in ("script", "frame"):
            found[f"{name}, brush of {size} px"] = page.evaluate(f"() => probe.{name}")
        page.keyboard.press("Enter")
        page.locator("#save[data-state=saved]").wait_for()
    for _ in range(saves):
        page.locator("#canvas[data-drawing=false]").wait_for()
        page.keyboard.press("n")
        page.locator("#canvas[data-drawing=true]").wait_for()
        stroke(page, random)
        page.locator("#draw-save[data-state=saved]").wait_for()
        worked = time.process_time()
        found["save"].append(until_saved(page, "#save", press("Enter")))
        found["save, server's processor"].append(1000 * (time.process_time() - worked))
        page.wait_for_timeout(300)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--regions", type=int, default=200)
    parser.add_argument("--strokes", type=int, default=12)
    parser.add_argument("--saves", type=int, default=8)
    asked = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        parser.error("there is no Chromium on this machine; install it with: apt install chromium")
    with (
        tempfile.TemporaryDirectory() as home,
        served(Path(home), asked.side, asked.regions) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        found = measure(page, url, asked.strokes, asked.saves)
        print(f"{asked.side} x {asked.side}, {asked.regions} regions, Chromium {browser.version}, milliseconds")
        browser.close()
    for name, values in sorted(found.items()):
        p50, p95 = np.percentile(values, (50, 95))
        print(f"{name:28} n {len(values):5}  p50 {p50:7.1f}  p95 {p95:7.1f}  max {max(values):7.1f}")


if __name__ == "__main__":
    main()
