"""One suspected region of a mask: where, how likely it is wrong, and what seems to be wrong with it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.domain.detector.predicted import Bool
from app.domain.formats.rle import coco_counts


class Reason(StrEnum):
    MISSING = "missing object"
    EXTRA = "extra object"
    SWAPPED = "swapped class"
    MOVED = "moved"
    BOUNDARY = "boundary"
    WHOLE = "whole mask wrong"
    FOREIGN = "foreign image"


@dataclass(frozen=True)
class Region:
    """``given`` and ``seen`` are class ids, None where a region spans several; ``box`` is left, top, width, height;
    ``counts`` are COCO's uncompressed run lengths in the (H, W) frame; ``probability`` of being wrong, in [0, 1]."""

    reason: Reason
    given: int | None
    seen: int | None
    pixels: int
    box: tuple[int, int, int, int]
    counts: tuple[int, ...]
    probability: float


def region_of(inside: Bool, reason: Reason, given: int | None, seen: int | None, probability: float) -> Region:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    box = (left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
    return Region(reason, given, seen, int(inside.sum()), box, tuple(coco_counts(inside)), probability)
