"""What another push, another pull and people do in between: nothing doubled, nothing lost, nothing turned back."""

import json
from typing import Any

import pytest

from app.cvat import client, wire
from app.cvat.errors import CountDiffers, CvatError, ImportFailed
from app.cvat.wire import CantPush
from app.domain.classes import ClassList, named
from app.domain.errors import Conflict
from app.flows import classes, cvat_batches, cvat_pull, cvat_push
from app.flows.cvat_read import look
from app.store import cvat, receipts
from app.store.tables import CvatBatch
from tests.cvat.faults import Fault, Plan
from tests.cvat.journey import CLASSES, connected
from tests.cvat.killed import Killed
from tests.cvat.standin import running
from tests.cvat.trip import ADA, DATASET, Trip

KEY = "a/höhe 0"
SPECS = wire.label_specs(CLASSES)


def blind(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The first look of ``client``'s function of that name sees nothing: what is there came a moment later."""
    plain, looks = getattr(client, name), []

    def look_again(*args: object, **more: object) -> object:
        looks.append(name)
        return [] if len(looks) == 1 else plain(*args, **more)

    monkeypatch.setattr(client, name, look_again)


def test_two_pushes_at_once_make_one_project(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as standin, connected(standin.url) as connection:
        first = client.ensure_project(connection, "mars", SPECS, None)
        blind(monkeypatch, "find_projects")
        assert client.ensure_project(connection, "mars", SPECS, None) == first
        assert list(standin.state.projects) == [first.id]


def test_two_pushes_at_once_add_a_label_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as standin, connected(standin.url) as connection:
        project = client.ensure_project(connection, "mars", SPECS, None).id
        known = client.ensure_labels(connection, project, SPECS)
        blind(monkeypatch, "labels_of")
        assert client.ensure_labels(connection, project, SPECS) == known
        assert len(standin.state.labels) == len(SPECS)


def test_the_labels_of_a_project_take_the_colours_of_now(trip: Trip) -> None:
    (first,) = trip.plan(ids=[trip.samples()[KEY].id])
    trip.push(first)
    red = tuple(named(one.id, one.name, (255, 0, 0)) if one.id == 1 else one for one in CLASSES.classes)
    classes.put(trip.db, DATASET, ClassList(red, guessed=False), ADA)
    (second,) = trip.plan(ids=[trip.samples()["a/höhe 2"].id])
    trip.push(second)
    colours = {one["name"]: one["color"] for one in trip.standin.state.labels.values()}
    assert len(colours) == 3 and colours["rock"] == "#ff0000"


def pushed_until(trip: Trip, call: str, monkeypatch: pytest.MonkeyPatch) -> CvatBatch:
    """A batch whose push was killed where it would have made this call of the client."""
    (batch,) = trip.plan()

    def die(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(client, call, die)
        with pytest.raises(Killed):
            trip.push(batch)
    return batch


@pytest.fixture
def killed_before_it_is_counted(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> int:
    """A batch whose masks are in CVAT though nobody here knows."""
    return pushed_until(trip, "check_count", monkeypatch).id


def test_what_people_did_before_a_killed_push_went_on_is_theirs(trip: Trip, killed_before_it_is_counted: int) -> None:
    batch = trip.batch(killed_before_it_is_counted)
    labels = {one["name"]: one["id"] for one in trip.standin.state.labels.values()}
    held = trip.standin.state.shapes[batch.task_id or 0]
    drawn = {**held[0], "type": "rectangle", "points": [1.0, 1.0, 3.0, 3.0], "label_id": labels["big sand"], "id": 900}
    held.append(drawn)
    calls = len(trip.standin.calls)
    trip.push(batch)
    assert not [one for one in trip.standin.calls[calls:] if one.startswith("PUT")]
    trip.finish()
    pull = trip.pull(trip.batch(batch.id))
    assert pull.counts == {"changed": 1, "unchanged": 4, "skipped": 1}


def test_what_people_drew_before_any_mask_was_there_stops_the_push(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = pushed_until(trip, "put_annotations", monkeypatch)
    task, label = trip.batch(batch.id).task_id, next(iter(trip.standin.state.labels))
    drawn = {"type": "rectangle", "frame": 0, "label_id": label, "points": [1, 1, 3, 3], "attributes": []}
    trip.call("PATCH", f"/api/tasks/{task}/annotations/", {"shapes": [drawn]}, [("action", "create")])
    with pytest.raises(CountDiffers, match="drew in task 1 before its masks were there; close the batch"):
        trip.push(batch)
    cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect)
    assert trip.pushed().state == "at_cvat" and len(trip.standin.state.tasks) == 1


def test_shapes_that_cvat_drops_are_missed_and_the_task_is_made_anew(
    trip: Trip, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, (batch,) = client.put_annotations, trip.plan()

    def dropping(connection: Any, task: int, body: bytes) -> None:
        value = json.loads(body)
        value["shapes"][-1]["frame"] = 999
        plain(connection, task, json.dumps(value).encode())

    with monkeypatch.context() as patched:
        patched.setattr(client, "put_annotations", dropping)
        with pytest.raises(CountDiffers, match="holds 2 shapes on frame 4, 3 were sent"):
            trip.push(batch)
    trip.push(batch)
    assert trip.batch(batch.id).state == "at_cvat" and list(trip.standin.state.tasks) == [2]


def test_an_import_that_loses_pictures_is_told_and_done_again(trip: Trip) -> None:
    trip.standin.state.half_imports = 1
    (batch,) = trip.plan()
    with pytest.raises(ImportFailed, match="holds 3 pictures where 6 were sent"):
        trip.push(batch)
    trip.push(batch)
    assert trip.batch(batch.id).state == "at_cvat" and list(trip.standin.state.tasks) == [2]


def test_a_shape_that_cvat_could_not_read_is_not_sent(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    (batch,) = trip.plan()
    for points in ([0, 3, 0, 0, 1, 1], [0, 4, 8, 5, 9, 6], [0, 4, -1, 0, 0, 1]):
        monkeypatch.setattr(wire, "points_by_class", lambda _mask, points=points: [(1, points)])
        with pytest.raises(CantPush, match="can't read"):
            trip.push(batch)
    assert not any(trip.standin.state.shapes.values())


def test_a_webhook_that_may_not_be_made_keeps_no_mask_from_going(trip: Trip) -> None:
    called = trip.settings.model_copy(update={"cvat_webhook": "http://here/hook", "cvat_secret": "s"})
    (batch,) = trip.plan()
    trip.standin.state.forbidden = "POST /api/webhooks"
    cvat_push.run(trip.db, called, batch.id, connect=trip.connect)
    assert trip.batch(batch.id).state == "at_cvat" and trip.standin.state.webhooks == {}


def test_a_pull_that_looked_earlier_turns_nothing_back(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers: the first looks, somebody draws, the second looks and takes, then the first takes what it saw."""
    batch = trip.pushed()
    trip.draw(batch, KEY, trip.labels(batch)[2])
    trip.finish()

    def overtaken(*args: Any) -> object:
        seen = look(*args)
        monkeypatch.setattr(cvat_pull, "look", look)
        trip.draw(batch, KEY, trip.labels(batch)[1], points=[0, 0, 9, 6], z_order=1)
        trip.pull(batch, "finished")
        return seen

    monkeypatch.setattr(cvat_pull, "look", overtaken)
    pull = trip.pull(batch)
    line = trip.lines(pull)[KEY]
    assert line.outcome == "skipped" and "another pull" in line.reason
    assert (trip.mask(KEY) == 1).all() and len(trip.revisions(KEY)) == 2


def test_a_batch_that_is_closed_while_it_is_pulled_stays_closed(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = trip.pushed()
    trip.finish()

    def closing(*args: Any) -> object:
        seen = look(*args)
        cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect)
        return seen

    monkeypatch.setattr(cvat_pull, "look", closing)
    with pytest.raises(Conflict, match="was closed while it was pulled"):
        trip.pull(batch)
    assert set(trip.statuses().values()) == {"unreviewed", "unlabeled"}


def test_a_server_that_is_away_is_one_receipt_however_often_it_is_polled(trip: Trip) -> None:
    batch = trip.pushed()
    trip.standin.plan = Plan(len(trip.standin.calls) + 1, Fault.E502, 50)
    for _ in range(3):
        pull = cvat_pull.request(trip.db, batch.id, ADA, "finished", origin="poll")
        with pytest.raises(CvatError):
            cvat_pull.run(trip.db, trip.settings, pull.id, connect=trip.connect)
    with trip.db.read() as session:
        assert [one.id for one in receipts.of_batch(session, batch.id)] == [pull.id]
        assert cvat.find(session, batch.id).state == "at_cvat"


def test_a_task_that_is_only_said_to_be_gone_is_not_forgotten(trip: Trip) -> None:
    trip.standin.state.break_import = "No media data found"
    (batch,) = trip.plan()
    with pytest.raises(ImportFailed):
        trip.push(batch)
    trip.standin.plan = Plan(len(trip.standin.calls) + 2, Fault.E404)
    with pytest.raises(CvatError, match="keeps task mars"):
        cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect)
    assert cvat_batches.close(trip.db, trip.settings, batch.id, trip.connect).state == "closed"
    assert trip.standin.state.tasks == {}
