from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from app.domain.checks.bad_image import BadImage
from benchmarks.replicas import Image as Pixels
from benchmarks.replicas import scene
from tests.domain.checks.views import CLASSES, Array, flagged, folder_set, judge, views
from tests.shared import shared


def grainy(seed: int) -> Pixels:
    image = scene(np.random.default_rng(seed))[0] + np.random.default_rng(seed).normal(0, 8, (64, 128))
    return np.clip(image, 0, 255).astype(np.uint8)


GOOD = [grainy(seed) for seed in range(40)]

BAD: dict[str, Callable[[Pixels], Array]] = {
    "blank": lambda image: np.full_like(image, 90),
    "darker": lambda image: (image * 0.1).astype(np.uint8),
    "brighter": lambda image: (255 - (255 - image) * 0.05).astype(np.uint8),
    "clipped": lambda image: np.clip(image.astype(np.int32) * 8 - 1000, 0, 255).astype(np.uint8),
    "blurred": lambda image: ndimage.gaussian_filter(image, 3).astype(np.uint8),
    "tiny": lambda image: image[:9, :12],
    "not numbers": lambda image: np.where(image > 150, np.nan, image.astype(np.float32)),
}


@pytest.mark.parametrize("what", BAD)
def test_each_defect_is_flagged_by_its_name(what: str) -> None:
    findings, groups = judge(BadImage(CLASSES), views([*GOOD, BAD[what](GOOD[3])], [None] * 41))
    assert flagged(findings) == {40}
    assert what in findings[40].reason
    assert not groups


@pytest.mark.parametrize("defect", ["darker", "blurred"])
def test_what_all_pictures_have_in_common_is_no_defect(defect: str) -> None:
    assert not flagged(judge(BadImage(CLASSES), views([BAD[defect](image) for image in GOOD], [None] * 40))[0])


def test_sixteen_bit_pictures_that_use_twelve_are_not_dark() -> None:
    deep = [image.astype(np.uint16) * 16 for image in GOOD]
    assert not flagged(judge(BadImage(CLASSES), views(deep, [None] * 40))[0])
    deep.append((deep[0] // 20).astype(np.uint16))
    assert flagged(judge(BadImage(CLASSES), views(deep, [None] * 41))[0]) == {40}


@pytest.mark.parametrize("name", ["camvid_240x180", "nuclei_dsb2018", "marsdata", "mars_real"])
def test_few_pictures_of_real_sets_are_flagged(name: str) -> None:
    seen = folder_set(shared(f"data/{name}"))
    assert len(flagged(judge(BadImage(CLASSES), seen)[0])) <= 0.05 * len(seen)
