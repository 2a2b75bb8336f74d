"""What goes to CVAT and how, what is refused, and what a push leaves that was stopped."""

import hashlib
import hmac
import json

import numpy as np
import pytest

from app.cvat.errors import CvatError, ImportFailed
from app.domain.errors import Conflict
from app.flows import cvat_batches, cvat_pull, cvat_push, cvat_schedule, review
from app.flows.cvat_batches import BadPush, Options
from app.flows.cvat_schedule import Unsigned
from app.flows.progress import Cancelled, Lost
from app.flows.review import Selection
from app.store import cvat, datasets, receipts
from app.store.browse import Filter
from app.store.decisions import Wish
from tests.cvat.faults import Fault, Plan
from tests.cvat.trip import ADA, DATASET, SMALL, Trip, masks_of, suggest

KEY = "a/höhe 0"


def test_batches_of_a_size_and_links_to_their_jobs(trip: Trip) -> None:
    batches = trip.plan(Options(size=4, segment_size=3))
    assert [one.size for one in batches] == [4, 2]
    for one in batches:
        trip.push(one)
    assert len(trip.standin.state.projects) == 1 and len(trip.standin.state.tasks) == 2
    with trip.db.read() as session:
        cards = cvat.cards(session, datasets.find(session, DATASET).id)
        frames = cvat.frames(session, batches[0].id)
    assert [one.frames for one in cards] == [{"out": 2}, {"out": 4}]
    assert [job["start"] for job in cards[1].batch.jobs] == [0, 3]
    assert {frame.job for frame in frames} == {1, 2}
    assert [one.name for one in frames if one.sample_id == trip.samples()[KEY].id] == ["a/höhe 0.png"]


def test_what_is_there_or_excluded_is_not_sent_again(trip: Trip) -> None:
    ids = {key: one.id for key, one in trip.samples().items()}
    (first,) = trip.plan(ids=[ids[KEY]])
    review.decide(trip.db, DATASET, Selection(ids=[ids["a/höhe 2"]]), Wish("exclude"), ADA)
    chosen = Selection(ids=[ids[KEY], ids["a/höhe 2"], ids["b/höhe 1"]])
    planned = cvat_batches.plan(trip.db, trip.settings, DATASET, chosen, ADA, "lab")
    assert {one.key: one.reason for one in planned.refused} == {
        KEY: f"it is in batch {first.name} already",
        "a/höhe 2": "it is excluded",
    }
    with pytest.raises(BadPush, match="no sample to push"):
        trip.plan(ids=[ids[KEY]])
    with pytest.raises(BadPush, match="choose a size"):
        Options(size=0)


def test_background_as_shapes_comes_back_the_same(trip: Trip) -> None:
    batch = trip.pushed(Options(size=10, segment_size=5, background=True))
    assert {one["name"] for one in trip.standin.state.labels.values()} == {"background", "rock", "big sand", "void"}
    trip.finish()
    trip.pull(batch)
    for key, mask in masks_of().items():
        assert np.array_equal(trip.mask(key), mask)


def test_a_suggestion_in_place_of_the_mask_is_taken_when_nobody_changes_it(trip: Trip) -> None:
    suggest(trip, KEY, 2)
    with pytest.raises(BadPush, match="no suggestion"):
        trip.plan(Options(source="suggestion"), [trip.samples()["a/höhe 2"].id])
    (batch,) = trip.plan(Options(source="suggestion"), [trip.samples()[KEY].id])
    trip.push(batch)
    trip.finish("ann")
    assert trip.pull(batch).counts == {"unchanged": 1}
    assert (trip.mask(KEY) == 2).all() and trip.statuses()[KEY] == "corrected"
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "unchanged" and line.decided_id is None


def test_a_corrected_suggestion_settles_it(trip: Trip) -> None:
    suggest(trip, KEY, 2)
    (batch,) = trip.plan(Options(source="suggestion"), [trip.samples()[KEY].id])
    trip.push(batch)
    batch = trip.batch(batch.id)
    trip.draw(batch, KEY, trip.labels(batch)[1], points=[0, 0, 3, 6], z_order=1)
    trip.finish()
    line = trip.lines(trip.pull(batch))[KEY]
    assert line.outcome == "changed" and line.pixels == 18
    assert [one.state for one in trip.revisions(KEY)] == ["superseded", "superseded", "current"]
    assert trip.statuses()[KEY] == "corrected"
    review.undo(trip.db, line.decided_id or 0, ADA)
    assert [one.state for one in trip.revisions(KEY)] == ["current", "pending", "superseded"]


