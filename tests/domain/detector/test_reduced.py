"""Large samples are looked at in cells."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from app.domain.detector import Detector, Predicted, Reason
from app.domain.detector.reduced import enlarged, reduced, step_of
from app.domain.detector.region import region_of
from app.domain.formats.rle import coco_decode
from tests.domain.detector.sets import classes, make


def repeated(values: npt.NDArray[Any], by: int) -> npt.NDArray[Any]:
    return values.repeat(by, axis=0).repeat(by, axis=1)


def test_what_is_small_is_looked_at_as_it_is() -> None:
    assert step_of((2000, 2000)) == 1
    assert step_of((2000, 2001)) == 2
    assert step_of((10_000, 10_000)) == 5
    one = Predicted("a", np.zeros((3, 4)), np.zeros((3, 4), np.uint8), np.ones((3, 4, 1)))
    assert reduced(one) is one


def test_cells_are_means_and_the_pixel_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.detector.reduced.MOST", 12)
    monkeypatch.setattr("app.domain.detector.reduced.STRIP", 1)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    given = rng.integers(0, 9, (7, 5), dtype=np.uint8)
    chance = rng.random((7, 5, 2)).astype(np.float16)
    small = reduced(Predicted("a", image, given, chance, fold=3))
    assert (small.key, small.fold, small.image.dtype.name) == ("a", 3, "uint8")
    assert small.given.tolist() == [[given[1, 1], given[1, 3], given[1, 4]]] + [
        [given[y, 1], given[y, 3], given[y, 4]] for y in (3, 5, 6)
    ]
    for y in range(4):
        for x in range(3):
            here = slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)
            np.testing.assert_allclose(
                small.probabilities[y, x], chance[here].mean(axis=(0, 1), dtype=float), atol=1e-6
            )
            np.testing.assert_array_equal(small.image[y, x], np.rint(image[here].mean(axis=(0, 1))))


def test_a_region_is_brought_back_to_the_pixels_that_are_given_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.detector.reduced.MOST", 12)
    rng = np.random.default_rng(1)
    given = rng.integers(0, 2, (7, 5), dtype=np.uint8)
    big = Predicted("a", given, given, np.ones((7, 5, 1)))
    small = reduced(big).given
    cells = np.zeros(small.shape, np.bool_)
    cells[1:, 1:] = small[1:, 1:] == small[2, 2]
    found = enlarged(region_of(cells, Reason.EXTRA, int(small[2, 2]), 1, 0.5), big, small)
    expected = repeated(cells, 2)[:7, :5] & (given == small[2, 2])
    assert np.array_equal(coco_decode({"size": [7, 5], "counts": list(found.counts)}), expected)
    assert found.pixels == expected.sum()
    whole = enlarged(region_of(np.ones_like(cells), Reason.WHOLE, None, None, 0.5), big, small)
    assert (whole.pixels, whole.box, whole.counts) == (35, (0, 0, 5, 7), (0, 35))


def test_a_set_of_large_samples_is_judged_like_the_same_one_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(24, bad=0.4)
    monkeypatch.setattr("app.domain.detector.reduced.MOST", 48 * 64)

    def large(one: Predicted) -> Predicted:
        chance = np.rint(one.probabilities.astype(np.float32) * 255).astype(np.uint8)
        return Predicted(one.key, repeated(one.image, 3), repeated(one.given, 3), repeated(chance, 3))

    def small(one: Predicted) -> Predicted:
        return Predicted(one.key, one.image, one.given, np.rint(one.probabilities.astype(np.float32) * 255))

    both = [Detector(classes(3), images=24).fit(made.changed(how).stream) for how in (small, large)]
    told = 0
    for one in made.samples[:8]:
        expected, found = both[0].score(small(one)), both[1].score(large(one))
        assert found.score == pytest.approx(expected.score, abs=1e-3)
        assert found.pixel_map.shape == one.given.shape
        assert len(found.regions) == len(expected.regions)
        for here, there in zip(found.regions, expected.regions, strict=True):
            cells = coco_decode({"size": [48, 64], "counts": list(there.counts)})
            pixels = coco_decode({"size": [144, 192], "counts": list(here.counts)})
            assert np.array_equal(pixels, repeated(cells, 3))
            told += 1
    assert told
