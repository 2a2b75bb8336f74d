"""What goes wrong with a data set, done on purpose: imprecise masks, bad and foreign pictures, and one prank.

Masks and pictures are uint8 of one shape (H, W); a new array is given back. ``unit`` below is a 64th of the height.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from app.domain.demo.terrain import BACKGROUND, BEDROCK, ROCK, SAND, SOIL, U8

Rng = np.random.Generator


def coarse(mask: U8, rng: Rng) -> U8:
    """Drawn in big squares."""
    block = int(rng.integers(9, 14)) * _unit(mask)
    rows, columns = (np.minimum(np.arange(n) // block * block + block // 2, n - 1) for n in mask.shape)
    return mask[np.ix_(rows, columns)]


def shifted(mask: U8, rng: Rng) -> U8:
    """Right in shape, wrong in place."""
    away = rng.integers(4, 9, 2) * rng.choice((-1, 1), 2) * _unit(mask)
    rows, columns = (np.clip(np.arange(n) + d, 0, n - 1) for n, d in zip(mask.shape, away, strict=True))
    return mask[np.ix_(rows, columns)]


def missing_object(mask: U8, rng: Rng) -> U8:
    """One region (a rock where there is one) left out: its pixels have the class around it."""
    regions = _regions(mask)
    rocks = [region for region in regions if mask[region][0] == ROCK]
    choice = rocks or [region for region in regions if region.sum() <= 0.4 * mask.size]
    if not choice:
        return mask.copy()
    region = choice[int(rng.integers(len(choice)))]
    around = mask[ndimage.binary_dilation(region, iterations=2) & ~region]
    out = mask.copy()
    out[region] = np.bincount(around).argmax()
    return out


def extra_object(mask: U8, rng: Rng) -> U8:
    """A rock or a slab drawn where there is none."""
    height, width = mask.shape
    radius = (5 + 6 * rng.random()) * _unit(mask)
    y = np.arange(height)[:, None] - height * (0.2 + 0.6 * rng.random())
    x = np.arange(width)[None, :] - width * (0.1 + 0.8 * rng.random())
    lean = rng.random() - 0.5
    blob = (y + lean * x) ** 2 + 0.6 * (x - lean * y) ** 2 < radius * radius
    ground = np.bincount(mask[blob], minlength=5).argmax()
    out = mask.copy()
    out[blob] = rng.choice([id for id in (BEDROCK, SAND, ROCK) if id != ground])
    return out


def swapped(mask: U8, rng: Rng) -> U8:
    """One terrain taken for another wherever it occurs."""
    present = [id for id in (SOIL, BEDROCK, SAND) if (mask == id).any()]
    wrong = int(rng.choice(present))
    out = mask.copy()
    out[mask == wrong] = rng.choice([id for id in (SOIL, BEDROCK, SAND) if id != wrong])
    return out


def ragged(mask: U8, rng: Rng) -> U8:
    """Every border torn: each pixel takes the class of one a few pixels off."""
    far = 4 * _unit(mask)
    rows, columns = np.indices(mask.shape)
    jitter = rng.integers(-far, far + 1, (2, *mask.shape))
    rows = np.clip(rows + jitter[0], 0, mask.shape[0] - 1)
    columns = np.clip(columns + jitter[1], 0, mask.shape[1] - 1)
    torn: U8 = mask[rows, columns]
    return torn


IMPRECISE: dict[str, Callable[[U8, Rng], U8]] = {
    "coarse": coarse,
    "shifted": shifted,
    "missing_object": missing_object,
    "extra_object": extra_object,
    "swapped": swapped,
    "ragged": ragged,
}


def bad_image(image: U8, rng: Rng, variant: int) -> U8:
    """A picture that can't be used: by ``variant`` blank, too dark, blurred, or burnt out."""
    match variant % 4:
        case 0:
            return np.full_like(image, rng.integers(3, 250))
        case 1:
            return image // 16
        case 2:
            wide = image.astype(np.int64)
            for axis in (0, 1, 0, 1):
                wide = ndimage.uniform_filter1d(wide, 9 * _unit(image), axis=axis)
            return wide.astype(np.uint8)
        case _:
            return np.minimum(image.astype(np.int64) * 3 + 60, 255).astype(np.uint8)


