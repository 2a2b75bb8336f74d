"""Trips that end at some call as if the process had been killed there, and are begun again by a fresh one."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from app.cvat import upload
from app.cvat.connection import Connection
from app.cvat.errors import CvatError
from app.cvat.failures import Answer
from app.flows import cvat_batches, cvat_pull, cvat_push
from app.flows.cvat_batches import Options
from app.flows.cvat_link import Connect
from app.settings import Settings
from app.store import cvat, receipts
from app.store.db import open_database
from app.store.tables import CvatBatch, CvatLine, CvatPull
from tests.cvat.journey import QUICK, Clock, server
from tests.cvat.standin import Standin, running
from tests.cvat.trip import ADA, PATIENT, Trip, connecting, settings_for, suggest


class Killed(BaseException):
    """No failure that anything could catch and tidy up after."""


class Dying(Connection):
    """Ends at the ``nth`` call (from 1): before it is sent, or once the server has acted on it."""

    def __init__(self, url: str, nth: int, after: bool) -> None:
        clock = Clock()
        super().__init__(server(url), PATIENT, sleep=clock.sleep, clock=clock)
        self.left, self.after = nth, after

    def call(self, *args: Any, **more: Any) -> Answer:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        answer = super().call(*args, **more)
        if self.left == 0:
            raise Killed
        return answer


def dying(url: str, nth: int, after: bool) -> Connect:
    @contextmanager
    def connect(_settings: Settings, _name: str | None) -> Iterator[Connection]:
        connection = Dying(url, nth, after)
        try:
            yield connection
        finally:
            connection.close()

    return connect


@contextmanager
def fresh(made_once: Path, folder: Path) -> Iterator[Trip]:
    """A trip of its own: a copy of the database, and a server."""
    with running() as standin:
        settings = settings_for(folder, standin.url)
        shutil.copy(made_once, settings.home / made_once.name)
        with opened(settings, standin) as trip:
            yield trip


@contextmanager
def opened(settings: Settings, standin: Standin) -> Iterator[Trip]:
    """The data folder as a process that was just started finds it."""
    db = open_database(settings.home / "remask.sqlite")
    try:
        yield Trip(db, settings, standin)
    finally:
        db.close()


def push(trip: Trip, connect: Connect) -> None:
    """Plans the batch where there is none, and pushes it."""
    with trip.db.read() as session:
        known = session.scalar(select(CvatBatch.id))
    batch = known if known is not None else trip.plan()[0].id
    cvat_push.run(trip.db, trip.settings, batch, connect=connect)


def push_all(trip: Trip, connect: Connect) -> None:
    """A push with all that one can have: a suggestion beside, a webhook, pictures in pieces."""
    told = trip.settings.model_copy(update={"cvat_webhook": "http://here/hook", "cvat_secret": "s"})
    with trip.db.read() as session:
        known = session.scalar(select(CvatBatch.id))
    if known is None:
        suggest(trip, "a/höhe 0", 2)
        known = trip.plan(Options(size=10, segment_size=2, source="both"))[0].id
    with patch.object(upload, "_WHOLE", 0), patch.object(upload, "_PIECE", 600):
        cvat_push.run(trip.db, told, known, connect=connect)


def stop_half_way(trip: Trip) -> None:
    """A push that CVAT broke off when its task was there."""
    trip.standin.state.break_import = "No media data found"
    try:
        push(trip, trip.connect)
    except CvatError:
        return
    raise AssertionError("the push went through")


def close(trip: Trip, connect: Connect) -> None:
    cvat_batches.close(trip.db, trip.settings, 1, connect)


def edit_there(trip: Trip) -> None:
    """One frame changed, one emptied, one drawn on for the first time; every job finished."""
    batch = trip.batch(1)
    labels = trip.labels(batch)
    trip.draw(batch, "a/höhe 0", labels[2])
    trip.erase(batch, "b/höhe 1", labels[1])
    trip.draw(batch, "b/new", labels[1])
    trip.finish("ann")


def pull(trip: Trip, connect: Connect) -> None:
    """Asks for the pull where that hasn't been done, and runs it."""
    with trip.db.read() as session:
        known = session.scalar(select(CvatPull.id).where(CvatPull.state == "asked"))
    pull = known if known is not None else cvat_pull.request(trip.db, 1, ADA).id
    cvat_pull.run(trip.db, trip.settings, pull, connect=connect)


def end_of_push(trip: Trip) -> object:
    """What there is on both sides, without the numbers that a second try draws anew."""
    state = trip.standin.state
    names = {task["id"]: [name for name, _ in state.pictures.get(task["id"], [])] for task in state.tasks.values()}
    label = {one["id"]: one["name"] for one in state.labels.values()}
    shapes = [
        sorted((one["frame"], label[one["label_id"]], tuple(one["points"]), one["z_order"]) for one in held)
        for held in state.shapes.values()
    ]
    return (
        len(state.projects),
        sorted(label.values()),
        list(names.values()),
        shapes,
        sorted((job["start_frame"], job["stop_frame"]) for job in state.jobs.values()),
        trip.everything(),
        sorted((trip.settings.home / cvat_push.FOLDER).glob("*")),
        len(state.webhooks) <= 1,  # one that was refused once is made by the next push
    )


def end_of_pull(trip: Trip) -> object:
    with trip.db.read() as session:
        (receipt,) = (one for one in receipts.of_batch(session, 1) if one.state != "failed")
        columns = (CvatLine.sample_id, CvatLine.outcome, CvatLine.reason, CvatLine.pixels, CvatLine.decided_id)
        lines = [tuple(row) for row in session.execute(select(*columns).where(CvatLine.pull_id == receipt.id))]
        jobs = cvat.find(session, 1).jobs
    return trip.everything(), lines, receipt.counts, receipt.state, [job["state"] for job in jobs]


def until_done(trip: Trip, step: Callable[[Trip, Connect], None], most: int = 8) -> int:
    """Runs a step, quick to give up, again after each failure; how often it failed."""
    for failed in range(most):
        try:
            step(trip, connecting(trip.standin.url, QUICK))
        except CvatError:
            continue
        return failed
    raise AssertionError(f"not done after {most} runs")
