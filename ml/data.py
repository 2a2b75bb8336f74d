"""Batches from memory: pixels are decoded once, into the snapshot; here they are cut, padded and stacked.

The order of an epoch, its crops and its copies follow from (seed, epoch) alone, so that a run goes on after an
interruption exactly as it would have gone on without one.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.config import Config
from ml.errors import Refused
from ml.snapshot import Row, Snapshot
from ml.split import count_pixels

VOID = -1
RARE = 0.01  # a class below this share of the training pixels is oversampled where none is named
_STRIP = 1 << 22  # pixels whose values are widened at a time
_LOOKED_AT = 512  # images that the mean and deviation are taken from


@dataclass(frozen=True)
class Scaling:
    """How stored pixels become what the network sees: to 0..1 by ``low`` and ``high``, then by mean and deviation."""

    low: float
    high: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def unit(self, image: Tensor) -> Tensor:
        """(B, H, W, C) as stored -> (B, C, H, W) float32, a copy; training pictures fill 0..1."""
        return torch.sub(image.permute(0, 3, 1, 2), self.low).div_(self.high - self.low)

    def standard(self, unit: Tensor) -> Tensor:
        """(B, C, H, W) of 0..1 -> mean 0 and deviation 1 over the training pictures, by channel."""
        mean = torch.tensor(self.mean, device=unit.device).view(1, -1, 1, 1)
        deviation = torch.tensor(self.deviation, device=unit.device).view(1, -1, 1, 1)
        return (unit - mean) / deviation

    def seen(self, image: Tensor) -> Tensor:
        """(B, H, W, C) as stored -> (B, C, H, W) as the network sees it."""
        return self.standard(self.unit(image))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Item:
    """A cut of one sample: its row, the corner of the cut, and whether it is to be augmented."""

    row: Row
    top: int = 0
    left: int = 0
    augment: bool = False


@dataclass(frozen=True)
class Batch:
    """``image`` (B, H, W, C) as stored, ``target`` (B, H, W) class indices with VOID, ``weight`` (B, H, W) or None."""

    image: Tensor
    target: Tensor
    weight: Tensor | None
    augment: Tensor

    def to(self, device: torch.device) -> "Batch":
        away = device.type == "cuda"
        image, target, weight = (
            None if one is None else (one.pin_memory() if away else one).to(device, non_blocking=away)
            for one in (self.image, self.target, self.weight)
        )
        assert image is not None and target is not None  # noqa: S101 - for the type checker
        return Batch(image, target.long(), weight, self.augment)


class Pictures:
    """The samples of a snapshot as batches. ``size``: the largest cut; sides are padded to ``multiple`` with void."""

    def __init__(self, snapshot: Snapshot, *, size: int, multiple: int, pseudo_weight: float = 1.0) -> None:
        self._snapshot = snapshot
        self._multiple = multiple
        self.size = -(-size // multiple) * multiple
        self._pseudo_weight = pseudo_weight
        self.channels = _channels(snapshot.rows)
        self._dtype = np.uint8 if all(row.image[1] == "uint8" for row in snapshot.rows) else np.float32
        classes = snapshot.targets
        self._index = np.full(65536, VOID, dtype=np.int8 if len(classes) < 128 else np.int16)
        for at, one in enumerate(classes):
            self._index[one.id] = at
        self._weighted = pseudo_weight != 1 or any(row.weight is not None for row in snapshot.rows)

    def cut(self, row: Row) -> tuple[int, int]:
        """Height and width that a cut of ``row`` takes in a batch."""
        return self.padded(min(row.shape[0], self.size)), self.padded(min(row.shape[1], self.size))

    def padded(self, side: int) -> int:
        return -(-side // self._multiple) * self._multiple

    def gather(self, items: Sequence[Item], *, whole: bool = False) -> Batch:
        """Stacks cuts (or whole samples) of like size; what the largest has more than another is void there."""
        rows = [item.row for item in items]
        cuts = [(self.padded(row.shape[0]), self.padded(row.shape[1])) if whole else self.cut(row) for row in rows]
        height, width = max(cut[0] for cut in cuts), max(cut[1] for cut in cuts)
        image = np.zeros((len(items), height, width, self.channels), dtype=self._dtype)
        target = np.full((len(items), height, width), VOID, dtype=self._index.dtype)
        weight = np.ones((len(items), height, width), dtype=np.float32) if self._weighted else None
        for at, item in enumerate(items):
            rows_cut = slice(item.top, item.top + height)
            columns_cut = slice(item.left, item.left + width)
            pixels = self._snapshot.image(item.row)[rows_cut, columns_cut]
            h, w = pixels.shape[:2]
            image[at, :h, :w] = pixels
            if item.row.labelled:
                self._look_up(self._snapshot.mask(item.row)[rows_cut, columns_cut], target[at, :h, :w])
            if weight is not None:
                given = self._snapshot.weight(item.row)
                weight[at, :h, :w] = 1 if given is None else given[rows_cut, columns_cut]
                weight[at] *= self._pseudo_weight if item.row.kind == "pseudo" else 1
        augment = torch.tensor([item.augment for item in items])
        weights = None if weight is None else torch.from_numpy(weight)
        return Batch(torch.from_numpy(image), torch.from_numpy(target), weights, augment)

    def _look_up(self, ids: NDArray[Any], out: NDArray[Any]) -> None:
        """Ids as class indices; what is looked up is widened to eight bytes, so that of many only some rows are."""
        rows = max(1, _STRIP // ids.shape[1])
        for top in range(0, ids.shape[0], rows):
            out[top : top + rows] = self._index[ids[top : top + rows]]

    def scaling(self, rows: Sequence[Row]) -> Scaling:
        """Range, mean and deviation of (at most 512 evenly spaced) ``rows``; bytes span 0..255 whatever they hold."""
        seen = [rows[at] for at in np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(int)]
        pixels = [self._snapshot.image(row) for row in seen]
        low, high = 0.0, 255.0
        if self._dtype is not np.uint8:
            low, high = min(float(one.min()) for one in pixels), max(float(one.max()) for one in pixels)
            high = max(high, low + 1e-6)
        flat: list[NDArray[np.float64]] = [_unit_moments(one, self.channels, low, high) for one in pixels]
        count, total, squares = np.sum(flat, axis=0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
        return Scaling(low, high, tuple(map(float, mean)), tuple(map(float, deviation)))


def epoch_batches(
    rows: Sequence[Row], pictures: Pictures, config: Config, epoch: int, copied: set[str]
) -> list[list[Item]]:
    """The batches of one epoch: every sample once, its augmented versions, and the copies of rare ones.

    Cuts of like size stand together in a batch; a picture larger than a cut is seen in as many random cuts as cover it.
    ``copied``: keys of oversampled samples. With ``versions`` the originals stay as they are and that many augmented
    ones stand beside each; without, every sample is augmented anew.
    """
    random = np.random.default_rng([config.seed, epoch])
    items: list[Item] = []
    for row in rows:
        size = pictures.size
        cuts = -(-row.shape[0] // size) * -(-row.shape[1] // size)
        flags = [False] + [True] * config.versions if config.versions else [True]
        flags += [True] * (config.oversample if row.key in copied else 0)
        for augment in flags * cuts:
            top = int(random.integers(0, max(row.shape[0] - size, 0) + 1))
            left = int(random.integers(0, max(row.shape[1] - size, 0) + 1))
            items.append(Item(row, top, left, augment))
    shuffled = [items[at] for at in random.permutation(len(items))]
    if len(shuffled) > 1 and len(shuffled) % config.batch == 1:
        shuffled.pop()  # batch normalisation can't work on a last batch of one
    shuffled.sort(key=lambda item: pictures.cut(item.row))
    batches = [shuffled[at : at + config.batch] for at in range(0, len(shuffled), config.batch)]
    return [batches[at] for at in random.permutation(len(batches))]


def rare_keys(rows: Sequence[Row], snapshot: Snapshot, config: Config) -> set[str]:
    """Keys of the samples to oversample: those with enough pixels of a rare (or named) class."""
    if not config.oversample:
        return set()
    named = set(config.oversample_classes)
    unknown = named - {one.name for one in snapshot.targets}
    if unknown:
        raise Refused(f"oversample_classes names {min(unknown)!r}, which is no class of this snapshot.")
    pixels = count_pixels(rows)
    total = sum(pixels[one.id] for one in snapshot.targets)
    rare = [
        one.id
        for one in snapshot.targets
        if (one.name in named if named else one.role == "foreground" and pixels[one.id] < RARE * total)
    ]
    return {row.key for row in rows if any(row.pixels.get(id, 0) >= config.oversample_pixels for id in rare)}


def ahead(batches: Iterable[Sequence[Item]], pictures: Pictures, device: torch.device) -> Iterator[Batch]:
    """Gathers on another thread, one batch ahead, where the device works beside the processor."""
    if device.type == "cpu":
        for items in batches:
            yield pictures.gather(items).to(device)
        return
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for items in batches:
            following = thread.submit(pictures.gather, items)
            if waiting is not None:
                yield waiting.result().to(device)
            waiting = following
        if waiting is not None:
            yield waiting.result().to(device)


def _channels(rows: Sequence[Row]) -> int:
    counts = sorted({row.shape[2] for row in rows})
    most = counts[-1]
    if set(counts) - {1, most}:
        raise Refused(f"The pictures have {' and '.join(map(str, counts))} channels; give all the same number, or one.")
    return most


def _unit_moments(image: NDArray[Any], channels: int, low: float, high: float) -> NDArray[np.float64]:
    """(3, channels): pixels, their sum and that of their squares; a large picture some rows at a time."""
    moments = np.zeros((3, image.shape[2]))
    rows = max(1, _STRIP // image.shape[1])
    for top in range(0, image.shape[0], rows):
        strip = image[top : top + rows].astype(np.float32)
        unit = ((strip - low) / (high - low)).reshape(-1, image.shape[2]).astype(np.float64)
        moments += np.stack([np.full(image.shape[2], len(unit)), unit.sum(0), (unit**2).sum(0)])
    return np.broadcast_to(moments, (3, channels)) if image.shape[2] < channels else moments
