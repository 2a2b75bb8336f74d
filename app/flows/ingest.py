"""Import: a source is read sample by sample and every mask goes through the one door, in small transactions."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.classes import ClassList, unnamed
from app.domain.errors import Invalid
from app.domain.formats import registry
from app.domain.formats.base import Expected, Found, Ignored, Labelled, Read, Refused
from app.domain.formats.source import Source, open_source
from app.domain.mask import Mask, class_counts, decode_ids, pixel_hash
from app.domain.status import Status
from app.flows.progress import Progress, quiet
from app.flows.report import NothingToImport, Report
from app.store import blobs, datasets, imports, jobs, rasters, revisions, samples, standing, tallies
from app.store.db import Database
from app.store.tables import Import, Sample

CHUNK = 400
CHUNK_BYTES = 64 << 20
MAX_KEY = 1024
DOCUMENTS = ("*.json", "*.xml", "*.txt", "*.csv", "*.yaml", "*.yml")
MAX_DOCUMENT = 256 << 20


def run(
    db: Database,
    path: Path,
    dataset: str,
    actor: Actor,
    *,
    format: str = "auto",
    classes: ClassList | None = None,
    label: str | None = None,
    progress: Progress = quiet,
) -> Report:
    """Import the folder, zip or file at ``path``; ``label`` names it to people.

    Samples already there with the same pixels are counted as repeated; another mask for a known key becomes a pending
    revision. Checks are asked for in the transaction that ends the import. Raises a RemaskError where nothing at all
    could be read.
    """
    started = time.monotonic()
    source = open_source(path)
    source.label = label or source.label
    try:
        reader = registry.detect(source) if format == "auto" else registry.by_name(format)
        with db.read() as session:
            known = datasets.known_classes(session, dataset)
        fixed = classes or (known if known is not None and _has_names(known) else None)
        ingest = _Ingest(db, dataset, actor, source.label, reader.NAME, classes)
        for name, reason in source.refused:
            ingest.refuse(Refused(name, reason))
        for chunk in _chunks(reader.read(source, fixed)):
            ingest.take(chunk)
            progress(ingest.seen, ingest.expected, "reading")
            del chunk  # so that one large picture isn't kept while the next is read
        return ingest.finish(source, time.monotonic() - started)
    finally:
        source.close()


class _Ingest:
    """The state of one import: counts, the keys seen, and the rows begun."""

    def __init__(
        self, db: Database, dataset: str, actor: Actor, label: str, format: str, given: ClassList | None
    ) -> None:
        self.report = Report(dataset, format)
        self.seen = 0
        self.expected = 0
        self._db = db
        self._actor = actor
        self._label = label
        self._given = given
        self._found: ClassList | None = None
        self._keys: set[str] = set()
        self._refused_written = 0

    def refuse(self, refused: Refused) -> None:
        self.report.refused.append(refused)

    def take(self, chunk: Sequence[Read]) -> None:
        """One transaction: all of the chunk, or nothing of it."""
        fresh: list[Labelled] = []
        for item in chunk:
            match item:
                case Found():
                    self._found = item.classes
                case Expected():
                    self.expected = item.count
                case Refused():
                    self.refuse(item)
                case Ignored():
                    self.report.ignored.append(item.what)
                case Labelled():
                    self.seen += 1
                    if reason := self._unfit(item):
                        self.refuse(Refused(item.file, reason))
                    else:
                        self._keys.add(item.key)
                        fresh.append(item)
        if not fresh:
            return
        with self._db.write() as session:
            self._store(session, fresh)
            self._write_refusals(session)

    def finish(self, source: Source, seconds: float) -> Report:
        """Close the report; ask for the checks where something came in. Raises NothingToImport."""
        report = self.report
        if not report.import_id:
            raise NothingToImport(self._label, report)
        report.seconds = round(seconds, 3)
        with self._db.write() as session:
            row = session.get_one(Import, report.import_id)
            self._write_refusals(session)
            for name in source.match(*DOCUMENTS):
                if source.size(name) <= MAX_DOCUMENT:
                    [blob] = blobs.put(session, [source.read(name)])
                    imports.add_document(session, row, name, blob)
            self._count(row)
            row.seconds = report.seconds
            if report.imported or report.pending:
                jobs.request(session, "check", row.dataset_id, {})
        return report

    def _unfit(self, item: Labelled) -> str | None:
        if item.key in self._keys:
            return f"a second picture with the key {item.key!r}"
        if not item.key or len(item.key) > MAX_KEY:
            return f"a key of {len(item.key)} characters; 1 to {MAX_KEY} are taken"
        if "\0" in item.key:
            return "a key with a NUL character"
        if item.mask is not None and item.mask.shape != item.picture.pixels.shape[:2]:
            height, width = item.mask.shape
            return f"mask is {width} x {height}, image is {item.picture.width} x {item.picture.height}"
        return None

    def _store(self, session: Session, items: Sequence[Labelled]) -> None:
        report_row = self._begin(session)
        dataset = datasets.find(session, self.report.dataset)
        taken, known = self._sort_out(session, dataset.id, items)
        class_version = self._classes(session, [item.mask for item in taken if item.mask is not None])
        pictures = rasters.put_pictures(session, [item.picture for item in taken])
        rows = [known.get(item.key) for item in taken]
        for index, (item, picture) in enumerate(zip(taken, pictures, strict=True)):
            if rows[index] is None:
                status = Status.UNLABELED if item.mask is None else Status.UNREVIEWED
                rows[index] = Sample(
                    dataset_id=dataset.id,
                    key=item.key,
                    image_id=picture.id,
                    import_id=report_row.id,
                    split=item.split,
                    status=status.value,
                )
                self.report.imported += 1
                self.report.unlabeled += item.mask is None
        session.add_all([one for one in rows if one is not None])
        session.flush()
        pairs = [(item, one) for item, one in zip(taken, rows, strict=True) if item.mask is not None and one]
        self._propose(session, pairs, class_version)
        tallies.enter(session, [one.id for item, one in zip(taken, rows, strict=True) if one and item.key not in known])
        self.report.overlapped += sum(item.overlapped for item in taken)
        self._count(report_row)

    def _sort_out(
        self, session: Session, dataset_id: int, items: Sequence[Labelled]
    ) -> tuple[list[Labelled], dict[str, Sample]]:
        """The items that bring something new, and the samples that are there already, by key."""
        there = samples.known(session, dataset_id, [item.key for item in items])
        fresh = []
        for item in items:
            known = there.get(item.key)
            if known is None:
                fresh.append(item)
            elif pixel_hash(item.picture.pixels) != known.image_hash:
                self.refuse(Refused(item.file, f"the key {item.key!r} is there already with another picture"))
            elif item.mask is None or pixel_hash(item.mask) in known.mask_hashes:
                self.report.repeated += 1
            else:
                fresh.append(item)
        return fresh, {key: known.sample for key, known in there.items()}

    def _propose(self, session: Session, pairs: Sequence[tuple[Labelled, Sample]], class_version: int) -> None:
        masks = [(item.mask, _as_stored(item)) for item, _ in pairs if item.mask is not None]
        rows = rasters.put_masks(session, masks)
        originals: list[str | None] = []
        for (item, _), (_, stored) in zip(pairs, masks, strict=True):
            kept = item.original if item.original is not None and stored is None else None
            originals.append(blobs.put(session, [kept])[0] if kept is not None else None)
        actor = Actor("import", self._actor.name)
        revisions.propose(
            session,
            [
                revisions.Proposal(sample, raster.id, class_version, "import", actor, original)
                for (_, sample), raster, original in zip(pairs, rows, originals, strict=True)
            ],
        )
        late = [sample.id for _, sample in pairs if sample.import_id != self.report.import_id]
        if late:
            self.report.pending += len(late)
            standing.refresh(session, late)

    def _begin(self, session: Session) -> Import:
        if self.report.import_id:
            return session.get_one(Import, self.report.import_id)
        dataset = datasets.find_or_create(session, self.report.dataset, self._actor)
        row = Import(dataset_id=dataset.id, source=self._label, format=self.report.format, actor_name=self._actor.name)
        session.add(row)
        session.flush()
        self.report.import_id = row.id
        return row

    def _classes(self, session: Session, masks: Sequence[Mask]) -> int:
        """The class list in force, widened by what was given, found or seen; its version."""
        dataset = datasets.find(session, self.report.dataset)
        listed = datasets.classes(session, dataset)
        if self._given is not None:
            listed = self._given
        elif self._found is not None and not _has_names(listed):
            listed = self._found
        seen = {id for mask in masks for id in class_counts(mask)}
        return datasets.set_classes(session, dataset, listed.with_ids(seen), self._actor)

    def _count(self, row: Import) -> None:
        report = self.report
        row.imported, row.unlabeled, row.repeated = report.imported, report.unlabeled, report.repeated
        row.pending, row.overlapped, row.ignored = report.pending, report.overlapped, list(report.ignored)

    def _write_refusals(self, session: Session) -> None:
        imports.add_refusals(session, self.report.import_id, self.report.refused[self._refused_written :])
        self._refused_written = len(self.report.refused)


def _chunks(items: Iterator[Read]) -> Iterator[list[Read]]:
    """Items in lists that are worth a transaction and hold no more pixels than memory is to be used for."""
    chunk: list[Read] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += item.picture.pixels.nbytes if isinstance(item, Labelled) else 0
        del item
        if len(chunk) == CHUNK or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _has_names(listed: ClassList) -> bool:
    """Whether anybody named the classes, rather than masks merely showing their ids."""
    return any(one != unnamed(one.id) for one in listed.classes)


def _as_stored(item: Labelled) -> bytes | None:
    """The mask file's bytes where they are a PNG of just these ids, so that they can be the stored mask itself; a large
    mask is stored in tiles."""
    if item.original is None or not item.original.startswith(b"\x89PNG") or item.mask is None:
        return None
    if rasters.is_tiled(item.mask):
        return None
    try:
        same = pixel_hash(decode_ids(item.original)) == pixel_hash(item.mask)
    except Invalid:
        return None
    return item.original if same else None
