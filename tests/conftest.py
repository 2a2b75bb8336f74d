"""A real database file for every test that wants one, and small data sets to put into it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.store.db import Database, open_database
from tests.sets import write_npz


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "remask.sqlite")
    yield database
    database.close()


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """Twelve labelled samples and three unlabelled ones in the course's layout."""
    return write_npz(tmp_path / "set.npz", np.random.default_rng(0), labelled=12, unlabelled=3)
