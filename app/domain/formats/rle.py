"""Run-length masks: COCO's two forms and CVAT's, to and from boolean arrays.

Inside, a region is its *bounds*: an int64 array (2n,) of strictly rising positions ``start, end, start, end, ...``
(ends excluded) into the frame's pixels in column-major order, which is COCO's order. Forms: COCO's mask API and
its ``RLE`` (https://github.com/cocodataset/cocoapi); CVAT's REST API and its XML 1.1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.errors import Invalid
from app.domain.picture import MAX_PIXELS, Pixels, strips

Bool = npt.NDArray[np.bool_]
Bounds = npt.NDArray[np.int64]
_BASE = 48
# 13 groups of 5 bits hold any 64-bit number.
_MAX_GROUPS = 13


class BadRle(Invalid):
    """Run lengths that don't describe a mask of the stated size."""


def bounds_of(mask: Pixels, value: int = True) -> Bounds:
    """The bounds of where a (H, W) mask is ``value``; of a large one it looks at some columns at a time."""
    return bounds_within(mask, (0, 0), mask.shape[0], value)


def bounds_within(part: Pixels, corner: tuple[int, int], height: int, value: int = True) -> Bounds:
    """As ``bounds_of`` in a frame of this height, of which ``part`` is all that counts; ``corner``: where it lies, top
    and left."""
    found, (top, left) = [], corner
    for columns in strips(part.shape[::-1]):
        inside = np.asfortranarray(part[:, columns] == value)
        if part.shape[0] < height:  # a column ends before the next one begins
            inside = np.concatenate([inside, np.zeros((1, inside.shape[1]), np.bool_)])
        column, row = np.divmod(_flat_bounds(inside.ravel(order="F")), inside.shape[0])
        found.append((left + columns.start + column) * height + top + row)
    bounds = np.concatenate(found)
    gaps = np.ones(bounds.size, np.bool_)
    gaps[1:-1] = np.repeat(bounds[2::2] > bounds[1:-1:2], 2)
    return bounds[gaps]


