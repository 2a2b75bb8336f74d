"""The cues that need no model."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from app.domain.detector.unaided import unaided

Turn = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


def scene() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    y, x = np.indices((96, 96))
    mask = ((y - 48) ** 2 + (x - 48) ** 2 < 30**2).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 4, mask.shape)
    return np.clip(60 + 120 * mask + noise, 0, 255).astype(np.uint8), mask


def test_a_good_mask_lies_on_the_edges() -> None:
    image, mask = scene()
    assert unaided(image, mask).score < 0.05


def test_a_shifted_mask_is_off_the_edges() -> None:
    image, mask = scene()
    shifted = unaided(image, np.roll(mask, 9, axis=1))
    assert shifted.off_edges > 0.25 and shifted.score > unaided(image, mask).score


def test_specks_and_holes_are_told_apart() -> None:
    image, mask = scene()
    hole, speck = mask.copy(), mask.copy()
    hole[48, 48] = 0
    speck[0, 0] = 1
    assert unaided(image, hole).holes > 0 == unaided(image, hole).specks
    assert unaided(image, speck).specks > 0 == unaided(image, speck).holes
    assert unaided(image, mask).holes == unaided(image, mask).specks == 0


def test_a_ruler_is_seen_where_the_image_has_no_straight_edge() -> None:
    image, mask = scene()
    square = np.zeros_like(mask)
    square[10:86, 10:86] = 1
    assert unaided(image, square).straight > 0.5
    assert unaided(np.where(square > 0, 200, 20).astype(np.uint8), square).straight == 0


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.transpose])
def test_flips_and_transposes_change_nothing(turn: Turn) -> None:
    image, mask = scene()
    mask[5:40, 7:33] = 1
    assert unaided(turn(image), turn(mask)).score == pytest.approx(unaided(image, mask).score)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 40)])
def test_a_constant_mask_scores_nothing(shape: tuple[int, int]) -> None:
    zero = np.zeros(shape, np.uint8)
    assert unaided(zero, zero).score == 0
