"""Changed there and here: nothing is lost, and a person chooses."""

import numpy as np
import pytest

from app.domain.errors import NotFound
from app.domain.mask import Mask
from app.flows import conflict, edit, review
from app.store.tables import CvatBatch
from tests.cvat.trip import ADA, DATASET, Trip, masks_of

KEY = "a/höhe 0"
OURS = np.full((6, 9), 1, np.uint8)


def draw_here(trip: Trip) -> None:
    sample = trip.samples()[KEY]
    edit.finish(trip.db, sample.id, OURS, ADA, sample.current_id)


@pytest.fixture
def in_conflict(trip: Trip) -> CvatBatch:
    """Changed in CVAT at the right, all rock here."""
    batch = trip.pushed()
    draw_here(trip)
    trip.draw(batch, KEY, trip.labels(batch)[2], points=[6, 0, 9, 6])
    trip.finish("ann")
    pull = trip.pull(batch)
    line = trip.lines(pull)[KEY]
    assert line.outcome == "conflict" and line.after_id is not None
    return batch


def theirs() -> Mask:
    mask = masks_of()[KEY].copy()
    mask[:, 6:] = 2
    return mask


def test_both_are_kept_and_the_sample_says_so(trip: Trip, in_conflict: CvatBatch) -> None:
    assert trip.statuses()[KEY] == "conflict"
    assert np.array_equal(trip.mask(KEY), OURS)
    with trip.db.read() as session:
        found = conflict.versions(session, trip.samples()[KEY].id)
    assert found.pushed is not None and found.batch == in_conflict.id
    assert [one.id for one in (found.pushed, found.ours, found.theirs)] == [one.id for one in trip.revisions(KEY)]
    assert found.theirs.actor_name == "ann"


def test_theirs(trip: Trip, in_conflict: CvatBatch) -> None:
    before = trip.everything()
    outcome = conflict.resolve(trip.db, DATASET, trip.samples()[KEY].id, "theirs", ADA)
    assert np.array_equal(trip.mask(KEY), theirs())
    assert trip.statuses()[KEY] == "corrected"
    review.undo(trip.db, outcome.batch or 0, ADA)
    assert trip.statuses()[KEY] == "conflict"
    assert trip.pull(in_conflict).counts == {"unchanged": 5, "skipped": 1}
    assert [row for row in before if row[1:2] == ("conflict",)] != []


def test_ours(trip: Trip, in_conflict: CvatBatch) -> None:
    conflict.resolve(trip.db, DATASET, trip.samples()[KEY].id, "ours", ADA)
    assert np.array_equal(trip.mask(KEY), OURS)
    assert trip.statuses()[KEY] == "corrected"
    assert "conflict" not in trip.pull(in_conflict).counts
    with trip.db.read() as session, pytest.raises(NotFound, match="no conflict"):
        conflict.versions(session, trip.samples()[KEY].id)


def test_region_by_region(trip: Trip, in_conflict: CvatBatch) -> None:
    sample = trip.samples()[KEY].id
    with trip.db.read() as session:
        regions = conflict.compare(session, sample).regions
    sand: dict[int, conflict.Side] = {one.number: "theirs" for one in regions if one.becomes == 2}
    outcome = conflict.resolve(trip.db, DATASET, sample, "ours", ADA, sand)
    assert np.array_equal(trip.mask(KEY), np.where(theirs() == 2, 2, OURS))
    assert trip.statuses()[KEY] == "corrected"
    review.undo(trip.db, outcome.batch or 0, ADA)
    assert trip.statuses()[KEY] == "conflict" and np.array_equal(trip.mask(KEY), OURS)


def test_a_decision_in_between_is_not_overwritten(trip: Trip, in_conflict: CvatBatch) -> None:
    sample = trip.samples()[KEY]
    with pytest.raises(review.Stale):
        conflict.resolve(trip.db, DATASET, sample.id, "theirs", ADA, version=sample.version - 1)


def test_more_edits_there_take_the_place_of_what_waits(trip: Trip, in_conflict: CvatBatch) -> None:
    trip.draw(in_conflict, KEY, trip.labels(in_conflict)[1], points=[0, 0, 2, 2], z_order=2)
    assert trip.pull(in_conflict).counts["conflict"] == 1
    states = [one.state for one in trip.revisions(KEY)]
    assert states == ["superseded", "current", "superseded", "pending"]


def test_after_theirs_more_edits_come_in_without_a_conflict(trip: Trip, in_conflict: CvatBatch) -> None:
    conflict.resolve(trip.db, DATASET, trip.samples()[KEY].id, "theirs", ADA)
    trip.draw(in_conflict, KEY, trip.labels(in_conflict)[1], points=[0, 0, 2, 2], z_order=2)
    assert trip.pull(in_conflict).counts["changed"] == 1
    assert trip.statuses()[KEY] == "corrected"


def test_the_same_change_on_both_sides_is_none(trip: Trip) -> None:
    batch = trip.pushed()
    draw_here(trip)
    trip.draw(batch, KEY, trip.labels(batch)[1], points=[0, 0, 9, 6])
    trip.finish()
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "unchanged" and line.confirmed
    assert trip.statuses()[KEY] == "corrected"


def test_changed_here_only(trip: Trip) -> None:
    batch = trip.pushed()
    draw_here(trip)
    trip.finish()
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "unchanged" and not line.confirmed
    assert np.array_equal(trip.mask(KEY), OURS)
