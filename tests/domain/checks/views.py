"""What the tests of the checks share: views of arrays, real sets as views, and one run of a check."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.checks.base import Check, Finding, Group, View
from app.domain.classes import ClassList, unnamed
from app.domain.mask import Mask, as_mask, pixel_hash

CLASSES = ClassList(tuple(unnamed(id) for id in range(12)))
Array = npt.NDArray[np.generic]


def views(images: Sequence[Array], masks: Sequence[Mask | None]) -> list[View]:
    """Sample i shows image i."""
    return [
        View(i, image, pixel_hash(image), mask, None if mask is None else pixel_hash(mask))
        for i, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]


def judge(check: Check, seen: Sequence[View]) -> tuple[dict[int, Finding], list[Group]]:
    """Findings by sample, and the groups worst first."""
    by_sample = {view.sample: view for view in seen}
    for view in seen:
        check.see(view)
    out = list(check.finish(by_sample.__getitem__))
    findings = [one for one in out if isinstance(one, Finding)]
    assert len({one.sample for one in findings}) == len(findings)
    groups = sorted((one for one in out if isinstance(one, Group)), key=lambda group: -group.score)
    return {one.sample: one for one in findings}, groups


def flagged(findings: dict[int, Finding]) -> set[int]:
    return {sample for sample, one in findings.items() if one.flagged}


@cache
def course_set(path: Path) -> list[View]:
    """The labelled part of an NPZ in the course layout."""
    pairs = np.load(path)["training_set"]
    return views(list(pairs[:, 0]), [as_mask(mask) for mask in pairs[:, 1]])


@cache
def folder_set(path: Path) -> list[View]:
    """Masks and the images of the same names."""
    images: list[Array] = []
    masks: list[Mask | None] = []
    for mask in sorted((path / "masks").rglob("*.png")):
        name = (path / "images" / mask.relative_to(path / "masks")).with_suffix("")
        images.append(np.asarray(Image.open(next(name.parent.glob(name.name + ".*")))))
        masks.append(as_mask(np.asarray(Image.open(mask))))
    return views(images, masks)