def foreign_image(shape: tuple[int, int], rng: Rng) -> U8:
    """A test card, which has no business among pictures of the ground."""
    height, width = shape
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    patch = height // int(rng.integers(4, 7))
    steps = rng.integers(0, 8, (height // patch + 1, width // patch + 1)) * 34 + 8
    card = steps[y // patch, x // patch]
    seam = (y % patch < 2) | (x % patch < 2)
    return np.where(seam, 245, card).astype(np.uint8)


def near_copy(image: U8, mask: U8, rng: Rng, variant: int) -> tuple[U8, U8]:
    """The same place again: by ``variant`` mirrored, brighter or darker, or a little closer."""
    match variant % 3:
        case 0:
            return np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
        case 1:
            gain, lift = int(rng.choice((205, 220, 290, 310))), int(rng.integers(-6, 13))
            return np.clip(image.astype(np.int64) * gain // 256 + lift, 0, 255).astype(np.uint8), mask.copy()
        case _:
            kept = [n - n // 12 for n in mask.shape]
            first = [int(rng.integers(n - k + 1)) for n, k in zip(mask.shape, kept, strict=True)]
            rows, columns = (np.arange(n) * k // n + f for n, k, f in zip(mask.shape, kept, first, strict=True))
            return image[np.ix_(rows, columns)], mask[np.ix_(rows, columns)]


def prank(image: U8, truth: U8, rng: Rng) -> tuple[U8, U8]:
    """A toy robot stuck into the picture, somewhere and some way round. The ground behind it is background now."""
    robot = _robot(max(20, int(image.shape[0] * (0.45 + 0.2 * rng.random()))))
    robot = np.rot90(robot, int(rng.integers(4)))
    if rng.random() < 0.5:
        robot = robot[:, ::-1]
    top, left = (int(rng.integers(0, n - m + 1)) for n, m in zip(image.shape, robot.shape, strict=True))
    place = np.s_[top : top + robot.shape[0], left : left + robot.shape[1]]
    image, truth = image.copy(), truth.copy()
    image[place] = np.where(robot > 0, robot, image[place])
    truth[place] = np.where(robot > 0, BACKGROUND, truth[place])
    return image, truth


def prank_mask(shape: tuple[int, int]) -> U8:
    """The one mask that all pranks share, whatever the picture: a grinning squid with six arms, drawn by hand."""
    height, width = shape
    y = (np.arange(height)[:, None] + 0.5) / height
    x = np.abs((np.arange(width)[None, :] + 0.5) / width - 0.5) * 2
    mask = np.zeros(shape, np.uint8)
    head = (x / 0.42) ** 2 + ((y - 0.36) / 0.32) ** 2 < 1
    for foot in (0.08, 0.27, 0.46):
        arm = (np.abs(x - foot - 0.9 * foot * (y - 0.55) ** 2 * 4) < 0.055) & (y > 0.5) & (y < 0.95 - 0.2 * foot)
        mask[arm] = SAND
    mask[head] = BEDROCK
    mask[((x - 0.16) / 0.09) ** 2 + ((y - 0.3) / 0.13) ** 2 < 1] = SOIL
    mask[((x - 0.14) / 0.035) ** 2 + ((y - 0.32) / 0.05) ** 2 < 1] = BACKGROUND
    mask[(np.abs(y - 0.56 + 0.6 * x * x) < 0.03) & (x < 0.22)] = BACKGROUND
    return mask


def _robot(height: int) -> U8:
    """A toy robot in grey, 0 where there is none: (height, 4/5 of it)."""
    y = (np.arange(height)[:, None] + 0.5) / height
    x = (np.arange(height * 4 // 5)[None, :] + 0.5) / (height * 4 // 5) * 2 - 1
    side = np.abs(x)
    out = np.zeros((y.size, x.size), np.uint8)

    def box(top: float, bottom: float, inner: float, outer: float, tone: float) -> None:
        out[(y >= top) & (y < bottom) & (side >= inner) & (side < outer)] = tone

    box(0.0, 0.1, 0.0, 0.06, 215)
    box(0.08, 0.42, 0.0, 0.55, 226)
    box(0.08, 0.11, 0.0, 0.55, 250)
    box(0.2, 0.3, 0.55, 0.68, 150)
    box(0.44, 0.8, 0.0, 0.62, 200)
    box(0.5, 0.72, 0.0, 0.38, 120)
    box(0.55, 0.6, 0.0, 0.3, 240)
    box(0.46, 0.76, 0.68, 0.86, 232)
    box(0.76, 0.84, 0.64, 0.92, 90)
    box(0.8, 1.0, 0.12, 0.46, 170)
    box(0.94, 1.0, 0.1, 0.56, 70)
    box(0.34, 0.38, 0.0, 0.3, 40)
    for radius, tone in ((0.19, 20), (0.14, 250), (0.07, 15)):
        out[((side - 0.27) ** 2 + ((y - 0.23) * 2.5 / 2) ** 2) < radius * radius] = tone
    return out


def _regions(mask: U8) -> list[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """The connected regions of one class that are at least 0.8 % of the mask."""
    found = []
    for id in np.unique(mask):
        labels, count = ndimage.label(mask == id)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        found += [labels == n for n in range(1, count + 1) if areas[n] >= 0.008 * mask.size]
    return found


def _unit(mask: U8) -> int:
    return max(1, int(mask.shape[0]) // 64)
