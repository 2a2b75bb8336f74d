"""Push, edit there, pull: the whole trip through the flows and the real database."""

import numpy as np

from tests.cvat.trip import Trip, masks_of


def test_nobody_changed_anything(trip: Trip) -> None:
    batch = trip.pushed()
    assert batch.state == "at_cvat" and batch.error is None
    assert set(trip.statuses().values()) == {"at_cvat"}
    trip.finish("ann")
    pull = trip.pull(batch)
    assert pull.state == "done"
    assert pull.counts == {"unchanged": 5, "skipped": 1}
    for key, mask in masks_of().items():
        assert np.array_equal(trip.mask(key), mask) and trip.mask(key).dtype == mask.dtype
        assert trip.lines(pull)[key].annotator == "ann" and trip.lines(pull)[key].confirmed
    assert trip.statuses() == {**dict.fromkeys(masks_of(), "accepted"), "b/new": "unlabeled"}


def test_what_was_drawn_comes_back_as_a_revision(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, "a/höhe 0", trip.labels(batch)[2])
    trip.finish("ann")
    pull = trip.pull(batch)
    line = trip.lines(pull)["a/höhe 0"]
    assert line.outcome == "changed" and line.after_id is not None
    before, after = masks_of()["a/höhe 0"], trip.mask("a/höhe 0")
    assert line.pixels == int((before != after).sum()) > 0
    assert sum(count for _, _, count in line.moves) == line.pixels
    assert (after[1:3, 1:3] == 2).all()
    assert trip.statuses()["a/höhe 0"] == "corrected"
    again = trip.pull(batch)
    assert "changed" not in again.counts
    assert np.array_equal(trip.mask("a/höhe 0"), after)