def test_a_suggestion_beside_the_mask_counts_only_where_a_person_takes_it(trip: Trip) -> None:
    suggest(trip, KEY, 2)
    batch = trip.pushed(Options(size=10, segment_size=10, source="both"))
    task = batch.task_id or 0
    beside = [one for one in trip.standin.state.shapes[task] if one["z_order"] == 1]
    assert {one["label_id"] for one in beside} <= set(trip.labels(batch, cvat.SUGGESTION).values()) and beside
    trip.finish()
    assert trip.pull(batch).counts == {"unchanged": 5, "skipped": 1}
    taken = {**beside[0], "label_id": trip.labels(batch)[2]}
    trip.call("PATCH", f"/api/tasks/{task}/annotations/", {"shapes": [taken]}, [("action", "update")])
    assert trip.pull(batch).counts["changed"] == 1
    differs = trip.mask(KEY) != masks_of()[KEY]
    assert differs.any() and (trip.mask(KEY)[differs] == 2).all()


def test_a_broken_import_is_told_and_done_again(trip: Trip) -> None:
    trip.standin.state.break_import = "No media data found"
    (batch,) = trip.plan()
    with pytest.raises(ImportFailed, match="No media data found"):
        trip.push(batch)
    assert "No media data found" in (trip.batch(batch.id).error or "")
    trip.push(batch)
    assert trip.batch(batch.id).state == "at_cvat" and trip.batch(batch.id).error is None
    assert len(trip.standin.state.tasks) == 1
    with pytest.raises(Conflict, match="in CVAT already"):
        cvat_batches.retry(trip.db, batch.id)


def stopped_at(trip: Trip, call: str, by: type[Cancelled | Lost]) -> None:
    """A push that is told to stop at its first progress after ``call``."""
    (batch,) = trip.plan()

    def progress(_done: int, _total: int, _message: str) -> None:
        if any(one.startswith(call) for one in trip.standin.calls):
            raise by

    with pytest.raises(by):
        cvat_push.run(trip.db, trip.settings, batch.id, progress, trip.connect)


@pytest.mark.parametrize("call", ["GET /api/server", "POST /api/tasks/1/data", "GET /api/requests", "PUT"])
def test_a_cancelled_push_leaves_nothing_on_either_side(trip: Trip, call: str) -> None:
    stopped_at(trip, call, Cancelled)
    assert trip.standin.state.tasks == {} and trip.batch(1).state == "closed"
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}
    assert not list((trip.settings.home / cvat_push.FOLDER).glob("*"))
    assert trip.pushed().state == "at_cvat"


def test_a_push_that_another_worker_took_is_left_to_it(trip: Trip) -> None:
    stopped_at(trip, "POST /api/tasks/1/data", Lost)
    assert len(trip.standin.state.tasks) == 1
    trip.push(trip.batch(1))
    assert trip.batch(1).state == "at_cvat" and len(trip.standin.state.tasks) == 1


def test_closing(trip: Trip) -> None:
    batch = trip.pushed()
    cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect)
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}
    assert len(trip.standin.state.tasks) == 1  # people's work stays
    with pytest.raises(Conflict, match="is closed"):
        cvat_pull.request(trip.db, batch.id, ADA)
    (other,) = trip.plan()
    trip.standin.plan = Plan(len(trip.standin.calls) + 10, Fault.E500, 20)
    with pytest.raises(CvatError):
        trip.push(other)
    assert len(trip.standin.state.tasks) == 2
    trip.standin.plan = None
    cvat_batches.close(trip.db, trip.settings, other.id, trip.connect)
    assert list(trip.standin.state.tasks) == [batch.task_id]


