"""A data folder beside a stand-in CVAT."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.db import Database
from tests.cvat.standin import running
from tests.cvat.trip import Trip, masks_of, set_up, settings_for


@pytest.fixture
def trip(db: Database, tmp_path: Path) -> Iterator[Trip]:
    """Five labelled samples and an unlabelled one, and a server that they can go to."""
    with running() as standin:
        set_up(db, tmp_path / "set", masks_of(), ["b/new"])
        yield Trip(db, settings_for(tmp_path / "data", standin.url), standin)
