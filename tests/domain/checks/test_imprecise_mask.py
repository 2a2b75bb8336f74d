"""The cues that need no model: they rank careless outlines first and flag hardly anything."""

import numpy as np

from app.domain.checks.imprecise_mask import ImpreciseMask
from app.domain.mask import Mask
from benchmarks.replicas import replica
from tests.domain.checks.views import CLASSES, Array, judge, views

MADE = replica(3, 80, [])


def test_honest_masks_have_no_flag() -> None:
    findings, groups = judge(ImpreciseMask(CLASSES), views(MADE.images, MADE.masks))
    assert len(findings) == len(MADE.masks)
    assert not any(one.flagged for one in findings.values())
    assert groups == []


def disc(shift: int) -> tuple[Array, Mask]:
    """A bright disc, and a mask of it that lies ``shift`` pixels to its right."""
    y, x = np.indices((64, 96))
    picture, mask = np.zeros((64, 96), np.uint8), np.zeros((64, 96), np.uint8)
    picture[(y - 32) ** 2 + (x - 30) ** 2 < 400] = 200
    mask[(y - 32) ** 2 + (x - 30 - shift) ** 2 < 400] = 1
    return picture, mask


def test_a_mask_off_its_edges_is_flagged_as_weakly_told() -> None:
    pairs = [disc(shift) for shift in [0] * 30 + [2, 20]]
    findings, _ = judge(ImpreciseMask(CLASSES), views([one for one, _ in pairs], [mask for _, mask in pairs]))
    assert sorted(findings, key=lambda sample: -findings[sample].score)[:2] == [31, 30]
    assert [sample for sample, one in findings.items() if one.flagged] == [31]
    assert findings[31].reason.startswith("Without a model: ")
    assert "where the picture has no edge" in findings[31].reason


def test_few_masks_tell_nothing() -> None:
    pairs = [disc(shift) for shift in [0] * 14 + [20]]
    findings, _ = judge(ImpreciseMask(CLASSES), views([one for one, _ in pairs], [mask for _, mask in pairs]))
    assert [one.score for one in findings.values()] == [0.0] * 15
