"""Small made sets with predictions: blobs of a few classes, a noisy model, errors in known places."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.classes import ClassList, Role, named
from app.domain.detector import Predicted


def classes(count: int, void: int | None = None) -> ClassList:
    return ClassList(
        tuple(named(i, f"c{i}", role=Role.VOID if i == void else Role.FOREGROUND) for i in range(count)), guessed=False
    )


@dataclass(frozen=True)
class Made:
    """``wrong`` names the keys of samples whose mask was spoiled; ``truth`` by key."""

    samples: list[Predicted]
    truth: dict[str, npt.NDArray[np.uint8]]
    wrong: set[str]

    def stream(self) -> Iterator[Predicted]:
        yield from self.samples

    def changed(self, change: Callable[[Predicted], Predicted]) -> "Made":
        return replace(self, samples=[change(one) for one in self.samples])


def one_hot(mask: npt.NDArray[np.generic], count: int) -> npt.NDArray[np.float16]:
    out: npt.NDArray[np.float16] = (mask[:, :, None] == np.arange(count)).astype(np.float16)
    return out


def make(
    count: int, kinds: int = 3, shape: tuple[int, int] = (48, 64), noise: float = 0.6, bad: float = 0.25, seed: int = 0
) -> Made:
    """Ground of class 0 with ellipses of the others; the model sees the truth, blurred and with smooth noise. In a
    spoiled mask one ellipse is left out or has another class."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    samples, truth, wrong = [], {}, set[str]()
    for i in range(count):
        true, given = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        spoil = rng.random() < bad
        for n in range(4):
            down, right = rng.uniform(5, 11, 2)
            inside = ((y - rng.uniform(0, shape[0])) / down) ** 2 + ((x - rng.uniform(0, shape[1])) / right) ** 2 < 1
            own = int(rng.integers(1, kinds))
            true[inside] = own
            given[inside] = int(rng.choice([k for k in range(kinds) if k != own])) if spoil and n == 3 else own
        smooth = ndimage.gaussian_filter(one_hot(true, kinds).astype(float), (1, 1, 0)) * 5
        smooth += ndimage.gaussian_filter(rng.normal(size=(*shape, kinds)), (2, 2, 0)) * 6 * noise
        chance = np.exp(smooth)
        chance /= chance.sum(axis=2, keepdims=True)
        image = np.clip(60 + 50 * true + rng.normal(0, 8, shape), 0, 255).astype(np.uint8)
        key = f"s{i}"
        truth[key] = true
        if (true != given).any():
            wrong.add(key)
        samples.append(Predicted(key, image, given, chance.astype(np.float16)))
    return Made(samples, truth, wrong)
