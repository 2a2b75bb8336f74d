"""Any disjoint class map survives a push and a pull through the flows and the database, bit for bit."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.domain.classes import ClassList, named
from app.domain.mask import Mask
from app.flows.cvat_batches import Options
from app.store.db import open_database
from tests.cvat.standin import running
from tests.cvat.trip import Trip, set_up, settings_for

ALL = ClassList(tuple(named(id, f"class {id}") for id in range(256)), guessed=False)
WIDE = ClassList((named(0, "background"), named(255, "void"), named(300, "rock"), named(65535, "dust")), guessed=False)
IDS = st.one_of(st.integers(0, 3), st.integers(0, 255))
MAPS = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(lambda shape: arrays(np.uint8, shape, elements=IDS))


def goes_and_comes_back(maps: list[Mask], listed: ClassList, background: bool) -> None:
    held = {f"f {number}": mask for number, mask in enumerate(maps)}
    with tempfile.TemporaryDirectory() as folder, running() as standin:
        home = settings_for(Path(folder) / "data", standin.url)
        db = open_database(home.home / "remask.sqlite")
        set_up(db, Path(folder) / "set", held, listed=listed)
        trip = Trip(db, home, standin)
        batch = trip.pushed(Options(size=100, segment_size=2, background=background))
        trip.finish()
        assert trip.pull(batch).counts == {"unchanged": len(held)}
        for key, mask in held.items():
            assert trip.mask(key).dtype == mask.dtype and np.array_equal(trip.mask(key), mask)
            assert len(trip.revisions(key)) == 1
        assert set(trip.statuses().values()) == {"accepted"}
        db.close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MAPS, min_size=1, max_size=4), st.booleans())
def test_any_class_map(maps: list[Mask], background: bool) -> None:
    goes_and_comes_back(maps, ALL, background)


def test_ids_of_sixteen_bits() -> None:
    rng = np.random.default_rng(5)
    goes_and_comes_back([rng.choice(np.array([0, 255, 300, 65535], np.uint16), (20, 31))], WIDE, False)


@pytest.mark.parametrize("side", [300, pytest.param(2000, marks=pytest.mark.long)])
def test_a_large_map_of_255_classes(side: int) -> None:
    mask = (np.add.outer(np.arange(side) // 17, np.arange(side) // 13 * 5) % 255).astype(np.uint8)
    goes_and_comes_back([mask], ALL, True)


def drawn_at_random(height: int, width: int, kind: str, seed: int) -> Mask:
    """A class map of a kind that is hard in its own way."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    if kind == "full frame":
        mask[:] = rng.integers(1, 256)
    elif kind == "single pixels":
        mask[rng.integers(0, height, 50), rng.integers(0, width, 50)] = rng.integers(1, 256, 50)
    elif kind == "holes":
        rows, columns = np.ogrid[:height, :width]
        rings = np.hypot(rows - height / 3, columns - width / 2).astype(int) // rng.integers(1, 40)
        mask[:] = rings % 2 * (rings % 255 + 1)
    elif kind == "blocks":
        side = int(rng.integers(1, 60))
        cells = rng.integers(0, 255, (-(-height // side), -(-width // side)), dtype=np.uint8)
        mask[:] = np.kron(cells, np.ones((side, side), np.uint8))[:height, :width]
    return mask


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.sampled_from(["empty", "full frame", "single pixels", "holes", "blocks"]),
    st.integers(0, 1 << 30),
    st.booleans(),
)
def test_any_large_map(height: int, width: int, kind: str, seed: int, background: bool) -> None:
    goes_and_comes_back([drawn_at_random(height, width, kind, seed)], ALL, background)
