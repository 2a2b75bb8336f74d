"""Sets with planted contamination and known truth, drawn from a seed: what the checks are tried on.

A replica has scenes of its own (terrain whose texture follows its mask), warped copies of each, honest groups of equal
masks (constant ones, thin frames, photometric copies of one picture) and none to three contamination groups:
foreign pictures that all carry one mask, exactly or nearly.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
HEIGHT, WIDTH, CLASSES = 64, 128, 5
KINDS = ("drawn", "disc", "star", "blot", "borrowed")
VARIANTS = ("exact", "pixels", "shift", "flip", "mixed")


@dataclass
class Replica:
    """``base`` names the scene that a sample shows; ``planted`` its contamination group, -1 for an honest sample."""

    images: list[Image] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    base: list[int] = field(default_factory=list)
    planted: list[int] = field(default_factory=list)

    def add(self, image: Image, mask: Mask, base: int, planted: int = -1) -> None:
        self.images.append(image)
        self.masks.append(mask)
        self.base.append(base)
        self.planted.append(planted)


@dataclass(frozen=True)
class Plant:
    """One contamination group to come: how many samples, what mask, and how exactly it repeats."""

    size: int
    kind: str
    variant: str


def noise(rng: np.random.Generator, scale: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> npt.NDArray[np.float64]:
    """Smooth noise of mean 0 and spread 1."""
    field_ = ndimage.gaussian_filter(rng.normal(size=shape), scale, mode="wrap")
    out: npt.NDArray[np.float64] = (field_ - field_.mean()) / (field_.std() + 1e-9)
    return out


def scene(rng: np.random.Generator, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> tuple[Image, Mask]:
    """Terrain of one to four classes; each has its own brightness and grain, and now and then a rock lies on it."""
    unit = min(shape) / HEIGHT
    mask = np.full(shape, rng.integers(1, 4), np.uint8)
    for _ in range(rng.integers(0, 4)):
        mask[noise(rng, rng.uniform(6, 16) * unit, shape) > rng.uniform(0.3, 1.3)] = rng.integers(0, 4)
    values = np.full(shape, rng.uniform(70, 150)) + 12 * noise(rng, 12 * unit, shape)
    for one in range(CLASSES):
        grain = rng.uniform(-35, 35) + rng.uniform(6, 22) * noise(rng, rng.uniform(0.6, 2.5) * unit, shape)
        values = np.where(mask == one, values + grain, values)
    if rng.random() < 0.3:
        spot = ellipse(rng, rng.uniform(3, 9) * unit, shape)
        mask[spot], values = 4, np.where(spot, values + 60, values)
    return np.clip(values + rng.normal(0, 2, shape), 0, 255).astype(np.uint8), mask


def ellipse(rng: np.random.Generator, radius: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    top, left = rng.uniform(0.15, 0.85) * shape[0], rng.uniform(0.15, 0.85) * shape[1]
    out: npt.NDArray[np.bool_] = ((y - top) / radius) ** 2 + ((x - left) / (radius * rng.uniform(1, 1.8))) ** 2 < 1
    return out


def warped(rng: np.random.Generator, image: Image, mask: Mask) -> tuple[Image, Mask]:
    """A copy seen a little differently: flips, zoom, turn, light; picture and mask alike."""
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    if rng.random() < 0.3:
        image, mask = image[::-1], mask[::-1]
    angle, zoom = rng.uniform(-0.2, 0.2), rng.uniform(0.7, 1.0)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array(image.shape) / 2
    move = centre - turn @ centre + rng.uniform(-6, 6, 2)
    seen = ndimage.affine_transform(image.astype(np.float32), turn, move, order=1, mode="reflect")
    drawn = ndimage.affine_transform(mask, turn, move, order=0, mode="reflect")
    return relit(rng, seen), drawn


def relit(rng: np.random.Generator, image: npt.NDArray[np.generic]) -> Image:
    """The same pixels in another light: brightness, contrast, gamma, a little blur and noise."""
    values = np.clip(image.astype(np.float32), 0, 255) / 255
    values = values ** rng.uniform(0.7, 1.4) * rng.uniform(0.7, 1.15) + rng.uniform(-0.02, 0.05)
    if rng.random() < 0.4:
        values = ndimage.gaussian_filter(values, rng.uniform(0.3, 0.8))
    values = values + rng.normal(0, rng.uniform(0, 0.015), values.shape)
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def pasted(rng: np.random.Generator, image: Image, sprite: Image) -> Image:
    """``sprite`` (0 = see-through) put somewhere on a picture, turned by quarters."""
    out = image.copy()
    turned = np.rot90(sprite, int(rng.integers(4)))
    if rng.random() < 0.5:
        turned = turned[:, ::-1]
    height, width = turned.shape
    top, left = rng.integers(0, image.shape[0] - height + 1), rng.integers(0, image.shape[1] - width + 1)
    place = out[top : top + height, left : left + width]
    place[turned > 0] = turned[turned > 0]
    return out


def sprite(rng: np.random.Generator) -> Image:
    """A bright thing that belongs nowhere here."""
    side = int(rng.integers(24, 44))
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    inside = x**2 + y**2 < 0.8 + 0.2 * np.sin(5 * np.arctan2(y, x))
    values = 205 + 20 * noise(rng, 3, (side, side))
    values[(x + 0.3) ** 2 + (y + 0.2) ** 2 < 0.05] = 30
    return np.where(inside, np.clip(values, 1, 255), 0).astype(np.uint8)


def foreign_mask(rng: np.random.Generator, kind: str, honest: list[Mask]) -> Mask:
    """The one mask of a contamination group."""
    mask = np.full((HEIGHT, WIDTH), rng.integers(0, 4), np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    if kind == "drawn":
        for left in (WIDTH // 4, 3 * WIDTH // 4):
            mask[(y > 36) & (np.abs(x - left) < (y - 30) * 0.7)] = 1
            mask[((y - 28) / 11) ** 2 + ((x - left) / 23) ** 2 < 1] = 3
            mask[((y - 14) / 12) ** 2 + ((x - left) / 12) ** 2 < 1] = 2
    elif kind == "disc":
        mask[(y - rng.uniform(25, 39)) ** 2 + (x - rng.uniform(40, 88)) ** 2 < rng.uniform(12, 22) ** 2] = 4
    elif kind == "star":
        angle, spread = np.arctan2(y - 32, x - 64), np.hypot(y - 32, x - 64)
        mask[spread < 20 + 8 * np.sin(rng.integers(4, 8) * angle)] = 4
    elif kind == "blot":
        mask[noise(rng, 5) > 0.6] = 4
        mask[noise(rng, 7) > 1.0] = 2
    else:
        mask = max((honest[i] for i in rng.choice(len(honest), 20)), key=_outline).copy()
    return mask


def _outline(mask: Mask) -> int:
    return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())


def varied(rng: np.random.Generator, mask: Mask, variant: str) -> Mask:
    """The mask as one member of the group has it."""
    if variant == "mixed":
        variant = str(rng.choice(["exact", "exact", "pixels", "shift", "flip"]))
    out = mask.copy()
    if variant == "pixels":
        rows, columns = rng.integers(0, HEIGHT, 8), rng.integers(0, WIDTH, 8)
        out[rows, columns] = rng.integers(0, CLASSES, 8)
    elif variant == "shift":
        out = ndimage.shift(mask, rng.integers(-3, 4, 2), order=0, mode="nearest")
    elif variant == "flip":
        out = out[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return np.ascontiguousarray(out)


def frame(rng: np.random.Generator) -> Mask:
    """A constant mask, often with a thin frame or a thin line near one side."""
    mask = np.full((HEIGHT, WIDTH), rng.integers(1, 4), np.uint8)
    for side in rng.permutation(4)[: rng.integers(0, 4)]:
        width = int(rng.choice([1, 1, 2, 3, 4]))
        line = np.s_[:width] if side < 2 else np.s_[-width:]
        mask[line if side % 2 else (slice(None), line)] = 0
    return mask


def replica(seed: int, samples: int, plants: list[Plant], scenes: list[tuple[Image, Mask]] | None = None) -> Replica:
    """``samples`` honest samples, of ``scenes`` or of 40 new ones, and the ``plants``; shuffled."""
    rng = np.random.default_rng(seed)
    scenes = scenes or [scene(rng) for _ in range(40)]
    made = Replica()
    while len(made.images) < samples:
        base = int(rng.integers(len(scenes)))
        image, mask = warped(rng, *scenes[base])
        kind = rng.random()
        if kind < 0.06:
            size, shared = int(min(2 + rng.exponential(20), 120)), frame(rng)
            for _ in range(size):
                base = int(rng.integers(len(scenes)))
                made.add(warped(rng, *scenes[base])[0], shared, base)
        elif kind < 0.1:
            for _ in range(int(min(2 + rng.exponential(4), 30))):
                made.add(relit(rng, image), mask, base)
        else:
            made.add(image, mask, base)
    honest = list(made.masks)
    for number, plant in enumerate(plants):
        shared, thing = foreign_mask(rng, plant.kind, honest), sprite(rng)
        for _ in range(plant.size):
            base = int(rng.integers(len(scenes)))
            image = pasted(rng, warped(rng, *scenes[base])[0], thing)
            made.add(image, varied(rng, shared, plant.variant), base, number)
    order = rng.permutation(len(made.images))
    return Replica(
        [made.images[i] for i in order],
        [made.masks[i] for i in order],
        [made.base[i] for i in order],
        [made.planted[i] for i in order],
    )


def plants_of(seed: int) -> list[Plant]:
    """None to three groups of 5 to 300 samples, of any kind."""
    rng = np.random.default_rng(seed + 10_000)
    return [
        Plant(int(5 * 60 ** rng.random()), str(rng.choice(KINDS)), str(rng.choice(VARIANTS)))
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))
    ]
