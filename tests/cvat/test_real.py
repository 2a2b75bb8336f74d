"""The same journey against a real server, where one is given: CVAT_TEST_URL, and CVAT_TEST_TOKEN or CVAT_TEST_USER and
CVAT_TEST_PASSWORD. It makes a project of its own and deletes it."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from app.cvat import client, wire
from app.cvat.archives.base import ArchiveKind, Outgoing
from app.cvat.archives.registry import write_archive
from app.cvat.connection import JSON, Connection
from app.cvat.failures import Answer
from app.cvat.probe import probe
from app.cvat.servers import Server
from app.cvat.shapes import compose, ellipse_rule
from app.domain.mask import Mask
from app.flows.cvat_link import Connect
from app.settings import Settings
from app.store.db import Database
from tests.cvat import test_there, test_trip
from tests.cvat.byhand import exported, put_archive
from tests.cvat.journey import CLASSES, Batch, picture, pull, push
from tests.cvat.killed import Killed
from tests.cvat.recorded import colours, exported_mask
from tests.cvat.standin import running
from tests.cvat.trip import Trip, masks_of, set_up, settings_for

URL = os.environ.get("CVAT_TEST_URL")


def _secret(name: str) -> SecretStr | None:
    value = os.environ.get(name)
    return SecretStr(value) if value else None


@pytest.fixture
def connection() -> Iterator[Connection]:
    if not URL:
        pytest.skip("needs a CVAT server: set CVAT_TEST_URL and CVAT_TEST_TOKEN, or CVAT_TEST_USER and _PASSWORD")
    user = os.environ.get("CVAT_TEST_USER")
    made = Connection(Server("real", URL, _secret("CVAT_TEST_TOKEN"), user, _secret("CVAT_TEST_PASSWORD")))
    yield made
    made.close()


@pytest.fixture
def batch(connection: Connection) -> Iterator[Batch]:
    rng = np.random.default_rng(5)
    noisy = rng.choice(np.array([0, 1, 2, 255], np.uint8), (64, 128))
    masks: dict[str, Mask] = {"a/noisy.png": noisy, "b/höhe µ.png": np.zeros((40, 30), np.uint8)}
    masks["b/noisy.png"] = np.full((1, 1), 2, np.uint8)
    name = f"remask test {uuid.uuid4()}"
    project = client.create_project(connection, name, wire.label_specs(CLASSES))
    yield Batch(masks, name, project=project.id)
    connection.call("DELETE", f"/api/projects/{project.id}")


@pytest.mark.parametrize("whole", [100 << 20, 0], ids=["in one request", "in pieces"])
def test_push_edit_pull(connection: Connection, batch: Batch, whole: int) -> None:
    found = probe(connection)
    assert found.good, found.sentence
    push(connection, batch, whole=whole)
    got = pull(connection, batch)
    assert all(np.array_equal(got[name], mask) for name, mask in batch.masks.items())
    assert batch.task is not None and found.version is not None
    frames = {frame.name: frame for frame in client.frames(connection, batch.task)}
    frame = frames["b/höhe µ.png"]
    shapes: list[dict[str, object]] = [
        {"type": "polygon", "points": [2, 2, 20, 3, 12, 30]},
        {"type": "ellipse", "points": [15, 20, 22, 10], "rotation": 30, "z_order": 1},
        {"type": "rectangle", "points": [1, 30, 12.5, 38.2], "rotation": 15},
    ]
    edit = [{**one, "frame": frame.number, "label_id": batch.labels[1], "attributes": []} for one in shapes]
    path = f"/api/tasks/{batch.task}/annotations/"
    body = json.dumps({"shapes": edit}).encode()
    connection.call("PATCH", path, query=[("action", "create")], body=body, content_type=JSON)
    held = [shape for shape in client.shapes(connection, task=batch.task) if shape.frame == frame.number]
    ids: dict[int, int | None] = {label: id for id, label in batch.labels.items()}
    drawn = compose(held, ids, frame.height, frame.width, ellipse_rule(found.version.number))
    assert drawn.ellipses == 1 and 300 < int(drawn.painted.sum()) < 700
    assert [list(job.frames) for job in client.jobs_of(connection, batch.task)] == [[0, 1], [2]]
    assert client.frame_bytes(connection, batch.task, frame.number).startswith(b"\x89PNG")


SHAPES: tuple[dict[str, object], ...] = (
    {"type": "polygon", "points": [5.5, 5.2, 60.1, 12.7, 30.4, 58.9], "frame": 0},
    {"type": "rectangle", "points": [70, 8.4, 120.6, 30.2], "rotation": 25, "z_order": 1, "frame": 0},
    {"type": "ellipse", "points": [90, 40, 112, 28], "frame": 0},
    {"type": "ellipse", "points": [40, 30, 66, 20], "rotation": 40, "z_order": 2, "frame": 0},
    {"type": "ellipse", "points": [12.6, 20.3, 22.4, 5.5], "rotation": 90, "frame": 1},
    {"type": "polygon", "points": [2, 2, 28, 38, 28, 2, 2, 38], "z_order": 1, "frame": 1},
)


def test_shapes_are_drawn_as_this_server_exports_them(connection: Connection, batch: Batch) -> None:
    """Ellipses above all, which differ between versions."""
    batch.masks = {name: np.zeros_like(mask) for name, mask in batch.masks.items()}
    push(connection, batch)
    number = probe(connection).version
    assert batch.task is not None and number is not None
    edit = [one | {"label_id": batch.labels[1 + at % 2], "attributes": []} for at, one in enumerate(SHAPES)]
    body = json.dumps({"shapes": edit}).encode()
    path = f"/api/tasks/{batch.task}/annotations/"
    connection.call("PATCH", path, query=[("action", "create")], body=body, content_type=JSON)
    held = client.shapes(connection, task=batch.task)
    ids: dict[int, int | None] = {label: id for id, label in batch.labels.items()}
    with exported(connection, batch.task) as export:
        palette = colours(export)
        colour = np.zeros(256, np.uint32)
        for one in CLASSES.classes:
            colour[one.id] = palette[one.name]
        for frame in client.frames(connection, batch.task)[:2]:
            here = [one for one in held if one.frame == frame.number]
            drawn = compose(here, ids, frame.height, frame.width, ellipse_rule(number.number))
            wrong = colour[drawn.mask] != exported_mask(export, frame.name.removesuffix(".png"))
            assert not wrong.any(), f"{frame.name}: {wrong.sum()} pixels, first at {np.argwhere(wrong)[0]}"


def test_our_own_files_are_taken_by_this_server(connection: Connection, batch: Batch, tmp_path: Path) -> None:
    """The trip by hand: all four formats, with pictures and without."""
    push(connection, batch)
    assert batch.task is not None
    specs = wire.label_specs(CLASSES)
    for kind in ArchiveKind:
        for along in (False, True):
            frames = [
                Outgoing(name, mask, 1, name, picture(mask) if along else None) for name, mask in batch.masks.items()
            ]
            path = tmp_path / f"{kind.name}{along}.zip"
            write_archive(path, kind, frames, specs)
            client.put_annotations(connection, batch.task, wire.body([]))
            assert not client.shapes(connection, task=batch.task)
            put_archive(connection, batch.task, kind, path)
            got = pull(connection, batch)
            assert all(np.array_equal(got[name], mask) for name, mask in batch.masks.items()), (kind, along)


@dataclass
class RealTrip(Trip):
    """The flows' trip with the real server in the stand-in's place."""

    real: Connection | None = None

    @property
    def connect(self) -> Connect:
        @contextmanager
        def connect(_settings: Settings, _name: str | None) -> Iterator[Connection]:
            assert self.real is not None
            yield self.real

        return connect

    def job(self, number: int, state: str = "completed", assignee: str | None = None) -> None:
        """Whoever finishes a job there, it is this account's."""
        assert self.real is not None
        me = self.real.get("/api/users/self")["id"] if assignee is not None else None
        self.call("PATCH", f"/api/jobs/{number}", {"state": state, "assignee": me})


