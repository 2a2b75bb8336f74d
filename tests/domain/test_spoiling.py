"""Masks spoilt for a simulation: really spoilt, of the same classes, and the same again with the same seed."""

import numpy as np
import pytest

from app.domain.spoiling import KINDS, LEAST, spoilt


def mask() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Ground, a sky, and two objects."""
    out = np.ones((48, 80), np.uint8)
    out[:14] = 4
    out[20:36, 10:30] = 2
    out[25:44, 50:70] = 3
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_a_part_and_brings_no_class(kind: str) -> None:
    given = mask()
    changed = []
    for seed in range(10):
        out = KINDS[kind](given, np.random.default_rng(seed))
        assert out.shape == given.shape
        assert out.dtype == given.dtype
        assert set(np.unique(out)) <= set(np.unique(given))
        changed.append((out != given).mean())
    assert (given == mask()).all()
    assert LEAST < np.median(changed) < 0.5


def test_the_same_seed_spoils_alike() -> None:
    one, kind = spoilt(mask(), np.random.default_rng(5))
    again, same = spoilt(mask(), np.random.default_rng(5))
    assert kind == same in KINDS
    assert (one == again).all()
    assert (one != mask()).mean() >= LEAST


def test_a_mask_without_outlines_is_left() -> None:
    plain = np.full((32, 32), 7, np.uint16)
    out, kind = spoilt(plain, np.random.default_rng(0))
    assert kind == ""
    assert (out == plain).all()
