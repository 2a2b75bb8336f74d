from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from app.domain.actor import person
from app.domain.checks.duplicate_image import DuplicateImage
from app.flows import ingest, inspect
from app.flows.progress import Cancelled
from app.store.db import Database
from app.store.tables import Score
from benchmarks.replicas import replica, scene


def test_a_check_that_looks_again_can_be_cancelled_meanwhile(db: Database, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = replica(0, 24, [], [scene(rng) for _ in range(3)])
    np.savez(tmp_path / "set.npz", training_set=np.stack([made.images, made.masks], axis=1))
    ingest.run(db, tmp_path / "set.npz", "copies", person("ada"))
    told: list[str] = []

    def stops(_done: int, _total: int, message: str) -> None:
        told.append(message)
        if told.count(DuplicateImage.title) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        inspect.run(db, "copies", ["duplicate_image"], stops)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Score)) == 0
    [found] = inspect.run(db, "copies", ["duplicate_image"])
    assert found.flagged > 2
