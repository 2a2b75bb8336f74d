"""What people and servers do to a task besides drawing: labels, frames, jobs and shapes that a pull has to tell of."""

import numpy as np
import pytest

from app.cvat import client
from app.domain.errors import NotFound
from app.flows import cvat_answers
from app.flows.cvat_answers import BadAnswer
from app.store import datasets, receipts
from tests.cvat.trip import ADA, Trip, masks_of

KEY = "a/höhe 0"


def add_label(trip: Trip, name: str = "boulder", colour: str = "#aa5500") -> int:
    project = trip.batch(1).project_id or 0
    label = {"name": name, "type": "any", "color": colour}
    trip.call("PATCH", f"/api/projects/{project}", {"labels": [label]})
    with trip.connect(trip.settings, None) as connection:
        return next(one.id for one in client.labels_of(connection, project=project) if one.name == name)


def test_an_unknown_label_is_asked_about_and_the_rest_goes_on(trip: Trip) -> None:
    batch = trip.pushed()
    label = add_label(trip)
    trip.draw(batch, KEY, label)
    trip.draw(batch, "a/höhe 2", trip.labels(batch)[2])
    trip.finish()
    pull = trip.pull(batch)
    assert pull.state == "asks"
    line = trip.lines(pull)[KEY]
    assert line.outcome == "skipped" and "boulder" in line.reason
    assert trip.lines(pull)["a/höhe 2"].outcome == "changed"
    assert trip.statuses()[KEY] == "at_cvat"
    with trip.db.read() as session:
        (asked,) = receipts.questions(session, datasets.find(session, trip.dataset).id)
    assert (asked.label_id, asked.name, asked.colour) == (label, "boulder", "#aa5500")


def test_a_label_is_mapped(trip: Trip) -> None:
    batch = trip.pushed()
    label = add_label(trip)
    trip.draw(batch, KEY, label)
    trip.finish()
    trip.pull(batch)
    with pytest.raises(NotFound, match="no class 77"):
        cvat_answers.answer(trip.db, trip.dataset, label, "map", ADA, 77)
    cvat_answers.answer(trip.db, trip.dataset, label, "map", ADA, 2)
    pull = trip.pull(batch)
    assert pull.state == "done" and trip.lines(pull)[KEY].outcome == "changed"
    assert (trip.mask(KEY)[1:3, 1:3] == 2).all()


def test_a_class_is_made_of_a_label(trip: Trip) -> None:
    batch = trip.pushed()
    label = add_label(trip)
    trip.draw(batch, KEY, label)
    trip.finish()
    trip.pull(batch)
    assert cvat_answers.answer(trip.db, trip.dataset, label, "create", ADA).class_id == 3
    trip.pull(batch)
    assert (trip.mask(KEY)[1:3, 1:3] == 3).all()
    with trip.db.read() as session:
        made = datasets.classes(session, datasets.find(session, trip.dataset)).by_id(3)
    assert made is not None and (made.name, made.colour) == ("boulder", "#aa5500")


def test_a_label_is_left_out(trip: Trip) -> None:
    batch = trip.pushed()
    label = add_label(trip)
    trip.draw(batch, KEY, label)
    trip.finish()
    trip.pull(batch)
    cvat_answers.answer(trip.db, trip.dataset, label, "ignore", ADA)
    assert trip.pull(batch).counts == {"unchanged": 5, "skipped": 1}
    assert trip.statuses()[KEY] == "accepted"


def test_answers_that_say_nothing(trip: Trip) -> None:
    batch = trip.pushed()
    label = add_label(trip)
    with pytest.raises(NotFound, match="has asked"):
        cvat_answers.answer(trip.db, trip.dataset, label, "ignore", ADA)
    trip.draw(batch, KEY, label)
    trip.pull(batch)
    with pytest.raises(BadAnswer):
        cvat_answers.answer(trip.db, trip.dataset, label, "map", ADA)


def test_a_renamed_label_stays_its_class(trip: Trip) -> None:
    batch = trip.pushed()
    trip.call("PATCH", f"/api/labels/{trip.labels(batch)[1]}", {"name": "stone"})
    trip.finish()
    pull = trip.pull(batch)
    assert pull.counts == {"unchanged": 5, "skipped": 1}
    assert any("called stone" in note for note in pull.notes)


def test_a_deleted_label_takes_no_pixel_away(trip: Trip) -> None:
    batch = trip.pushed()
    label = trip.labels(batch)[1]
    with trip.connect(trip.settings, None) as connection:
        connection.call("DELETE", f"/api/labels/{label}")
    trip.finish()
    pull = trip.pull(batch)
    assert pull.counts == {"unchanged": 5, "skipped": 1}
    assert any("label of class rock was deleted" in note for note in pull.notes)
    assert np.array_equal(trip.mask(KEY), masks_of()[KEY])


def test_what_was_erased_becomes_background(trip: Trip) -> None:
    batch = trip.pushed()
    trip.erase(batch, KEY, trip.labels(batch)[1])
    trip.finish()
    trip.pull(batch)
    before = masks_of()[KEY]
    assert np.array_equal(trip.mask(KEY), np.where(before == 1, 0, before))


def test_a_deleted_frame_is_told_and_kept_as_it_is(trip: Trip) -> None:
    batch = trip.pushed()
    body = {"deleted_frames": [trip.frame(batch, KEY)]}
    trip.call("PATCH", f"/api/tasks/{batch.task_id}/data/meta", body)
    trip.finish()
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "skipped" and "deleted" in line.reason
    assert trip.statuses()[KEY] == "unreviewed"


def test_ground_truth_and_overlapping_jobs(trip: Trip) -> None:
    batch = trip.pushed()
    state = trip.standin.state
    task = state.tasks[batch.task_id or 0]
    state.jobs[900] = state.job(900, task, 0, 5, "ground_truth")
    state.jobs[901] = state.job(901, task, 0, 1, "consensus_replica")
    state.jobs[902] = state.job(902, task, 1, 2)
    for number in (900, 901):
        trip.job(number)
    pull = trip.pull(batch, "finished")
    assert pull.counts == {}
    told = " ".join(pull.notes)
    assert "ground truth" in told and "consensus replica" in told and "share frames" in told


def test_shapes_without_pixels_are_named_and_confirm_nothing(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, KEY, trip.labels(batch)[1], "points", points=[1, 1, 2, 2])
    trip.finish()
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "skipped" and "1 point set" in line.reason and not line.confirmed
    assert trip.statuses()[KEY] == "unreviewed"


def test_ellipses_are_marked_and_broken_runs_skip_their_frame(trip: Trip) -> None:
    batch = trip.pushed()
    trip.draw(batch, KEY, trip.labels(batch)[1], "ellipse", points=[4, 3, 7, 1])
    trip.draw(batch, "a/höhe 2", trip.labels(batch)[1], "mask", points=[0, 40, 0, 0, 1, 1])
    trip.finish()
    lines = trip.lines(trip.pull(batch))
    assert lines[KEY].outcome == "changed" and "ellipse" in lines[KEY].reason
    assert lines["a/höhe 2"].outcome == "skipped" and "can't be drawn" in lines["a/höhe 2"].reason
    assert lines["b/höhe 1"].outcome == "unchanged"
