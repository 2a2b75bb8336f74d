"""Masks spoilt on purpose for a simulation, in ways that the detector doesn't practise (see detector.practice): drawn
badly, cut off, turned, spilled over. Masks are (H, W) class ids; a new one is given back."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.mask import Mask

Rng = np.random.Generator
Bool = npt.NDArray[np.bool_]
LEAST = 0.01  # a spoilt mask differs from the right one in at least this share of its pixels
_TRIES = 12


def _warped(mask: Mask, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> Mask:
    """Each pixel takes the class of the place given for it, the border's beyond the border."""
    y, x = (np.clip(np.rint(at), 0, n - 1).astype(np.int64) for at, n in zip((rows, columns), mask.shape, strict=True))
    return mask[y, x]


def _object(mask: Mask, rng: Rng) -> Bool:
    """One connected segment that isn't most of the picture, larger ones likelier."""
    found: list[Bool] = []
    for id in np.unique(mask):
        labels, count = ndimage.label(mask == id)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        found += [labels == one for one in range(1, count + 1) if LEAST * mask.size <= areas[one] <= 0.6 * mask.size]
    if not found:
        return np.zeros(mask.shape, np.bool_)
    areas = np.array([one.sum() for one in found], np.float64)
    return found[int(rng.choice(len(found), p=np.sqrt(areas) / np.sqrt(areas).sum()))]


def _filled(mask: Mask, hole: Bool) -> Mask:
    """The hole takes the class of the nearest pixel outside."""
    if hole.all():
        return mask.copy()
    at = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    filled: Mask = mask[at[0], at[1]]
    return filled


def turned(mask: Mask, rng: Rng) -> Mask:
    """The whole mask drawn at an angle."""
    angle = np.deg2rad(rng.uniform(4, 11)) * rng.choice((-1, 1))
    height, width = mask.shape
    y, x = np.mgrid[:height, :width] - np.array([height / 2, width / 2])[:, None, None]
    rows = np.cos(angle) * y - np.sin(angle) * x + height / 2
    return _warped(mask, rows, np.sin(angle) * y + np.cos(angle) * x + width / 2)


def wavy(mask: Mask, rng: Rng) -> Mask:
    """Outlines that swing around the true ones, as by an unsteady hand."""
    side = min(mask.shape)
    swing = []
    for _ in range(2):
        field = ndimage.gaussian_filter(rng.standard_normal(mask.shape), side / 14)
        swing.append(field / field.std() * side / 22)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    return _warped(mask, y + swing[0], x + swing[1])


def cut(mask: Mask, rng: Rng) -> Mask:
    """One object ends at a straight line, as if it had been forgotten half-way."""
    whole = _object(mask, rng)
    if not whole.any():
        return mask.copy()
    y, x = np.nonzero(whole)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * np.arange(mask.shape[0])[:, None] + np.sin(angle) * np.arange(mask.shape[1])[None, :]
    lost = whole & (along > np.quantile(along[y, x], rng.uniform(0.3, 0.6)))
    return _filled(mask, lost)


def spilled(mask: Mask, rng: Rng) -> Mask:
    """One object's fill ran out through a gap in its outline: a blob beside it has its class."""
    whole = _object(mask, rng)
    if not whole.any():
        return mask.copy()
    edge = np.argwhere(whole & ~ndimage.binary_erosion(whole))
    y, x = edge[int(rng.integers(len(edge)))]
    radius = min(mask.shape) * rng.uniform(0.12, 0.22)
    down, right = np.ogrid[: mask.shape[0], : mask.shape[1]]
    away = np.hypot(down - y, right - x)
    rough = ndimage.gaussian_filter(rng.standard_normal(mask.shape), radius / 4)
    out = mask.copy()
    out[away + rough / rough.std() * radius / 4 < radius] = mask[y, x]
    return out


def squeezed(mask: Mask, rng: Rng) -> Mask:
    """The mask of a picture that was resized a little otherwise: stretched from one corner."""
    height, width = mask.shape
    by = rng.uniform(0.86, 0.94, 2) ** rng.choice((-1, 1), 2)
    corner = rng.integers(0, 2, 2) * (np.array(mask.shape) - 1)
    y, x = np.mgrid[:height, :width]
    return _warped(mask, corner[0] + (y - corner[0]) * by[0], corner[1] + (x - corner[1]) * by[1])


KINDS: Mapping[str, Callable[[Mask, Rng], Mask]] = {
    "turned": turned, "wavy": wavy, "cut": cut, "spilled": spilled, "squeezed": squeezed,
}  # fmt: skip


def spoilt(mask: Mask, rng: Rng) -> tuple[Mask, str]:
    """The mask spoilt in one of KINDS, and which; unchanged, and "", where nothing of it can be spoilt."""
    for _ in range(_TRIES):
        kind = list(KINDS)[int(rng.integers(len(KINDS)))]
        out = KINDS[kind](mask, rng)
        if (out != mask).sum() >= LEAST * mask.size:
            return out, kind
    return mask.copy(), ""