def box_of(bounds: Bounds, height: int) -> tuple[int, int, int, int]:
    """Left, top, width, height of what bounds hold, at least a pixel, in a frame of this height."""
    first, last = bounds[::2], bounds[1::2] - 1
    left, right = int(first[0]) // height, int(last[-1]) // height
    if (first // height != last // height).any():
        return left, 0, right - left + 1, height
    top, bottom = int((first % height).min()), int((last % height).max())
    return left, top, right - left + 1, bottom - top + 1


def mask_of(bounds: Bounds, height: int, width: int) -> Bool:
    """The boolean (height, width) mask of bounds. Raises BadRle where it is too big to hold or they overrun it."""
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise BadRle(f"a mask of {width} x {height} can't be held")
    if bounds.size and int(bounds[-1]) > height * width:
        raise BadRle(f"runs end at pixel {int(bounds[-1])} of {height * width}")
    return filled(bounds, 0, height * width).reshape(width, height).T


def mask_within(bounds: Bounds, frame: int, corner: tuple[int, int], size: tuple[int, int], step: int = 1) -> Bool:
    """What bounds in a frame of height ``frame`` hold of a window of this ``corner`` (top, left) and ``size``, of each
    ``step`` x ``step`` pixels the first: (size / step), rounded up. It looks at some columns at a time."""
    (top, left), (height, width) = corner, size
    out = np.zeros((-(-height // step), -(-width // step)), np.bool_)
    for columns in strips((width, frame)):
        start, stop = -(-columns.start // step) * step, columns.stop
        if start < stop:
            begin, end = (left + start) * frame, (left + stop) * frame
            held = filled(np.clip(bounds, begin, end), begin, end).reshape(stop - start, frame)
            out[:, start // step : -(-stop // step)] = held[::step, top : top + height : step].T
    return out


def filled(bounds: Bounds, start: int, end: int) -> Bool:
    """Which of the positions ``start..end`` the bounds hold, as a flat boolean array; they lie within."""
    edges = np.concatenate(([start], bounds, [end]))
    inside = np.arange(edges.size - 1) % 2 == 1
    return np.repeat(inside, np.diff(edges))


def area(bounds: Bounds) -> int:
    return int((bounds[1::2] - bounds[::2]).sum())


def union(parts: Sequence[Bounds]) -> Bounds:
    """The bounds of what any of ``parts`` holds."""
    if len(parts) == 1:
        return parts[0]
    at = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    step = np.concatenate([np.where(np.arange(part.size) % 2 == 0, 1, -1) for part in parts]) if parts else at
    where, index = np.unique(at, return_inverse=True)
    depth = np.cumsum(np.bincount(index, weights=step, minlength=where.size)) > 0.5
    edges: Bounds = where[np.diff(depth, prepend=False)]
    return edges


def iou(one: Bounds, other: Bounds) -> float:
    """Intersection over union of what two bounds hold, 0 to 1; 0 where both hold nothing."""
    both = area(union([one, other]))
    return (area(one) + area(other) - both) / both if both else 0.0


def coco_bounds(rle: object, height: int, width: int) -> Bounds:
    """The bounds of a COCO RLE (``counts`` a compressed string or a list) in a frame of that size.

    Raises BadRle for another size, counts that aren't whole numbers, or that don't add up to the frame.
    """
    size, counts = (rle.get("size"), rle.get("counts")) if isinstance(rle, dict) else (None, None)
    if size != [height, width]:
        raise BadRle(f"an RLE of size {_shown(size)} (height, width) in a picture of [{height}, {width}]")
    runs = _uncompress(counts) if isinstance(counts, str) else _whole(counts)
    return _from_runs(runs, height * width)


def coco_decode(rle: dict[str, Any]) -> Bool:
    """The boolean (H, W) mask of a COCO RLE, compressed or not. Raises BadRle."""
    size = rle.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
        raise BadRle(f"an RLE of size {_shown(size)}")
    return mask_of(coco_bounds(rle, *size), *size)


def coco_counts(mask: Bool) -> list[int]:
    """COCO's uncompressed counts of a boolean (H, W) mask: column-major, the first run is of zeros."""
    return runs_of(bounds_of(mask), mask.size)


def coco_encode(mask: Bool) -> dict[str, Any]:
    """COCO's compressed RLE of a boolean (H, W) mask: ``{"size": [h, w], "counts": str}``."""
    return {"size": list(mask.shape), "counts": compress(runs_of(bounds_of(mask), mask.size))}


def cvat_encode(mask: Bool) -> list[int]:
    """CVAT's points of a boolean (H, W) mask: row-major runs in its bounding box, then left, top, right, bottom
    (included). An empty mask is one zero at the corner, as CVAT's own SDK writes it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return [1, 0, 0, 0, 0]
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    box = mask[top : bottom + 1, left : right + 1]
    return [*runs_of(_flat_bounds(box.ravel()), box.size), left, top, right, bottom]


def cvat_decode(points: Sequence[float], height: int, width: int) -> Bool:
    """The boolean (height, width) mask of CVAT's points (see cvat_encode). Raises BadRle."""
    if len(points) < 4:
        raise BadRle("a mask of fewer than four numbers")
    if not any(points):
        return np.zeros((height, width), np.bool_)  # how older CVAT interfaces wrote an empty mask
    left, top, right, bottom = (int(side) for side in _whole(points[-4:], signed=True))
    return cvat_box(points[:-4], left, top, right - left + 1, bottom - top + 1, height, width)


def cvat_box(
    runs: Sequence[float] | Sequence[str], left: int, top: int, box_width: int, box_height: int, height: int, width: int
) -> Bool:
    """The boolean (height, width) mask of CVAT's row-major runs, also as text, inside a box. Raises BadRle."""
    if left < 0 or top < 0 or box_width < 1 or box_height < 1 or left + box_width > width or top + box_height > height:
        raise BadRle(f"a mask at {left}, {top} of {box_width} x {box_height} in a picture of {width} x {height}")
    bounds = _from_runs(_whole(runs), box_width * box_height)
    mask = np.zeros((height, width), np.bool_)
    box = filled(bounds, 0, box_width * box_height).reshape(box_height, box_width)
    mask[top : top + box_height, left : left + box_width] = box
    return mask


def _flat_bounds(flat: Bool) -> Bounds:
    return np.flatnonzero(np.diff(flat, prepend=False, append=False)).astype(np.int64)


def runs_of(bounds: Bounds, total: int) -> list[int]:
    """The lengths of the runs, the first of zeros, of bounds in a frame of so many pixels."""
    runs: list[int] = np.diff(np.concatenate(([0], bounds, [total]))).tolist()
    # a mask that reaches the last pixel has no closing run of zeros
    return runs[:-1] if len(runs) > 1 and runs[-1] == 0 else runs


def _from_runs(runs: npt.NDArray[np.int64], total: int) -> Bounds:
    """Bounds of alternating run lengths, the first of zeros; they have to add up to ``total``."""
    # summed as floats first: hostile counts can't wrap around to the right number
    if runs.size and (int(runs.min()) < 0 or float(runs.astype(np.float64).sum()) > 2**53):
        raise BadRle("run lengths that are negative or beyond any picture")
    covered = int(runs.sum())
    if covered != total:
        raise BadRle(f"run lengths that cover {covered} of {total} pixels")
    ends = np.cumsum(runs)
    edges = np.concatenate((ends, [total])) if runs.size % 2 else ends
    starts, stops = edges[::2], edges[1::2]
    kept = stops > starts
    starts, stops = starts[: kept.size][kept], stops[kept]
    # runs of length zero in the middle leave neighbours that touch
    split = np.ones(starts.size + 1, np.bool_)
    split[1:-1] = starts[1:] > stops[:-1]
    return np.stack((starts[split[:-1]], stops[split[1:]]), axis=1).ravel()


def _whole(values: object, signed: bool = False) -> npt.NDArray[np.int64]:
    """Whole numbers as int64, whatever they came as."""
    if not isinstance(values, (list, tuple)):
        raise BadRle("an RLE without counts")
    try:
        numbers = np.array(values, dtype=np.float64) if values else np.zeros(0)
    except (TypeError, ValueError, OverflowError):
        raise BadRle("run lengths that aren't numbers") from None
    if numbers.ndim != 1 or not np.isfinite(numbers).all() or (numbers != np.trunc(numbers)).any():
        raise BadRle("run lengths that aren't whole numbers")
    if (np.abs(numbers) > 2**53).any() or (not signed and (numbers < 0).any()):
        raise BadRle("run lengths that are negative or beyond any picture")
    return numbers.astype(np.int64)


def compress(runs: Sequence[int]) -> str:
    """COCO's string of uncompressed counts: from the fourth run on the difference to the run two before, in groups of 5
    bits, low first, bit 6 says that more follow, 48 is added to make a printable character."""
    left = np.array(runs, np.int64)
    left[3:] -= left[1:-2].copy()
    groups = np.zeros((left.size, _MAX_GROUPS), np.uint8)
    used = np.zeros((left.size, _MAX_GROUPS), np.bool_)
    going = np.ones(left.size, np.bool_)
    for step in range(_MAX_GROUPS):
        low = left & 31
        left >>= 5
        used[:, step] = going
        going = going & (left != np.where(low & 16, -1, 0))
        groups[:, step] = low | (going << 5)
        if not going.any():
            break
    return (groups[used] + _BASE).astype(np.uint8).tobytes().decode("ascii")


def _uncompress(text: str) -> npt.NDArray[np.int64]:
    """The run lengths of COCO's string. Raises BadRle."""
    if not text.isascii():
        raise BadRle("a compressed RLE with characters that none has")
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _BASE
    if codes.size == 0:
        return codes
    last = (codes & 32) == 0
    if int(codes.min()) < 0 or int(codes.max()) > 63:
        raise BadRle("a compressed RLE with characters that none has")
    if not last[-1]:
        raise BadRle("a compressed RLE that breaks off")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if int(lengths.max()) > _MAX_GROUPS - 1:
        raise BadRle("run lengths that are negative or beyond any picture")
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((codes & 31) << (5 * place), starts)
    runs -= np.where(codes[ends] & 16, np.int64(1) << (5 * lengths), 0)
    if float(np.abs(runs).max()) > 2**40 or runs.size > 2**22 * 100:
        raise BadRle("run lengths that are negative or beyond any picture")
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def _shown(size: object) -> str:
    return repr(size)[:40]
