"""The trip to CVAT by hand: its own zips written with what is current, and read back against what was written.

A written file is a batch like one that was pushed: its rows keep which revision each frame is of, since CVAT's exports
don't. Its samples don't count as at CVAT, for nobody knows whether the file ever gets there.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4
from zlib import crc32

from sqlalchemy.orm import Session

from app.cvat import wire
from app.cvat.archives.base import ArchiveKind, Outgoing, stem
from app.cvat.archives.registry import write_archive
from app.cvat.pictures import frame_file
from app.domain.actor import Actor
from app.domain.classes import Role
from app.domain.errors import Invalid
from app.domain.exports.base import CantExport, Written, check_any, new_files
from app.domain.exports.names import FileNames
from app.domain.mask import Mask
from app.flows.cvat_masks import fill_of, pushed_mask
from app.flows.progress import Progress, quiet
from app.store import cvat, datasets, rasters, samples, whole
from app.store.db import Database
from app.store.tables import CvatBatch, CvatFrame, Dataset
from app.store.whole import Whole

SERVER, STATE = "file", "file"
FORMATS = {
    "cvat-datumaro": ArchiveKind.DATUMARO,
    "cvat-images": ArchiveKind.IMAGES,
    "cvat-coco": ArchiveKind.COCO,
    "cvat-masks": ArchiveKind.MASKS,
}


class NoFile(Invalid):
    """A file that can't be tied to one that was written here."""


def label_id(name: str) -> int:
    """The number of a label in a file, which knows labels by name."""
    return crc32(name.strip().encode("utf-8", "surrogatepass"))


def send(
    db: Database,
    out: Path,
    dataset: str,
    format: str,
    actor: Actor,
    curated: bool = True,
    pictures: bool = True,
    progress: Progress = quiet,
) -> Written:
    """Write the set as a zip that CVAT takes, and note what was in it. ``format``: one of FORMATS.

    Without ``pictures`` it is for a task that has them already. Raises NotFound, CantExport, CantPush, Taken.
    """
    with db.read() as session:
        row = datasets.find(session, dataset)
        writing = _Writing(session, row, curated, pictures, progress)
        with new_files(out) as (path,):
            write_archive(path, FORMATS[format], writing.frames(), writing.specs)
            check_any(len(writing.sent))
            batch = _note(db, row, writing, actor)
    unlabelled = sum(one.revision_id is None for one in writing.sent)
    hint = f"It is batch {batch}: give CVAT's export of it to `remask cvat read`, or to the CVAT page."
    return Written(out, len(writing.sent) - unlabelled, unlabelled, (*writing.notes, hint))


class _Writing:
    """The frames of a file, made as they are written; ``sent`` says what went, ``notes`` what didn't."""

    def __init__(self, session: Session, row: Dataset, curated: bool, pictures: bool, progress: Progress) -> None:
        self._session, self._row, self._curated, self._pictures, self._progress = (
            session, row, curated, pictures, progress,
        )  # fmt: skip
        self.classes = datasets.classes(session, row)
        self.specs = wire.label_specs(self.classes)
        self.sent: list[CvatFrame] = []
        self.notes: list[str] = []
        self._blank = any(one.role is Role.BACKGROUND for one in self.classes.classes)
        self._total = samples.count(session, row.id)

    def frames(self) -> Iterator[Outgoing]:
        files, stems, unlabelled = FileNames(), set[str](), 0
        for done, one in enumerate(whole.walk(self._session, self._row.id, self._curated)):
            if done % 50 == 0:
                self._progress(done, self._total, "writing")
            if one.revision is None and not self._blank:
                unlabelled += 1
                continue
            try:
                data, suffix = frame_file(rasters.picture(self._session, one.image))
            except CantExport as error:
                self.notes.append(f"{one.sample.key} is left out: {error}")
                continue
            # One stem for each picture: CVAT's exports fail where two differ by their suffix alone.
            name = one.sample.key.removesuffix(suffix)
            name = name if name not in stems else one.sample.key
            stems.add(name)
            name = files.take(name) + suffix
            yield Outgoing(name, self._mask(one, name), self._revision(one) or 0, one.sample.key, self._along(data))
        if unlabelled:
            self.notes.append(f"{unlabelled} samples without a mask are left out: no class is background.")

    def _along(self, data: bytes) -> bytes | None:
        return data if self._pictures else None

    def _mask(self, one: Whole, name: str) -> Mask:
        id = self._revision(one)
        number = len(self.sent)
        frame = CvatFrame(sample_id=one.sample.id, name=name, number=number, revision_id=id, base_id=id, ours_id=id)
        frame.state = "sent"
        self.sent.append(frame)
        return pushed_mask(self._session, frame, fill_of(self.classes))

    @staticmethod
    def _revision(one: Whole) -> int | None:
        return None if one.revision is None else one.revision.id


def _note(db: Database, row: Dataset, writing: _Writing, actor: Actor) -> int:
    with db.write() as session:
        batch = CvatBatch(
            dataset_id=row.id,
            server=SERVER,
            url="",
            name=f"{row.name} file {uuid4().hex[:8]}",
            state=STATE,
            source="given",
            class_version=row.class_version,
            background=False,
            segment_size=len(writing.sent),
            size=len(writing.sent),
            actor_name=actor.name,
        )
        session.add(batch)
        session.flush()
        for frame in writing.sent:
            frame.batch_id = batch.id
        session.add_all(writing.sent)
        cvat.set_labels(session, batch.id, cvat.CLASS, {one.class_id: label_id(one.name) for one in writing.specs})
        return batch.id


def frames_by_name(session: Session, batch_id: int) -> dict[str, CvatFrame]:
    """A file's frames by name without extension, which is what all of CVAT's formats keep."""
    return {stem(one.name): one for one in cvat.frames(session, batch_id)}
