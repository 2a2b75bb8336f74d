"""Push, edit there, pull: the whole trip through the flows and the real database."""

import numpy as np
import pytest

from app.domain.checks.base import Finding
from app.flows import cvat_pull, review
from app.flows.cvat_pull import BadPull
from app.store import datasets, findings, flags, samples
from tests.cvat.trip import ADA, Trip, masks_of


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


def test_a_second_pull_of_the_same_state_adds_nothing(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, "a/höhe 0", trip.labels(batch)[2])
    trip.finish()
    trip.pull(batch)
    before = trip.everything()
    again = trip.pull(batch)
    assert again.counts == {"unchanged": 5, "skipped": 1}
    assert all(line.decided_id is None and line.after_id is None for line in trip.lines(again).values())
    assert trip.everything() == before


def test_edits_in_a_finished_job_are_found_by_the_next_pull(trip: Trip) -> None:
    batch = trip.pushed()
    trip.finish()
    trip.pull(batch)
    trip.draw(batch, "a/höhe 2", trip.labels(batch)[1], points=[0, 0, 9, 6])
    pull = trip.pull(batch)
    assert pull.counts["changed"] == 1
    assert (trip.mask("a/höhe 2") == 1).all()
    trip.draw(batch, "a/höhe 2", trip.labels(batch)[2], points=[0, 0, 9, 6], z_order=1)
    assert trip.pull(batch).counts["changed"] == 1
    assert (trip.mask("a/höhe 2") == 2).all()
    parents = [one.parent_id for one in trip.revisions("a/höhe 2")]
    assert parents == [None, *[one.id for one in trip.revisions("a/höhe 2")][:-1]]


def test_only_finished_jobs(trip: Trip) -> None:
    """Jobs hold two frames each, in the order of their names."""
    batch = trip.pushed()
    first, *others = trip.jobs(batch)
    for key in ("a/höhe 0", "b/höhe 3"):
        trip.draw(batch, key, trip.labels(batch)[2])
    trip.job(first, assignee="ann")
    pull = trip.pull(batch, "finished")
    assert {key: line.outcome for key, line in trip.lines(pull).items()} == {
        "a/höhe 0": "changed",
        "a/höhe 2": "unchanged",
    }
    assert pull.job_states == {"completed": 1, "new": 2}
    statuses = trip.statuses()
    assert (statuses["a/höhe 0"], statuses["a/höhe 2"], statuses["b/höhe 3"]) == ("corrected", "accepted", "at_cvat")
    for number in others:
        trip.job(number)
    trip.job(first, "in progress")
    assert trip.pull(batch, "finished").counts == {"changed": 1, "unchanged": 2, "skipped": 1}
    trip.pull(batch)
    assert trip.statuses()["a/höhe 0"] == "at_cvat"


def test_what_nobody_finished_nobody_confirms(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, "a/höhe 0", trip.labels(batch)[2])
    pull = trip.pull(batch)
    assert pull.counts == {"changed": 1, "unchanged": 4, "skipped": 1}
    assert "isn't finished" in trip.lines(pull)["a/höhe 2"].reason
    assert set(trip.statuses().values()) == {"at_cvat"}
    trip.pull(batch, confirm=True)
    assert trip.statuses() == {
        **dict.fromkeys(masks_of(), "accepted"),
        "a/höhe 0": "corrected",
        "b/new": "unlabeled",
    }


def test_chosen_samples_are_confirmed_by_the_choice(trip: Trip) -> None:
    batch = trip.pushed()
    chosen = trip.samples()["a/höhe 2"].id
    pull = cvat_pull.request(trip.db, batch.id, ADA, "samples", [chosen])
    cvat_pull.run(trip.db, trip.settings, pull.id, connect=trip.connect)
    statuses = trip.statuses()
    assert statuses["a/höhe 2"] == "accepted" and list(statuses.values()).count("at_cvat") == 5
    with pytest.raises(BadPull, match="not in batch"):
        cvat_pull.request(trip.db, batch.id, ADA, "samples", [10_000])


def test_a_first_mask_drawn_in_cvat(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, "b/new", trip.labels(batch)[1], points=[0, 0, 4, 2])
    trip.finish()
    pull = trip.pull(batch)
    line = trip.lines(pull)["b/new"]
    assert line.outcome == "changed" and line.before_id is None and [1, 8] in [move[1:] for move in line.moves]
    expected = np.zeros((6, 9), np.uint8)
    expected[:2, :4] = 1
    assert np.array_equal(trip.mask("b/new"), expected)
    assert trip.statuses()["b/new"] == "corrected"
    review.undo(trip.db, line.decided_id or 0, ADA)
    assert trip.statuses()["b/new"] == "unlabeled"


def test_a_pull_is_undone_as_one(trip: Trip) -> None:
    batch = trip.pushed()
    before = trip.everything()
    trip.draw(batch, "a/höhe 0", trip.labels(batch)[2])
    trip.finish("ann")
    line = trip.lines(trip.pull(batch))["a/höhe 0"]
    outcome = review.undo(trip.db, line.decided_id or 0, ADA)
    assert len(outcome.decided) == 5
    assert np.array_equal(trip.mask("a/höhe 0"), masks_of()["a/höhe 0"])
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}
    assert [one.state for one in trip.revisions("a/höhe 0")] == ["current", "superseded"]
    redone = review.undo(trip.db, outcome.batch or 0, ADA)
    assert len(redone.decided) == 5 and trip.statuses()["a/höhe 0"] == "corrected"
    assert before != trip.everything()


def test_flags_on_the_mask_close_and_those_on_the_picture_stay(trip: Trip) -> None:
    ids = {key: one.id for key, one in trip.samples().items()}
    with trip.db.write() as session:
        dataset = datasets.find(session, trip.dataset)
        for check, about in (("unusual_mask", "mask"), ("bad_image", "image")):
            sample = samples.find(session, ids["a/höhe 2"])
            looked = [findings.Looked(sample.id, sample.current_id if about == "mask" else None)]
            found = [Finding(sample.id, 0.9, True, "odd", None)]
            findings.record(session, dataset.id, findings.Ran(check, 1, about), looked, found, [])
    assert trip.statuses()["a/höhe 2"] == "flagged"
    (batch,) = trip.plan(ids=[ids["a/höhe 2"]])
    trip.push(batch)
    trip.finish("ann")
    trip.pull(trip.batch(batch.id))
    with trip.db.read() as session:
        held = flags.of_sample(session, samples.find(session, ids["a/höhe 2"]))
    assert {one.check: one.state for one in held} == {"unusual_mask": "kept", "bad_image": "open"}
