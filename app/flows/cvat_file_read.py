"""A zip that CVAT exported, read back by hand: as a pull, with its receipt."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.cvat import labels, wire
from app.cvat.answers import Frame, Job, Label
from app.cvat.archives.base import Archive, Size
from app.cvat.archives.registry import MANIFEST, read_archive, read_manifest
from app.cvat.shapes import EllipseRule, Shape
from app.domain.actor import Actor
from app.domain.classes import Role, colour_for
from app.domain.errors import RemaskError
from app.domain.formats.source import open_source
from app.flows.cvat_files import STATE, NoFile, frames_by_name, label_id
from app.flows.cvat_pull import end, stopped, take_all
from app.flows.cvat_read import Found, Meaning, Seen, meaning, read
from app.flows.progress import Cancelled, Progress, quiet
from app.store import cvat, datasets, jobs, receipts
from app.store.db import Database
from app.store.tables import CvatBatch, CvatFrame, CvatPull

_NAMED = 5


def request(
    db: Database,
    path: Path,
    dataset: str,
    actor: Actor,
    batch_id: int | None = None,
    confirm: bool = False,
    delete: bool = False,
) -> CvatPull:
    """Ask for a file to be read: its pull and its job.

    ``batch_id``: as what it was sent, by default what its manifest says, else the newest file of the dataset, unless
    another one had other masks (they would be taken for edits). ``confirm``: masks that nobody changed count as
    confirmed. ``delete``: the file is taken away afterwards.

    Raises NotFound, NoFile, BadSource, BadArchive.
    """
    source = open_source(path)
    try:
        read_archive(source, {})
        ties = read_manifest(source) if MANIFEST in source else {}
    finally:
        source.close()
    sent = {name: tie.revision for name, tie in ties.items()}
    with db.write() as session:
        row = datasets.find(session, dataset)
        batch = _batch(session, row.id, batch_id, sent)
        pull = CvatPull(batch_id=batch.id, which="all", confirm=confirm, origin="person", actor_name=actor.name)
        session.add(pull)
        session.flush()
        args = {"pull": pull.id, "path": str(path.absolute()), "delete": delete}
        pull.job_id = jobs.request(session, "cvat_read", row.id, args).id
        return pull


def run(db: Database, pull_id: int, path: Path, progress: Progress = quiet) -> dict[str, Any]:
    """Read the file of a pull, or go on with one that was killed.

    Raises BadSource, BadArchive and NoFile; nothing is taken then, and the pull keeps the sentence.
    """
    with db.read() as session:
        pull = receipts.find(session, pull_id)
        batch = cvat.find(session, pull.batch_id)
        means = meaning(session, batch)
        sizes = cvat.sizes(session, batch.id)
        known = frames_by_name(session, batch.id)
        done = receipts.done_samples(session, pull_id)
    try:
        progress(0, batch.size, "reading the file")
        seen, there = _look(path, batch, pull, means, known, sizes)
        wanted = [one for one in known.values() if one.state in ("sent", "back") and one.sample_id not in done]

        def find(session: Session, one: CvatFrame) -> Found:
            return read(session, seen, one, means) if one.sample_id in there else _absent(one)

        take_all(db, pull_id, seen, wanted, find, progress)
    except (Cancelled, RemaskError) as error:
        stopped(db, pull_id, error)
        raise
    with db.write() as session:
        return end(session, pull_id, seen)


def _batch(session: Session, dataset_id: int, batch_id: int | None, sent: Mapping[str, int]) -> CvatBatch:
    """What a file was sent as. ``sent``: frame -> revision, where the file's manifest says so."""
    files = [one for one in cvat.of_dataset(session, dataset_id) if one.state == STATE]
    if batch_id is not None:
        found = next((one for one in files if one.id == batch_id), None)
        if found is None:
            raise NoFile(f"Batch {batch_id} is no file that was written for CVAT; `remask cvat list` shows them.")
        return found
    for one in files if sent else ():
        frames = frames_by_name(session, one.id)
        if all(name in frames and (frames[name].revision_id or 0) == revision for name, revision in sent.items()):
            return one
    others = {one.id: frames_by_name(session, one.id) for one in files}
    newest = others.pop(files[0].id, {}) if files else {}
    for id, frames in others.items():
        if any(name in newest and newest[name].revision_id != one.revision_id for name, one in frames.items()):
            raise NoFile(
                f"Batches {files[0].id} and {id} were both written for CVAT with other masks; say which it was."
            )
    if sent or not files:
        raise NoFile(
            "This data set wrote no such file for CVAT; export it with a cvat format first, or name the batch."
        )
    return files[0]


def _look(
    path: Path,
    batch: CvatBatch,
    pull: CvatPull,
    means: Meaning,
    known: Mapping[str, CvatFrame],
    sizes: Mapping[int, Size],
) -> tuple[Seen, set[int]]:
    """The file as if it were a task, and the samples that are in it."""
    source = open_source(path)
    try:
        archive = read_archive(source, {name: sizes[one.sample_id] for name, one in known.items()})
        told = _labels(archive, means)
        ids = [label_id(name) for name in archive.labels]
        frames: dict[int, Frame] = {}
        shapes: dict[int, list[Shape]] = {}
        there, strange = set[int](), list[str]()
        for found in archive.frames():
            one = _frame(found.name, known)
            if one is None:
                strange.append(found.name)
                continue
            number = one.number or 0
            width, height = found.size or sizes[one.sample_id]
            frames[number] = Frame(number, one.name, width, height, deleted=False)
            shapes[number] = [replace(shape, frame=number, label=ids[shape.label]) for shape in found.shapes]
            there.add(one.sample_id)
    finally:
        source.close()
    if not there:
        raise NoFile(f"No picture in {source.label} is called like one of batch {batch.id}; was it another file?")
    state = "completed" if pull.confirm else "in progress"
    job = Job(0, 0, "annotation", 0, batch.size - 1, state, "annotation", None, "")
    pushed = wire.pushed_ids(means.then, batch.background) - set(told.deleted)
    notes = _notes(archive, means, told, strange)
    return Seen(EllipseRule.DRAWN, (job,), told, frames, shapes, pushed, tuple(notes)), there


def _labels(archive: Archive, means: Meaning) -> labels.Labels:
    """Labels of a file are known by name, those of classes that weren't drawn (background) too."""
    found = [
        Label(label_id(name), name, colour_for(number, Role.FOREGROUND), "mask")
        for number, name in enumerate(archive.labels, start=1)
    ]
    named = {label_id(one.name): one.id for one in means.now.classes}
    return labels.reconcile(found, means.pushed, means.then, named | dict(means.answers))


def _frame(name: str, known: Mapping[str, CvatFrame]) -> CvatFrame | None:
    """The frame of that name; a task made of our zip has its folders before the names."""
    parts = name.split("/")
    return next((known[short] for n in range(len(parts)) if (short := "/".join(parts[n:])) in known), None)


def _absent(frame: CvatFrame) -> Found:
    return Found(frame.sample_id, None, reason="it isn't in the file: deleted in CVAT, or left out of the export")


def _notes(archive: Archive, means: Meaning, told: labels.Labels, strange: list[str]) -> list[str]:
    out = [f"Read from a file of {archive.kind}."]
    for class_id in told.deleted:
        known = means.then.by_id(class_id)
        name = known.name if known is not None else class_id
        out.append(f"The file has no label of class {name}; its pixels keep their class.")
    if strange:
        more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
        out.append(f"Pictures that were not sent are left out: {', '.join(strange[:_NAMED])}{more}.")
    return out
