"""Errors made on purpose in a given mask, so that the data set teaches what its own errors would look like.

Masks are (H, W) int64 places among the channels. Lengths are in ``unit``: a 96th of the shorter side, at least a pixel.
The kinds follow what annotators do: Lad and Mueller's drop, swap and shift (arXiv 2307.05080), and sloppy outlines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.domain.detector.components import components
from app.domain.detector.predicted import I64, Bool, unit_of
from app.domain.detector.sums import boxes

Rng = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """A mask to spoil: its places, connected segments with their areas and boxes, and which channels are void.

    ``other`` is the mask of another sample of the set in this shape.
    """

    mask: I64
    segments: I64
    areas: I64
    boxes: I64
    void: tuple[bool, ...]
    other: I64 | None = None

    @property
    def unit(self) -> float:
        return unit_of(self.mask.shape)


def drawn(mask: I64, void: tuple[bool, ...], other: I64 | None = None) -> Drawn:
    segments, count = components(mask)
    areas = np.bincount(segments.ravel(), minlength=count)
    return Drawn(mask, segments, areas, boxes(segments, count), void, other)


def _region(of: Drawn, rng: Rng) -> tuple[int, int] | None:
    """A segment of a class (not void) between a few pixels and a third of the mask, and its place; small and large
    ones are as likely."""
    fits = np.flatnonzero((of.areas >= 12 * of.unit) & (of.areas <= of.mask.size / 3))
    for segment in rng.permutation(fits):
        top, left, bottom, right = of.boxes[segment]
        inside = of.segments[top:bottom, left:right] == segment
        place = int(of.mask[top:bottom, left:right][inside][0])
        if not of.void[place]:
            return int(segment), place
    return None


def _filled(mask: I64, hole: Bool) -> I64:
    """``hole`` filled from the nearest pixel outside it."""
    if hole.all() or not hole.any():
        return mask
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    around = np.s_[max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2]
    if hole[around].all():
        around = np.s_[:, :]
    nearest = ndimage.distance_transform_edt(hole[around], return_distances=False, return_indices=True)
    out = mask.copy()
    out[around] = mask[around][tuple(nearest)]
    return out


def _moved(values: I64, down: int, right: int) -> I64:
    rows, columns = (np.clip(np.arange(n) - d, 0, n - 1) for n, d in zip(values.shape, (down, right), strict=True))
    return values[np.ix_(rows, columns)]


def _step(of: Drawn, rng: Rng, least: float, most: float) -> tuple[int, int]:
    far, angle = rng.uniform(least, most) * of.unit, rng.uniform(0, 2 * np.pi)
    return round(far * np.sin(angle)), round(far * np.cos(angle))


def _classes(of: Drawn) -> list[int]:
    return [place for place, void in enumerate(of.void) if not void]


def drop(of: Drawn, rng: Rng) -> I64:
    """One object left out: void where the set has void, or what lies around it."""
    chosen = _region(of, rng)
    if chosen is None:
        return of.mask
    hole = of.segments == chosen[0]
    if True in of.void and rng.random() < 0.7:
        return np.where(hole, of.void.index(True), of.mask)
    return _filled(of.mask, hole)


def swap(of: Drawn, rng: Rng) -> I64:
    """One object given another class."""
    chosen = _region(of, rng)
    if chosen is None:
        return of.mask
    others = [place for place in _classes(of) if place != chosen[1]]
    return np.where(of.segments == chosen[0], int(rng.choice(others)), of.mask) if others else of.mask


def extra(of: Drawn, rng: Rng) -> I64:
    """An object where there is none: an ellipse of any class."""
    height, width = of.mask.shape
    down, right = rng.uniform(2, 14, 2) * of.unit
    y = (np.arange(height)[:, None] - rng.integers(height)) / down
    x = (np.arange(width)[None, :] - rng.integers(width)) / right
    return np.where(y * y + x * x < 1, int(rng.choice(_classes(of))), of.mask)


def shift(of: Drawn, rng: Rng) -> I64:
    """One object drawn beside its place; the hole has what lies around."""
    chosen = _region(of, rng)
    if chosen is None:
        return of.mask
    down, right = _step(of, rng, 3, 12)
    rows, columns = np.nonzero(of.segments == chosen[0])
    out = _filled(of.mask, of.segments == chosen[0]).copy()
    rows, columns = rows + down, columns + right
    kept = (rows >= 0) & (rows < out.shape[0]) & (columns >= 0) & (columns < out.shape[1])
    out[rows[kept], columns[kept]] = chosen[1]
    return out


def offset(of: Drawn, rng: Rng) -> I64:
    """The whole mask beside its place."""
    return _moved(of.mask, *_step(of, rng, 2, 7))


def grow(of: Drawn, rng: Rng) -> I64:
    """One class drawn too wide."""
    place = int(rng.choice(np.unique(of.mask)))
    near = ndimage.distance_transform_edt(of.mask != place) <= rng.uniform(1.5, 4) * of.unit
    return np.where(near, place, of.mask)


def shrink(of: Drawn, rng: Rng) -> I64:
    """One class drawn too narrow."""
    place = int(rng.choice(np.unique(of.mask)))
    inside = of.mask == place
    if inside.all():
        return of.mask
    to_edge, nearest = ndimage.distance_transform_edt(inside, return_indices=True)
    return np.where(inside & (to_edge <= rng.uniform(1.5, 4) * of.unit), of.mask[tuple(nearest)], of.mask)


def blocks(of: Drawn, rng: Rng) -> I64:
    """Drawn in squares."""
    size = max(2, round(rng.uniform(3.5, 8) * of.unit))
    rows, columns = (np.minimum(np.arange(n) // size * size + size // 2, n - 1) for n in of.mask.shape)
    return of.mask[np.ix_(rows, columns)]


def polygon(of: Drawn, rng: Rng) -> I64:
    """Drawn with few corners: straight edges between scattered points."""
    apart = max(2.0, rng.uniform(4, 9) * of.unit)
    count = max(4, int(of.mask.size / apart**2))
    rows, columns = (rng.integers(0, n, count) for n in of.mask.shape)
    seeds = np.ones(of.mask.shape, np.bool_)
    seeds[rows, columns] = False
    nearest = ndimage.distance_transform_edt(seeds, return_distances=False, return_indices=True)
    out: I64 = of.mask[tuple(nearest)]
    return out


def _smoothed(mask: I64, sigma: float) -> I64:
    present = np.unique(mask)
    best = np.full(mask.shape, -1.0, np.float32)
    out = mask.copy()
    for place in present:
        near = ndimage.gaussian_filter((mask == place).astype(np.float32), sigma, truncate=2.5)
        wins = near > best
        best[wins] = near[wins]
        out[wins] = place
    return out


def smooth(of: Drawn, rng: Rng) -> I64:
    """Corners cut, thin parts gone."""
    return _smoothed(of.mask, rng.uniform(1.2, 3.5) * of.unit)


def ragged(of: Drawn, rng: Rng) -> I64:
    """Every border torn."""
    far = max(1, round(rng.uniform(1, 4) * of.unit))
    steps = rng.integers(-far, far + 1, (2, *of.mask.shape))
    rows, columns = (
        np.clip(at + step, 0, n - 1)
        for at, step, n in zip(np.indices(of.mask.shape), steps, of.mask.shape, strict=True)
    )
    torn: I64 = of.mask[rows, columns]
    return torn


def parts_lost(of: Drawn, rng: Rng) -> I64:
    """Every small segment left out."""
    small = of.areas <= rng.uniform(25, 120) * of.unit**2
    return _filled(of.mask, small[of.segments])


def thin_lost(of: Drawn, rng: Rng) -> I64:
    """Every thin part of every segment left out."""
    size = max(3, round(rng.uniform(3, 6) * of.unit))
    edge = np.zeros(of.mask.shape, np.bool_)
    edge[1:] |= of.segments[1:] != of.segments[:-1]
    edge[:, 1:] |= of.segments[:, 1:] != of.segments[:, :-1]
    clear = ndimage.uniform_filter(edge.astype(np.float32), size) < 0.5 / size**2
    kept = ndimage.maximum_filter(np.where(clear, of.segments, -1), size) == of.segments
    return _filled(of.mask, ~kept)


def merged(of: Drawn, rng: Rng) -> I64:
    """What separates near parts of one class painted over."""
    place = int(rng.choice(np.unique(of.mask)))
    size = max(3, round(rng.uniform(3, 8) * of.unit))
    closed = ndimage.grey_closing((of.mask == place).astype(np.uint8), (size, size)) > 0
    return np.where(closed, place, of.mask)


def sloppy(of: Drawn, rng: Rng) -> I64:
    """In a hurry: small parts left out, corners cut, everything a little off."""
    rough = _smoothed(parts_lost(of, rng), rng.uniform(1, 2.8) * of.unit)
    return _moved(rough, *_step(of, rng, 0, 2.5))


def foreign(of: Drawn, rng: Rng) -> I64:  # noqa: ARG001  (every kind takes both)
    """The mask of another picture."""
    return of.mask if of.other is None else of.other


Spoil = Callable[[Drawn, Rng], I64]
FAMILIES: Mapping[str, Mapping[str, Spoil]] = {
    "missing": {"drop": drop},
    "extra": {"extra": extra},
    "swapped": {"swap": swap},
    "moved": {"shift": shift, "offset": offset},
    "boundary": {
        "grow": grow, "shrink": shrink, "blocks": blocks, "polygon": polygon, "smooth": smooth, "ragged": ragged,
        "parts_lost": parts_lost, "thin_lost": thin_lost, "merged": merged, "sloppy": sloppy,
    },
    "foreign": {"foreign": foreign},
}  # fmt: skip
# How often each family is practised.
WEIGHTS = {"missing": 3.0, "extra": 1.5, "swapped": 3.0, "moved": 3.0, "boundary": 5.0, "foreign": 0.7}


def spoil(of: Drawn, rng: Rng, without: frozenset[str]) -> tuple[I64, str]:
    """``of`` with an error of a random kind, and the kind's family; ``without`` names families left out."""
    families = [name for name in FAMILIES if name not in without]
    weights = np.array([WEIGHTS[name] for name in families])
    family = families[int(rng.choice(len(families), p=weights / weights.sum()))]
    kinds = list(FAMILIES[family].values())
    return kinds[int(rng.integers(len(kinds)))](of, rng), family
