"""Small made sets: shapes of a grey that tells their class, on noise."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.snapshot import Class, Sample, Split, write

CLASSES = (
    Class(0, "sky", "background", "#5b6068"),
    Class(1, "soil", "foreground", "#e69f00"),
    Class(2, "rock", "foreground", "#56b4e9"),
    Class(255, "void", "void", "#1b1d20"),
)
# A training of seconds, the same on every machine.
TINY: dict[str, Any] = {
    "precision": "fp32",
    "layout": "contiguous",
    "device": "cpu",
    "threads": 1,
    "width": 4,
    "depth": 2,
    "batch": 4,
    "epochs": 1,
    "samples": 0,
}


def samples(
    counts: dict[Split, int], *, size: tuple[int, int] = (32, 48), channels: int = 1, seed: int = 0
) -> Iterator[Sample]:
    """``counts`` samples of each split: soil below a horizon, rocks on it, a corner of void."""
    random = np.random.default_rng(seed)
    height, width = size
    for split, count in counts.items():
        for at in range(count):
            mask = np.zeros(size, dtype=np.uint8)
            horizon = int(random.integers(height // 4, height // 2))
            mask[horizon:] = 1
            top, left = int(random.integers(horizon, height - 8)), int(random.integers(0, width - 12))
            mask[top : top + 8, left : left + 12] = 2
            image = np.choose(mask, [60, 130, 220])[:, :, None] + random.normal(0, 12, (*size, channels))
            mask[:3, :3] = 255
            key = f"{split}/{at:03d}"
            yield Sample(key, f"group {key}", split, "label", image.clip(0, 255).astype(np.uint8), mask)


def made(folder: Path, counts: dict[Split, int] | None = None, *, channels: int = 1, seed: int = 0) -> Path:
    """A snapshot of ``samples`` in ``folder``; 12 train, 6 val and 4 test ones by default."""
    chosen = counts or {"train": 12, "val": 6, "test": 4}
    return write(folder / "made.snapshot", samples(chosen, channels=channels, seed=seed), CLASSES, {"dataset": "made"})[
        1
    ]
