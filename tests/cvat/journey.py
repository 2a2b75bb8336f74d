"""One push and one pull with the real client, as a flow will drive it: each step asks the server what is there before
it does anything, so it can be run again after any failure."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from app.cvat import client, upload, wire
from app.cvat.connection import Connection, Patience
from app.cvat.errors import CvatError, ImportFailed
from app.cvat.pictures import match_frames
from app.cvat.servers import Server
from app.cvat.shapes import EllipseRule, compose
from app.domain.classes import ClassList, named
from app.domain.mask import Mask, encode_png

CLASSES = ClassList((named(0, "background"), named(1, "rock"), named(2, "big sand"), named(255, "void")))
QUICK = Patience(connect=2.0, read=0.15, whole=5.0, tries=3)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def server(url: str, **settings: object) -> Server:
    return Server("lab", url, **({"token": SecretStr("full.token")} | settings))  # type: ignore[arg-type]


@contextmanager
def patient(url: str) -> Iterator[Connection]:
    """With the time that a large body takes."""
    connection = Connection(server(url))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def connected(url: str, **settings: object) -> Iterator[Connection]:
    clock = Clock()
    connection = Connection(server(url, **settings), QUICK, sleep=clock.sleep, clock=clock)
    try:
        yield connection
    finally:
        connection.close()


@dataclass
class Batch:
    """What a flow's rows remember of a push."""

    masks: Mapping[str, Mask]
    name: str = "mars batch 7f3a"
    project: int | None = None
    task: int | None = None
    labels: dict[int, int] = field(default_factory=dict)
    request: str | None = None
    uploading: bool = False
    done: bool = False


def push(connection: Connection, batch: Batch, classes: ClassList = CLASSES, whole: int = 100 << 20) -> None:
    """Goes on from wherever ``batch`` stands."""
    specs = wire.label_specs(classes)
    if batch.project is None:
        found = client.find_projects(connection, "mars")
        batch.project = (found[0] if found else client.create_project(connection, "mars", specs)).id
    if not batch.labels:
        batch.labels = client.ensure_labels(connection, batch.project, specs)
    if batch.uploading and batch.request is None and batch.task is not None:
        client.delete_task(connection, batch.task)  # it died half-uploaded
        batch.task, batch.uploading = None, False
    if batch.task is None:
        twins = client.find_tasks(connection, batch.project, batch.name)
        for twin in twins:
            client.delete_task(connection, twin.id)  # made, and never heard of here
        batch.task = client.create_task(connection, batch.project, batch.name, segment_size=2).id
    if batch.request is None:
        batch.uploading = True
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "batch.zip"
            upload.write_zip(path, [(name, picture(mask)) for name, mask in batch.masks.items()])
            batch.request = upload.start_upload(connection, batch.task, path, whole=whole)
    try:
        upload.wait_for_data(connection, batch.task, batch.request)
    except ImportFailed:
        batch.request = None
        raise
    sizes = {name: (mask.shape[1], mask.shape[0]) for name, mask in batch.masks.items()}
    frames = match_frames(client.frames(connection, batch.task), sizes)
    ids = wire.pushed_ids(classes)
    encoded = {frames[name]: wire.encode(mask, batch.labels, ids, frames[name]) for name, mask in batch.masks.items()}
    sent = {number: len(shapes) for number, shapes in encoded.items()}
    held = client.shapes(connection, task=batch.task)
    if not held:
        client.put_annotations(connection, batch.task, wire.body(one for shapes in encoded.values() for one in shapes))
        held = client.shapes(connection, task=batch.task)
    client.check_count(held, sent)
    batch.done = True


def pull(connection: Connection, batch: Batch, classes: ClassList = CLASSES) -> dict[str, Mask]:
    assert batch.task is not None
    ids: dict[int, int | None] = {label: id for id, label in batch.labels.items()}
    frames = client.frames(connection, batch.task)
    held = client.shapes(connection, task=batch.task)
    out = {}
    for frame in frames:
        here = [shape for shape in held if shape.frame == frame.number]
        got = compose(here, ids, frame.height, frame.width, EllipseRule.DRAWN)
        out[frame.name] = wire.settled(got, batch.masks[frame.name], classes, wire.pushed_ids(classes)).mask
    return out


def push_until_done(connection: Connection, batch: Batch, most: int = 8, whole: int = 100 << 20) -> int:
    """Runs ``push`` again after every failure; how often it failed."""
    for failed in range(most):
        try:
            push(connection, batch, whole=whole)
        except CvatError:
            continue
        return failed
    raise AssertionError(f"not done after {most} runs")


def picture(mask: Mask) -> bytes:
    return encode_png(np.zeros(mask.shape, np.uint8))


def small_batch() -> Batch:
    rng = np.random.default_rng(3)
    masks = {
        "a/one.png": rng.choice(np.array([0, 1, 2, 255], np.uint8), (6, 9)),
        "a/höhe µ.png": np.zeros((5, 7), np.uint8),
        "b/one.png": np.full((4, 4), 255, np.uint8),
    }
    return Batch(masks)
