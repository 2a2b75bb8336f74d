"""One suspected region of a mask: where, how likely it is wrong, and what seems to be wrong with it."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.detector.predicted import Bool
from app.domain.formats.rle import area, bounds_within, box_of, runs_of


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


def region_of(
    inside: Bool,
    reason: Reason,
    given: int | None,
    seen: int | None,
    probability: float,
    corner: tuple[int, int] = (0, 0),
    frame: tuple[int, int] | None = None,
) -> Region:
    """The pixels ``inside``, at least one: (H, W), or a part of a ``frame`` of another height and width, whose upper
    left ``corner`` (top, left) it has there."""
    height, width = frame or inside.shape
    bounds = bounds_within(inside, corner, height)
    counts = tuple(runs_of(bounds, height * width))
    return Region(reason, given, seen, area(bounds), box_of(bounds, height), counts, probability)


def whole_of(frame: tuple[int, int], reason: Reason, probability: float) -> Region:
    """All of a frame of this height and width."""
    height, width = frame
    return Region(reason, None, None, height * width, (0, 0, width, height), (0, height * width), probability)
