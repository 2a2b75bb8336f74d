"""One trip to CVAT on either database: rows, decisions and receipts are the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.flows import conflict, edit, review
from app.store import cvat, datasets, receipts, samples
from app.store.db import Database
from tests.cvat.standin import running
from tests.cvat.trip import ADA, DATASET, Trip, masks_of, set_up, settings_for


@pytest.fixture
def trip(db: Database, tmp_path: Path) -> Iterator[Trip]:
    with running() as standin:
        set_up(db, tmp_path / "set", masks_of(), ["b/new"])
        yield Trip(db, settings_for(tmp_path / "data", standin.url), standin)


def test_there_and_back(trip: Trip) -> None:
    batch = trip.pushed()
    sample = trip.samples()["a/höhe 2"]
    edit.finish(trip.db, sample.id, masks_of()["a/höhe 2"] * 0, ADA, sample.current_id)
    for key in ("a/höhe 0", "a/höhe 2", "b/new"):
        trip.draw(batch, key, trip.labels(batch)[2])
    trip.finish("ann")
    pull = trip.pull(batch)
    assert pull.counts == {"changed": 2, "conflict": 1, "unchanged": 3}
    assert trip.statuses()["a/höhe 2"] == "conflict"
    with trip.db.read() as session:
        totals = {(one.annotator, one.outcome): one.samples for one in receipts.totals(session, pull.id)}
        assert totals == {("ann", "changed"): 2, ("ann", "conflict"): 1, ("ann", "unchanged"): 3}
        (card,) = cvat.cards(session, datasets.find(session, DATASET).id)
        assert card.frames == {"back": 6}
        assert cvat.busy(session, [sample.id]) == {}
        assert [one.id for _, one in receipts.of_sample(session, sample.id)] == [pull.id]
        made = samples.find(session, trip.samples()["a/höhe 0"].id).current_id
        assert receipts.pull_of(session, [made or 0]) == {made: pull.id}
    conflict.resolve(trip.db, DATASET, sample.id, "theirs", ADA)
    assert trip.statuses()["a/höhe 2"] == "corrected"
    line = trip.lines(pull)["a/höhe 0"]
    assert len(review.undo(trip.db, line.decided_id or 0, ADA).decided) == 5
    assert trip.statuses()["a/höhe 0"] == "unreviewed"
