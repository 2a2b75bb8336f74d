"""Small data sets, made on the spot."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import patches, rasters, windows
from app.store.tables import Sample


def write_npz(path: Path, rng: np.random.Generator, labelled: int = 12, unlabelled: int = 3) -> Path:
    """An NPZ in the course's layout: 16 x 24 pictures, masks of blocks of five classes."""
    training = rng.integers(0, 256, (labelled, 2, 16, 24), dtype=np.uint8)
    blocks = rng.integers(0, 5, (labelled, 4, 6), dtype=np.uint8)
    training[:, 1] = blocks.repeat(4, axis=1).repeat(4, axis=2)
    test = rng.integers(0, 256, (unlabelled, 16, 24), dtype=np.uint8)
    np.savez_compressed(path, training_set=training, test_set=test)
    return path


def with_masks(source: Path, path: Path, changed: dict[int, int]) -> Path:
    """A copy of an NPZ in which mask ``row`` is all of one class, for each row -> class of ``changed``."""
    arrays = dict(np.load(source))
    for row, value in changed.items():
        arrays["training_set"][row, 1] = value
    np.savez_compressed(path, **arrays)
    return path


def every_sample(session: Session, dataset_id: int) -> list[Sample]:
    """Every sample of a dataset, by id."""
    return list(session.scalars(select(Sample).where(Sample.dataset_id == dataset_id).order_by(Sample.id)))


def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasters over 100 pixels are large ones from here on, kept in tiles of 8 x 8."""
    for module in (rasters, windows, patches):
        monkeypatch.setattr(module, "TILE", 8)
    for module in (rasters, windows):
        monkeypatch.setattr(module, "TILED_FROM", 100)