@pytest.fixture
def trip(connection: Connection, tmp_path: Path, db: Database) -> Iterator[RealTrip]:
    dataset = f"test-{uuid.uuid4().hex[:12]}"
    set_up(db, tmp_path / "set", masks_of(), ["b/new"], dataset=dataset)
    with running() as standin:  # never asked; what a Trip has
        settings = settings_for(tmp_path / "data", connection.server.url)
        yield RealTrip(db, settings, standin, dataset, connection)
    for project in client.find_projects(connection, f"Remask {dataset}"):
        connection.call("DELETE", f"/api/projects/{project.id}")


JOURNEYS = (
    test_trip.test_a_second_pull_of_the_same_state_adds_nothing,
    test_trip.test_edits_in_a_finished_job_are_found_by_the_next_pull,
    test_trip.test_only_finished_jobs,
    test_trip.test_what_nobody_finished_nobody_confirms,
    test_trip.test_chosen_samples_are_confirmed_by_the_choice,
    test_trip.test_a_first_mask_drawn_in_cvat,
    test_trip.test_a_pull_is_undone_as_one,
    test_there.test_an_unknown_label_is_asked_about_and_the_rest_goes_on,
    test_there.test_a_label_is_mapped,
    test_there.test_a_class_is_made_of_a_label,
    test_there.test_a_label_is_left_out,
    test_there.test_a_renamed_label_stays_its_class,
    test_there.test_a_deleted_label_takes_no_pixel_away,
    test_there.test_what_was_erased_becomes_background,
    test_there.test_a_deleted_frame_is_told_and_kept_as_it_is,
    test_there.test_shapes_without_pixels_are_named_and_confirm_nothing,
    test_there.test_ellipses_are_marked_and_broken_runs_skip_their_frame,
)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.__name__)
def test_a_journey(trip: RealTrip, journey: Callable[[Trip], None]) -> None:
    """What the stand-in is asked for elsewhere, asked of the server itself."""
    journey(trip)


