"""The editor's shapes and operations against plain, slow ones: random cases, computed in the real browser."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page
from scipy import ndimage

from tests.browser.conftest import Served, Watch, watched_page

Mask = npt.NDArray[np.uint8]
HEIGHT, WIDTH = 90, 130  # more than one tile each way, and no whole number of tiles
RUN = """async ([body, given]) => {
  const [{ Document }, shapes, regions, { Likeness }] = await Promise.all(
    ["document", "shapes", "regions", "likeness"].map((name) => import(`/static/editor/${name}.js`)));
  const doc = new Document(Uint8Array.from(given.ids), given.width, given.height, given.cut);
  const likeness = () => {
    const canvas = new OffscreenCanvas(given.width, given.height);
    const pixels = new Uint8ClampedArray(given.gray.flatMap((one) => [one, one, one, 255]));
    canvas.getContext("2d").putImageData(new ImageData(pixels, given.width), 0, 0);
    return new Likeness(canvas, given.width, given.height);
  };
  const nine = (y, x0, x1) => doc.span(y, x0, x1, 9);
  const actions = {
    sweep: ([ax, ay, bx, by, size, round]) => {
      const [a, b] = [{ x: ax, y: ay }, { x: bx, y: by }];
      shapes[round ? "roundSweep" : "squareSweep"](a, b, size, nine);
    },
    polygon: (points) => shapes.polygon(points.map(([x, y]) => ({ x, y })), nine),
    replace: ([x, y, id, whole]) => regions.replace(doc, x, y, id, whole),
    operate: ([name, id, most]) => regions[name](doc, id, most),
    wand: ([x, y, tolerance]) => regions.paint(doc, likeness().wand(x, y, tolerance), 9),
    disc: ([x, y, size, tolerance]) => likeness().disc(x, y, size, tolerance, nine),
    copy: ([y, x0, x1, id]) => doc.copy(y, x0, x1, new Uint8Array(doc.ids.length).fill(id)),
  };
  for (const id of given.locked) doc.lock(id, true);
  const out = [];
  for (const [name, argument] of body) {
    doc.begin();
    actions[name](argument);
    doc.commit();
    out.push([...doc.ids]);
  }
  const steps = doc.done.length;
  while (doc.undo());
  const undone = [...doc.ids];
  while (doc.redo());
  return { out, undone, redone: [...doc.ids], steps };
}"""


@pytest.fixture
def blank(served: Served, browser: Browser, watch: Watch) -> Iterator[Page]:
    """A page that draws nothing itself."""
    context = browser.new_context()
    page = watched_page(context, watch)
    page.goto(f"{served.url}/docs")
    yield page
    context.close()


def run(
    page: Page,
    given: Mask,
    actions: list[tuple[str, Any]],
    gray: Mask | None = None,
    locked: tuple[int, ...] = (),
    cut: tuple[str, ...] = (),
) -> list[Mask]:
    """The mask after each action; ``cut``: the sides beyond which the picture goes on. That undoing all gives the first
    and redoing the last is checked on the way."""
    height, width = given.shape
    known = {"ids": given.ravel().tolist(), "width": width, "height": height, "locked": locked}
    known["cut"] = dict.fromkeys(cut, True)
    known["gray"] = [] if gray is None else gray.ravel().tolist()
    answer = page.evaluate(RUN, [json.loads(json.dumps(actions)), known])
    assert answer["undone"] == given.ravel().tolist()
    assert answer["redone"] == answer["out"][-1]
    return [np.array(one, np.uint8).reshape(given.shape) for one in answer["out"]]


def blobs(random: np.random.Generator) -> Mask:
    """A mask of a few classes in smooth pieces, with specks and holes."""
    noise = ndimage.gaussian_filter(random.normal(size=(HEIGHT, WIDTH)), 4)
    mask = np.digitize(noise, np.quantile(noise, (0.3, 0.6, 0.8))).astype(np.uint8)
    speckled = random.random(mask.shape) < 0.02
    mask[speckled] = random.integers(0, 4, int(speckled.sum()))
    return mask


CROSS = ndimage.generate_binary_structure(2, 1)


def test_sweeps_are_the_pixels_near_the_line(blank: Page) -> None:
    random = np.random.default_rng(3)
    given = np.zeros((HEIGHT, WIDTH), np.uint8)
    ys, xs = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    actions, wanted, now = [], [], given.copy()
    for _ in range(60):
        size, round_one = int(random.integers(1, 24)), bool(random.integers(2))
        off = 0.5 if size % 2 else 0.0
        ax, ay, bx, by = (int(one) + off for one in random.integers(-15, 140, 4))
        if random.random() < 0.2:
            bx, by = ax, ay
        actions.append(("sweep", [ax, ay, bx, by, size, round_one]))
        dx, dy = bx - ax, by - ay
        if round_one:
            t = np.clip(((xs - ax) * dx + (ys - ay) * dy) / (dx * dx + dy * dy or 1), 0, 1)
            inside = (xs - ax - t * dx) ** 2 + (ys - ay - t * dy) ** 2 <= (size / 2) ** 2 + 1e-7
        else:  # within half the size of one point of the line in both directions
            low, high = np.zeros_like(xs), np.ones_like(xs)
            for at, start, step in ((xs, ax, dx), (ys, ay, dy)):
                if step:
                    ends = np.sort([(at - start - size / 2) / step, (at - start + size / 2) / step], axis=0)
                    low, high = np.maximum(low, ends[0]), np.minimum(high, ends[1])
                else:
                    high = np.where(np.abs(at - start) <= size / 2, high, -1)
            inside = low <= high + 1e-9
        now = np.where(inside, 9, now).astype(np.uint8)
        wanted.append(now)
    for found, one, action in zip(run(blank, given, actions), wanted, actions, strict=True):
        np.testing.assert_array_equal(found, one, str(action))


def test_a_polygon_is_the_centres_inside(blank: Page) -> None:
    given = np.zeros((HEIGHT, WIDTH), np.uint8)
    star = [(20.3, 10.1), (100.2, 80.7), (10.4, 45.2), (110.9, 30.6), (30.1, 85.3)]
    found = run(blank, given, [("polygon", star)])[-1]
    ys, xs = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    crossings = np.zeros(given.shape, int)
    for (ax, ay), (bx, by) in zip(star, star[1:] + star[:1], strict=True):
        spans = (ay <= ys) != (by <= ys)
        crossings += spans & (xs >= ax + (ys - ay) / (by - ay) * (bx - ax))
    np.testing.assert_array_equal(found == 9, crossings % 2 == 1)


def test_regions_grow_shrink_fill_and_lose_specks(blank: Page) -> None:
    given = blobs(np.random.default_rng(4))
    found = dict(
        zip(
            ("grow", "shrink", "fillHoles", "removeSpecks", "smooth"),
            (
                run(blank, given, [("operate", [name, 2, 20])])[-1]
                for name in ("grow", "shrink", "fillHoles", "removeSpecks", "smooth")
            ),
            strict=True,
        )
    )
    own = given == 2
    np.testing.assert_array_equal(found["grow"] == 2, ndimage.binary_dilation(own, CROSS))
    np.testing.assert_array_equal(found["grow"][found["grow"] != 2], given[found["grow"] != 2])
    np.testing.assert_array_equal(found["shrink"] == 2, ndimage.binary_erosion(own, CROSS, border_value=1))
    np.testing.assert_array_equal(found["shrink"][~own], given[~own])
    labels, _ = ndimage.label(~own, CROSS)
    edge = {*labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]}
    sizes = np.bincount(labels.ravel())
    holes = [label for label in range(1, sizes.size) if label not in edge and sizes[label] <= 20]
    np.testing.assert_array_equal(found["fillHoles"] == 2, own | np.isin(labels, holes))
    labels, _ = ndimage.label(own, CROSS)
    small = np.bincount(labels.ravel()) <= 20
    small[0] = False
    np.testing.assert_array_equal(found["removeSpecks"] == 2, own & ~small[labels])
    np.testing.assert_array_equal(found["removeSpecks"][~own], given[~own])
    share = ndimage.uniform_filter(own.astype(float), 5, mode="constant")[2:-2, 2:-2]
    rim = ndimage.binary_dilation(own, CROSS) & ~ndimage.binary_erosion(own, CROSS, border_value=1)
    inner = own[2:-2, 2:-2].copy()
    inner[rim[2:-2, 2:-2]] = (share > 0.5)[rim[2:-2, 2:-2]]
    np.testing.assert_array_equal(found["smooth"][2:-2, 2:-2] == 2, inner)


def test_a_piece_that_may_go_on_beyond_the_part_is_no_speck(blank: Page) -> None:
    given = np.zeros((6, 9), np.uint8)
    for y, x in ((0, 3), (5, 4), (2, 0), (3, 8), (2, 4)):
        given[y, x] = 2
    [left] = run(blank, given, [("operate", ["removeSpecks", 2, 4])], cut=("top", "right"))
    assert np.argwhere(left).tolist() == [[0, 3], [3, 8]]
    [left] = run(blank, given, [("operate", ["removeSpecks", 2, 4])], cut=("bottom", "left"))
    assert np.argwhere(left).tolist() == [[2, 0], [5, 4]]


def test_fill_takes_one_region_or_the_class(blank: Page) -> None:
    given = blobs(np.random.default_rng(5))
    one, all_of_it = run(blank, given, [("replace", [60, 40, 8, False]), ("replace", [0, 0, 7, True])])
    labels, _ = ndimage.label(given == given[40, 60], CROSS)
    np.testing.assert_array_equal(one, np.where(labels == labels[40, 60], 8, given))
    np.testing.assert_array_equal(all_of_it, np.where(one == one[0, 0], 7, one))


def test_wand_and_smart_brush_go_by_the_picture(blank: Page) -> None:
    random = np.random.default_rng(6)
    gray = np.full((HEIGHT, WIDTH), 60, np.uint8)
    gray[:, 64:] = 140
    gray[20:30, 90:100] = 60
    gray += random.integers(0, 8, gray.shape).astype(np.uint8)
    given = np.zeros(gray.shape, np.uint8)
    wand = run(blank, given, [("wand", [30, 40, 24])], gray)[-1]
    np.testing.assert_array_equal(wand == 9, np.arange(WIDTH)[None] < np.full((HEIGHT, 1), 64))
    disc = run(blank, given, [("disc", [58, 40, 40, 24])], gray)[-1]
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    np.testing.assert_array_equal(disc == 9, ((xs - 58) ** 2 + (ys - 40) ** 2 <= 400) & (xs < 64))


def test_locked_classes_are_spared_by_everything(blank: Page) -> None:
    given = blobs(np.random.default_rng(7))
    actions: list[tuple[str, Any]] = [
        ("sweep", [10, 10, 120, 80, 30, True]),
        ("polygon", [(5, 5), (120, 10), (60, 85)]),
        ("operate", ["grow", 3, 20]),
        ("replace", [0, 0, 8, True]),
        ("copy", [40, -5, 500, 6]),
    ]
    for found in run(blank, given, actions, locked=(1,)):
        assert (found[given == 1] == 1).all()
    np.testing.assert_array_equal(found[40][given[40] != 1], 6)
