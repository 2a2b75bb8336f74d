"""A data folder beside a stand-in CVAT."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.db import open_database
from tests.cvat.standin import running
from tests.cvat.trip import Trip, made, settings_for


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of five labelled samples and an unlabelled one."""
    return made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def trip(made_once: Path, tmp_path: Path) -> Iterator[Trip]:
    """A copy of it, and a server that its samples can go to."""
    with running() as standin:
        settings = settings_for(tmp_path / "data", standin.url)
        shutil.copy(made_once, settings.home / made_once.name)
        db = open_database(settings.home / made_once.name)
        yield Trip(db, settings, standin)
        db.close()