def test_the_flows_trip(trip: RealTrip) -> None:
    batch = trip.pushed()
    trip.draw(batch, "a/höhe 0", trip.labels(batch)[2])
    trip.draw(batch, "b/new", trip.labels(batch)[1])
    trip.finish()
    pull = trip.pull(batch)
    assert pull.counts == {"changed": 2, "unchanged": 4}
    assert trip.statuses() == {**dict.fromkeys(masks_of(), "accepted"), "a/höhe 0": "corrected", "b/new": "corrected"}
    for key, mask in masks_of().items():
        assert np.array_equal(trip.mask(key), mask) == (key != "a/höhe 0")
    assert (trip.mask("a/höhe 0")[1:3, 1:3] == 2).all()
    assert trip.pull(batch).counts == {"unchanged": 6}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_flows_trip_killed_at_every_call(trip: RealTrip, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One push, ended at its first call, then at its second, and so on, each time begun again."""
    (batch,) = trip.plan()
    plain = trip.real.call if trip.real is not None else None
    assert plain is not None and trip.real is not None
    for nth in range(1, 200):
        left = [nth]

        def call(*args: Any, left: list[int] = left, **more: Any) -> Answer:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Killed
            answer = plain(*args, **more)
            if left[0] == 0:
                raise Killed
            return answer

        monkeypatch.setattr(trip.real, "call", call)
        try:
            trip.push(batch)
        except Killed:
            continue
        break
    monkeypatch.setattr(trip.real, "call", plain)
    batch = trip.batch(batch.id)
    assert batch.state == "at_cvat" and batch.project_id is not None
    assert [one.id for one in client.find_tasks(trip.real, batch.project_id, batch.name)] == [batch.task_id]
    trip.finish()
    assert trip.pull(batch).counts == {"unchanged": 5, "skipped": 1}
