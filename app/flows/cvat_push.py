"""A batch to CVAT: project and labels, a task, its pictures, its shapes.

Every step is a row before it is a request, and asks the server what is there before it adds to it, so a push that was
killed anywhere goes on and doubles nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from app.cvat import client, upload, webhook, wire
from app.cvat.connection import Connection
from app.cvat.errors import CountDiffers, Forbidden, ImportFailed, Rejected
from app.cvat.pictures import frame_file, match_frames
from app.cvat.probe import check_version, version
from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.exports.base import CantExport
from app.domain.exports.names import FileNames
from app.flows.cvat_batches import BadPush, delete_tasks
from app.flows.cvat_link import Connect, connect
from app.flows.cvat_masks import encoded_frames
from app.flows.progress import Cancelled, Progress, quiet
from app.settings import Settings
from app.store import cvat, datasets, rasters, standing
from app.store.cvat import CLASS, SUGGESTION
from app.store.db import Database
from app.store.tables import CvatBatch, Raster

FOLDER = "cvat"
_LOG = logging.getLogger(__name__)


def run(
    db: Database, settings: Settings, batch_id: int, progress: Progress = quiet, connect: Connect = connect
) -> dict[str, Any]:
    """Push a batch, or go on with it. Cancelled before it is complete, it leaves nothing in CVAT and is closed.

    Raises a CvatError, wire.CantPush or BadPush; the batch keeps the sentence, and pushing again goes on from there.
    """
    batch = _read(db, batch_id)
    if batch.state in ("at_cvat", "closed"):
        return _facts(batch)
    try:
        progress(0, batch.size, "asking CVAT")
        batch = _set(db, batch_id, error=None)
        with connect(settings, batch.server) as connection:
            check_version(version(connection))
            batch = _task(db, settings, connection, batch)
            if batch.request is None:
                batch = _upload(db, settings, connection, batch, progress)
            batch = _wait(db, connection, batch, progress)
            batch = _annotate(db, connection, batch, progress)
    except Cancelled:
        _abandon(db, settings, batch_id, connect)
        raise
    except RemaskError as error:
        _set(db, batch_id, error=str(error))
        raise
    return _facts(batch)


def _task(db: Database, settings: Settings, connection: Connection, batch: CvatBatch) -> CvatBatch:
    """The project with its labels, and a task without data, or the one whose pictures are there or on their way."""
    classes = _classes(db, batch)
    specs = wire.label_specs(classes, batch.background)
    beside = wire.suggestion_specs(classes, batch.background) if batch.source == "both" else ()
    with db.read() as session:
        name = f"Remask {datasets.by_id(session, batch.dataset_id).name}"
    project = client.ensure_project(connection, name, specs, batch.project_id).id
    batch = _set(db, batch.id, project_id=project)
    labels = client.ensure_labels(connection, project, specs)
    suggested = client.ensure_labels(connection, project, beside) if beside else {}
    with db.write() as session:
        cvat.set_labels(session, batch.id, CLASS, labels)
        cvat.set_labels(session, batch.id, SUGGESTION, suggested)
    if settings.cvat_webhook is not None and settings.cvat_secret is not None:
        target = f"{settings.cvat_webhook.rstrip('/')}/{quote(batch.server, safe='')}"
        try:
            webhook.register(connection, project, target, settings.cvat_secret)
        except (Forbidden, Rejected) as error:  # masks get there all the same, and can be pulled by hand or by polling
            _LOG.warning("CVAT %s takes no webhook for batch %s: %s", batch.server, batch.name, error)
    tasks = client.find_tasks(connection, project, batch.name)
    if batch.request is not None and batch.task_id in [one.id for one in tasks]:
        return batch
    # Made and never heard of here, or died half-uploaded: CVAT takes a task's data only once. The row is written first,
    # which a worker that has lost this job can't do.
    batch = _set(db, batch.id, state="creating", task_id=None, request=None)
    if tasks:
        client.delete_tasks(connection, project, batch.name)
    task = client.create_task(connection, project, batch.name, batch.segment_size)
    return _set(db, batch.id, task_id=task.id)


def _upload(
    db: Database, settings: Settings, connection: Connection, batch: CvatBatch, progress: Progress
) -> CvatBatch:
    assert batch.task_id is not None  # noqa: S101  (_task sees to it)
    path = settings.home / FOLDER / f"{batch.id}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        names, refused = _write_zip(db, batch, path, progress)
        if not names:
            raise BadPush(f"No picture of batch {batch.name} can go to CVAT: {next(iter(refused.values()))}")
        with db.write() as session:
            for frame in cvat.frames(session, batch.id):
                frame.name, frame.reason = names.get(frame.sample_id, ""), refused.get(frame.sample_id, "")
                frame.state = "refused" if frame.reason else "planned"
        batch = _set(db, batch.id, state="uploading")

        def tick(done: int, whole: int) -> None:
            progress(done >> 10, whole >> 10, "uploading pictures (KiB)")

        request = upload.start_upload(connection, batch.task_id or 0, path, tick)
        return _set(db, batch.id, state="waiting", request=request)
    finally:
        path.unlink(missing_ok=True)


def _write_zip(db: Database, batch: CvatBatch, path: Path, progress: Progress) -> tuple[dict[int, str], dict[int, str]]:
    """The batch's pictures as one zip; sample -> its name there, and sample -> why it can't go."""
    names: dict[int, str] = {}
    refused: dict[int, str] = {}

    def pictures(session: Session) -> Iterator[tuple[str, bytes]]:
        files, stems = FileNames(), set[str]()
        for done, (frame, sample) in enumerate(cvat.frames_with_samples(session, batch.id)):
            progress(done, batch.size, "packing pictures")
            try:
                data, suffix = frame_file(rasters.picture(session, session.get_one(Raster, sample.image_id)))
            except CantExport as error:
                refused[frame.sample_id] = str(error)
                continue
            # One stem for each picture: CVAT's exports fail where two differ by their suffix alone.
            stem = sample.key.removesuffix(suffix)
            stem = stem if stem not in stems else sample.key
            stems.add(stem)
            names[frame.sample_id] = files.take(stem) + suffix
            yield names[frame.sample_id], data

    with db.read() as session:
        upload.write_zip(path, pictures(session))
    return names, refused


def _wait(db: Database, connection: Connection, batch: CvatBatch, progress: Progress) -> CvatBatch:
    def tick(_done: int, _whole: int) -> None:
        progress(0, 0, "CVAT unpacks the pictures")

    tick(0, 0)
    try:
        upload.wait_for_data(connection, batch.task_id or 0, batch.request or "", tick)
    except ImportFailed:
        _set(db, batch.id, state="creating", request=None)
        raise
    return _set(db, batch.id, state="annotating")


def _annotate(db: Database, connection: Connection, batch: CvatBatch, progress: Progress) -> CvatBatch:
    """Shapes onto the frames, counted; then the samples are at CVAT."""
    task = batch.task_id or 0
    with db.read() as session:
        frames = [frame for frame in cvat.frames(session, batch.id) if frame.state != "refused"]
        by_sample = cvat.sizes(session, batch.id)
    sizes = {frame.name: by_sample[frame.sample_id] for frame in frames}
    try:
        numbers = match_frames(client.frames(connection, task), sizes)
    except ImportFailed:
        _set(db, batch.id, state="creating", request=None)
        raise
    with db.read() as session:
        encoded = list(encoded_frames(session, batch, frames, numbers, progress))
    held = client.shapes(connection, task=task)
    drawn = any(shapes for _, shapes in encoded)
    if drawn and not held:
        _put(db, connection, batch, encoded, progress)
    elif drawn and not client.holds_any(held, encoded):
        raise CountDiffers(
            f"Somebody drew in task {task} before its masks were there; close the batch, which deletes that task, and "
            "push again."
        )
    found = client.jobs_of(connection, task)
    progress(batch.size, batch.size, "at CVAT")
    with db.write() as session:
        batch = cvat.find(session, batch.id)
        for frame in cvat.frames(session, batch.id):
            if frame.state != "refused":
                frame.number, frame.state = numbers[frame.name], "out"
                job = client.job_with(found, numbers[frame.name])
                frame.job = job.id if job is not None else None
        batch.state, batch.error, batch.jobs = "at_cvat", None, [vars(one) for one in found]
        standing.refresh(session, [frame.sample_id for frame in frames])
        return batch


def _put(
    db: Database,
    connection: Connection,
    batch: CvatBatch,
    encoded: Sequence[tuple[int, list[bytes]]],
    progress: Progress,
) -> None:
    """All shapes at once into a task that has none. Raises CountDiffers, and then the next push makes the task anew."""
    progress(0, 0, "sending masks")
    # This replaces all shapes; the write before it fails where the job is another worker's by now.
    _set(db, batch.id, state="annotating")
    task = batch.task_id or 0
    client.put_annotations(connection, task, wire.body(one for _, shapes in encoded for one in shapes))
    try:
        client.check_count(client.shapes(connection, task=task), {number: len(shapes) for number, shapes in encoded})
    except CountDiffers:
        _set(db, batch.id, state="creating", request=None)
        raise


def _abandon(db: Database, settings: Settings, batch_id: int, connect: Connect) -> None:
    """After a cancel: take the task away and close the batch."""
    try:
        delete_tasks(settings, _read(db, batch_id), connect)
    except RemaskError as error:
        _set(db, batch_id, error=f"Cancelled, but its task is still in CVAT ({error}); close the batch to delete it.")
        return
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        standing.refresh(session, cvat.close(session, batch))


def _read(db: Database, batch_id: int) -> CvatBatch:
    with db.read() as session:
        return cvat.find(session, batch_id)


def _set(db: Database, batch_id: int, **values: object) -> CvatBatch:
    """Write down how far the batch is."""
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        for name, value in values.items():
            setattr(batch, name, value)
        return batch


def _classes(db: Database, batch: CvatBatch) -> ClassList:
    with db.read() as session:
        return datasets.classes(session, datasets.by_id(session, batch.dataset_id), batch.class_version)


def _facts(batch: CvatBatch) -> dict[str, Any]:
    return {"batch": batch.id, "name": batch.name, "state": batch.state, "samples": batch.size, "task": batch.task_id}
