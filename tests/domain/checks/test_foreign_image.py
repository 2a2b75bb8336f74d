import numpy as np
import pytest

from app.domain.checks.features import features, full_scale
from app.domain.checks.foreign_image import FEWEST, ForeignImage
from benchmarks.replicas import scene
from tests.domain.checks.views import CLASSES, Array, flagged, folder_set, judge, views
from tests.shared import shared

GOOD: list[Array] = [scene(np.random.default_rng(seed))[0] for seed in range(60)]


def stripes() -> Array:
    x = np.arange(128) // 8 % 2 * 200 + 20
    return np.repeat(x[None], 64, axis=0).astype(np.uint8)


def test_a_foreign_picture_is_flagged_with_what_sets_it_apart() -> None:
    findings, _ = judge(ForeignImage(CLASSES), views([*GOOD, stripes()], [None] * 61))
    assert 60 in flagged(findings)
    assert len(flagged(findings)) <= 3
    assert "unlike the others of the set, most of all in" in findings[60].reason


def test_a_colour_picture_among_grey_ones_is_foreign() -> None:
    tinted = np.stack([GOOD[0], GOOD[0] // 3, GOOD[0] // 4], axis=2)
    grey = [np.repeat(image[:, :, None], 3, axis=2) for image in GOOD]
    assert 60 in flagged(judge(ForeignImage(CLASSES), views([*grey, tinted], [None] * 61))[0])


def test_too_few_pictures_tell_nothing() -> None:
    seen = views([*GOOD[: FEWEST - 2], stripes()], [None] * (FEWEST - 1))
    assert {one.score for one in judge(ForeignImage(CLASSES), seen)[0].values()} == {0.0}


def test_features_do_not_depend_on_bit_depth() -> None:
    assert np.allclose(features(GOOD[0]), features(GOOD[0].astype(np.uint16) * 257), atol=0.02)


def test_full_scale_of_each_kind() -> None:
    assert full_scale(np.zeros((2, 2), np.uint8)) == 255
    assert full_scale(np.zeros((2, 2), np.uint16)) == 65535
    assert full_scale(np.zeros((2, 2), bool)) == 1
    assert full_scale(np.array([[0.5, np.nan]])) == 1
    assert full_scale(np.array([[3.0, np.inf]])) == 3


@pytest.mark.parametrize("name", ["camvid_240x180", "nuclei_dsb2018", "marsdata", "mars_real"])
def test_few_pictures_of_real_sets_are_flagged(name: str) -> None:
    seen = folder_set(shared(f"data/{name}"))
    assert len(flagged(judge(ForeignImage(CLASSES), seen)[0])) <= 0.05 * len(seen)


def test_nuclei_among_street_scenes_are_flagged() -> None:
    streets = [view.image for view in folder_set(shared("data/camvid_240x180"))]
    nuclei = [view.image[:, :, :3] for view in folder_set(shared("data/nuclei_dsb2018"))[:10]]
    hits = flagged(judge(ForeignImage(CLASSES), views([*streets, *nuclei], [None] * (len(streets) + 10)))[0])
    assert set(range(len(streets), len(streets) + 10)) <= hits
    assert len(hits) <= 15