def test_a_cancel_that_does_not_reach_cvat_is_told_and_closed_later(trip: Trip) -> None:
    (batch,) = trip.plan()

    def progress(_done: int, _total: int, _message: str) -> None:
        if "POST /api/tasks/1/data/" in trip.standin.calls:
            trip.standin.plan = Plan(len(trip.standin.calls) + 1, Fault.E502, 50)
            raise Cancelled

    with pytest.raises(Cancelled):
        cvat_push.run(trip.db, trip.settings, batch.id, progress, trip.connect)
    assert "still in CVAT" in (trip.batch(batch.id).error or "") and trip.batch(batch.id).state != "closed"
    with pytest.raises(CvatError):
        cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect)
    trip.standin.plan = None
    assert cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect).state == "closed"
    assert trip.standin.state.tasks == {}


def test_a_batch_of_a_server_that_is_configured_no_longer_can_be_closed(trip: Trip) -> None:
    trip.standin.state.break_import = "No media data found"
    (batch,) = trip.plan()
    with pytest.raises(ImportFailed):
        trip.push(batch)
    (trip.settings.home / "cvat.toml").unlink()
    assert cvat_batches.close(trip.db, trip.settings, batch.id).state == "closed"
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}


def test_polls_ask_for_what_is_due_and_leave_no_receipt_of_nothing(trip: Trip) -> None:
    polling = trip.settings.model_copy(update={"cvat_poll": 5})
    batch = trip.pushed()
    assert cvat_schedule.request_due(trip.db, trip.settings) == 0
    assert cvat_schedule.request_due(trip.db, polling) == 0
    with trip.db.write() as session:
        cvat.find(session, batch.id).at = cvat.find(session, batch.id).at.replace(year=2020)
    assert cvat_schedule.request_due(trip.db, polling) == 1
    assert cvat_schedule.request_due(trip.db, polling) == 0
    with trip.db.read() as session:
        (asked,) = receipts.of_batch(session, batch.id)
    cvat_pull.run(trip.db, trip.settings, asked.id, connect=trip.connect)
    with trip.db.read() as session:
        assert receipts.of_batch(session, batch.id) == []
    assert cvat_schedule.request_due(trip.db, polling) == 0


def test_cvat_calls_and_its_batch_is_pulled(trip: Trip) -> None:
    called = trip.settings.model_copy(update={"cvat_webhook": "http://here/hook", "cvat_secret": "s"})
    (batch,) = trip.plan(SMALL)
    cvat_push.run(trip.db, called, batch.id, connect=trip.connect)
    (hook,) = trip.standin.state.webhooks.values()
    assert hook["target_url"] == "http://here/hook/lab" and hook["events"] == ["update:job"]
    trip.job(1)
    body = json.dumps({"event": "update:job", "job": trip.standin.state.jobs[1]}).encode()
    with pytest.raises(Unsigned):
        cvat_schedule.on_webhook(trip.db, called, "lab", body, "sha256=0")
    (pull,) = cvat_schedule.on_webhook(trip.db, called, "lab", body, signature(body))
    assert cvat_schedule.on_webhook(trip.db, called, "lab", body, signature(body))[0].id == pull.id
    cvat_pull.run(trip.db, trip.settings, pull.id, connect=trip.connect)
    with trip.db.read() as session:
        assert receipts.find(session, pull.id).counts == {"unchanged": 2}
    idle = json.dumps({"event": "update:job", "job": trip.standin.state.jobs[2]}).encode()
    assert cvat_schedule.on_webhook(trip.db, called, "lab", idle, signature(idle)) == []
    assert cvat_schedule.on_webhook(trip.db, called, "other", body, signature(body)) == []


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(b"s", body, hashlib.sha256).hexdigest()


def test_a_server_that_is_down_fails_the_pull_with_a_sentence(trip: Trip) -> None:
    batch = trip.pushed()
    trip.standin.plan = Plan(len(trip.standin.calls) + 1, Fault.E502, 50)
    pull = cvat_pull.request(trip.db, batch.id, ADA)
    with pytest.raises(CvatError):
        cvat_pull.run(trip.db, trip.settings, pull.id, connect=trip.connect)
    with trip.db.read() as session:
        failed = receipts.find(session, pull.id)
    assert failed.state == "failed" and "broke" in (failed.error or "")
    trip.standin.plan = None
    assert trip.pull(batch).state == "done"


def test_filters_reach_as_the_grid_has_them(trip: Trip) -> None:
    selection = Selection(filter=Filter(q="höhe 3"))
    planned = cvat_batches.plan(trip.db, trip.settings, DATASET, selection, ADA, "lab")
    assert [one.size for one in planned.batches] == [1]
