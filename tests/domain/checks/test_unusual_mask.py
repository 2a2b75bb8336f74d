from collections.abc import Callable

import numpy as np
import pytest

from app.domain.checks.shapes import shape
from app.domain.checks.unusual_mask import UnusualMask
from app.domain.mask import Mask
from tests.domain.checks.views import CLASSES, flagged, folder_set, judge, views
from tests.shared import shared

IMAGE = np.zeros((64, 128), np.uint8)


def street(seed: int) -> Mask:
    """Sky (1) over road (2), with a disc (3) on the road."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :128]
    mask = np.where(y + 4 * np.sin(x / rng.uniform(15, 25)) < rng.uniform(22, 30), 1, 2).astype(np.uint8)
    mask[(y - rng.uniform(44, 54)) ** 2 + (x - rng.uniform(15, 113)) ** 2 < rng.uniform(4, 8) ** 2] = 3
    return mask


def specks(mask: Mask) -> Mask:
    out = mask.copy()
    out[40:60:5, 5:120:7] = 1
    return out


def holes(mask: Mask) -> Mask:
    out = mask.copy()
    out[40:60:5, 5:120:7] = 0
    return out


def frayed(mask: Mask) -> Mask:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :128]
    moved = np.clip(y + rng.integers(-2, 3, y.shape), 0, 63), np.clip(x + rng.integers(-2, 3, x.shape), 0, 127)
    return np.asarray(mask[moved], np.uint8)


def disc_in_the_sky(mask: Mask) -> Mask:
    out = np.where(mask == 3, 2, mask).astype(np.uint8)
    out[2:12, 40:52] = 3
    return out


def huge_disc(mask: Mask) -> Mask:
    out = mask.copy()
    out[36:, 10:] = 3
    return out


ODD: dict[str, tuple[Callable[[Mask], Mask], str]] = {
    "unknown id": (lambda mask: np.where(mask == 3, 77, mask).astype(np.uint8), "ids outside the class list: 77"),
    "constant": (lambda mask: np.full_like(mask, 2), "The mask is all class 2"),
    "specks": (specks, "stray specks"),
    "pinholes": (holes, "pinholes"),
    "frayed": (frayed, "frayed"),
    "place": (disc_in_the_sky, "class 3 lies where"),
    "size": (huge_disc, "class 3 covers"),
}


@pytest.mark.parametrize("what", ODD)
def test_each_oddity_is_flagged_alone_and_by_its_name(what: str) -> None:
    spoil, words = ODD[what]
    masks: list[Mask | None] = [street(seed) for seed in range(80)]
    masks[11] = spoil(street(11))
    findings, _ = judge(UnusualMask(CLASSES), views([IMAGE] * 80, masks))
    assert flagged(findings) == {11}
    assert words in findings[11].reason


def test_constant_masks_are_not_odd_where_they_are_common() -> None:
    masks = [street(seed) if seed % 5 else np.full((64, 128), 2, np.uint8) for seed in range(80)]
    assert not flagged(judge(UnusualMask(CLASSES), views([IMAGE] * 80, masks))[0])


def test_the_shape_of_a_known_mask() -> None:
    mask = np.ones((16, 16), np.uint8)
    mask[:, 8:] = 2
    mask[3, 3] = mask[5:7, 5] = 0
    mask[0, 0] = mask[10, 2] = 2
    told = shape(mask, frozenset({0}))
    assert told.areas == {0: 3 / 256, 1: 123 / 256, 2: 130 / 256}
    assert (told.specks, told.pinholes) == (2, 2)
    assert told.places[0] == 1 << (1 * 8 + 1) | 1 << (2 * 8 + 2) | 1 << (3 * 8 + 2)
    assert 0 < told.ragged < 1
    assert shape(np.zeros((4, 4), np.uint8), frozenset()).ragged == 0


@pytest.mark.parametrize(("name", "most"), [("camvid_240x180", 0.05), ("nuclei_dsb2018", 0.05), ("marsdata", 0.06)])
def test_few_masks_of_real_sets_are_flagged(name: str, most: float) -> None:
    seen = folder_set(shared(f"data/{name}"))
    assert len(flagged(judge(UnusualMask(CLASSES), seen)[0])) <= most * len(seen)
