import numpy as np
import pytest
from numpy.typing import DTypeLike

from app.domain.copies import copy_of


@pytest.mark.parametrize(
    ("shape", "dtype"), [((20, 30), np.uint8), ((20, 30, 3), np.uint16), ((16, 16, 1), np.float32)]
)
def test_a_copy_is_another_picture_of_the_same_kind(shape: tuple[int, ...], dtype: DTypeLike) -> None:
    rng = np.random.default_rng(0)
    image = (rng.random(shape) * 200).astype(dtype)
    mask = np.zeros(shape[:2], np.uint8)
    mask[5:12, 6:14] = 7
    changed, ids = copy_of(image, mask, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
    assert (ids.shape, ids.dtype) == (mask.shape, mask.dtype)
    assert set(np.unique(ids)) == {0, 7}
    assert not np.array_equal(changed, image)


def test_picture_and_mask_move_together() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:25, 15:45] = 1
    for seed in range(10):
        moved, ids = copy_of(mask.astype(np.float32), mask, np.random.default_rng(seed))
        lit = moved / moved.max() > 0.5
        assert (lit == (ids == 1)).mean() > 0.97


def test_the_same_seed_gives_the_same_copy() -> None:
    image, mask = np.arange(600, dtype=np.uint16).reshape(20, 30), np.eye(20, 30, dtype=np.uint8)
    first, second = (copy_of(image, mask, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
