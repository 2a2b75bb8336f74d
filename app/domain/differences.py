"""Where two masks of one picture differ, region by region, and one mask put together of both."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.detector.components import components
from app.domain.errors import Invalid
from app.domain.mask import Mask, as_mask

Labels = npt.NDArray[np.int32]


class Unlike(Invalid):
    """Two masks that aren't of one picture."""


@dataclass(frozen=True)
class Difference:
    """A four-connected region where the one mask says ``was`` throughout and the other ``becomes``.

    ``number`` counts from 1 in the order of first pixels, row by row; ``box`` is left, top, right, bottom in pixels,
    right and bottom exclusive.
    """

    number: int
    was: int
    becomes: int
    pixels: int
    box: tuple[int, int, int, int]


def differences(a: Mask, b: Mask) -> tuple[Labels, list[Difference]]:
    """(H, W) int32, 0 where ``a`` and ``b`` agree and else the number of the region; and the regions by number.

    Raises Unlike where the sizes differ.
    """
    if a.shape != b.shape:
        raise Unlike(f"Masks of {_size(a)} and {_size(b)} can't be compared; choose two of one picture.")
    differ = a != b
    labels = np.zeros(a.shape, np.int32)  # of a large picture no memory, but where they differ
    rows, columns = np.flatnonzero(differ.any(axis=1)), np.flatnonzero(differ.any(axis=0))
    if not rows.size:
        return labels, []
    top, left = int(rows[0]), int(columns[0])
    box = slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)
    labels[box], found = _within(a[box], b[box], left, top)
    return labels, found


def _within(a: Mask, b: Mask, left: int, top: int) -> tuple[Labels, list[Difference]]:
    """As ``differences``, of what lies at ``left``, ``top`` of two masks that differ in it."""
    differ = a != b
    pairs = np.where(differ, a.astype(np.int64) << 16 | b, -1)
    found, _ = components(pairs)
    at = np.flatnonzero(differ)
    names, first, of = np.unique(found.ravel()[at], return_index=True, return_inverse=True)
    rank = np.empty(names.size, np.int32)
    rank[np.argsort(first)] = np.arange(1, names.size + 1, dtype=np.int32)
    numbers = rank[of.ravel()]
    labels = np.zeros(a.size, np.int32)
    labels[at] = numbers
    return labels.reshape(a.shape), _described(a, b, at, numbers, names.size, (left, top))


def merged(a: Mask, b: Mask, labels: Labels, of_b: Collection[int]) -> Mask:
    """``a`` with the regions numbered in ``of_b`` as ``b`` has them; ``labels`` as ``differences(a, b)`` gave them.

    Raises Unlike for a number that no region has.
    """
    count = int(labels.max(initial=0))
    if wrong := [number for number in of_b if not 1 <= number <= count]:
        raise Unlike(f"There is no region {wrong[0]} among the {count} that differ; ask for the differences again.")
    taken = np.zeros(count + 1, np.bool_)
    taken[list(of_b)] = True
    return as_mask(np.where(taken[labels], b, a))


def _described(
    a: Mask, b: Mask, at: npt.NDArray[np.intp], numbers: Labels, count: int, corner: tuple[int, int]
) -> list[Difference]:
    y, x = np.divmod(at, a.shape[1])
    pixels = np.bincount(numbers, minlength=count + 1)
    low = np.full((2, count + 1), max(corner) + max(a.shape), np.int64)
    high = np.zeros((2, count + 1), np.int64)
    for axis, places in enumerate((x + corner[0], y + corner[1])):
        np.minimum.at(low[axis], numbers, places)
        np.maximum.at(high[axis], numbers, places + 1)
    _, first = np.unique(numbers, return_index=True)
    was, becomes = a.ravel()[at[first]], b.ravel()[at[first]]
    return [
        Difference(
            n,
            int(was[n - 1]),
            int(becomes[n - 1]),
            int(pixels[n]),
            (int(low[0, n]), int(low[1, n]), int(high[0, n]), int(high[1, n])),
        )
        for n in range(1, count + 1)
    ]


def _size(mask: Mask) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"
