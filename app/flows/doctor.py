"""The doctor: every hash read and compared, rows and files that belong to nothing, columns derived anew, the worker.

What is found is told with how to mend it. Asked to, it mends what is safe: it derives columns again and removes what
nothing refers to. It never touches a picture, a mask or a decision.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from app.domain.errors import RemaskError
from app.flows import doctor_files
from app.flows.ailments import Ailment, Patient, Report, count_of, shown
from app.flows.progress import Progress, quiet
from app.settings import Settings
from app.store import blobs, integrity, standing, tallies
from app.store.blobs import Damaged
from app.store.db import Database

OBJECT_AGE = timedelta(days=1)  # an object may be put long before its row is committed
_RESTORE = "check the disk, and take them from a backup (`remask restore`)"


def run(db: Database, settings: Settings, mend: bool = False, progress: Progress = quiet) -> Report:
    """Look at all of a data folder and its database; with ``mend``, mend what is safe. Every picture is read once."""
    patient, report = Patient(db, settings, mend, progress), Report()
    report.ailments += _schema(patient) or _file(patient)
    if not report.ailments:  # of another schema's rows, or those of a broken file, nothing can be said
        for look in (_links, _rows, _pixels, _tallies, _bytes, _unused, _objects, doctor_files.look):
            report.ailments += look(patient, report)
    return report


def _schema(patient: Patient) -> list[Ailment]:
    with patient.db.read() as session:
        schema = integrity.schema(session)
    if schema.fits:
        return []
    if schema.at is None:
        sentence = "The database holds nothing yet; `remask serve` makes it."
    elif schema.at > schema.newest:
        sentence = f"The database is at schema {schema.at}, newer than this program's {schema.newest}; update Remask."
    else:
        sentence = (
            f"The database is at schema {schema.at}, this program's is {schema.newest}; run any other command, "
            "which brings it up to date, then ask the doctor again."
        )
    return [Ailment("schema", sentence, grave=True)]


def _file(patient: Patient) -> list[Ailment]:
    with patient.db.read() as session:
        faults = integrity.file_faults(session)
    sentence = "SQLite finds its file damaged; check the disk, and restore a backup (`remask restore`)."
    return [Ailment("file", sentence, len(faults), grave=True, examples=shown(faults))] if faults else []


def _links(patient: Patient, _report: Report) -> Iterator[Ailment]:
    with patient.db.read() as session:
        broken = integrity.broken_links(session)
    if broken:
        sentence = "Rows point to rows that are gone; restore a backup (`remask restore`)."
        yield Ailment("links", sentence, sum(broken.values()), grave=True, examples=shown(list(broken)))


def _rows(patient: Patient, report: Report) -> Iterator[Ailment]:
    """What is derived from other rows and kept for speed."""
    stale: list[int] = []
    with patient.db.read() as session:
        for ids in integrity.sample_ids(session):
            stale += standing.stale(session, ids)
            report.looked["samples"] = report.looked.get("samples", 0) + len(ids)
            patient.progress(report.looked["samples"], 0, "samples")
        misplaced, miscounted = integrity.misplaced(session), integrity.miscounted(session)
    if stale:
        if patient.mend:
            with patient.db.write() as session:
                standing.refresh(session, stale)
        sentence = f"The status or worst score of {count_of(len(stale), 'sample')} isn't what follows from the rows."
        yield _derived("status", sentence, stale, patient)
    if misplaced:
        sentence = (
            f"The current mask of {count_of(len(misplaced), 'sample')} isn't the one that says so; "
            "restore a backup (`remask restore`)."
        )
        yield Ailment("current", sentence, len(misplaced), grave=True, examples=shown(misplaced))
    if miscounted:
        if patient.mend:
            with patient.db.write() as session:
                integrity.recount(session, miscounted)
        sentence = f"{len(miscounted)} batches of decisions are counted wrong."
        yield _derived("counts", sentence, miscounted, patient)


def _derived(name: str, sentence: str, things: Sequence[object], patient: Patient) -> Ailment:
    told = sentence if patient.mend else f"{sentence} `remask doctor --mend` derives it again."
    return Ailment(name, told, len(things), True, True, patient.mend, shown(things))


def _pixels(patient: Patient, report: Report) -> Iterator[Ailment]:
    """Every picture and mask: its bytes against their hash, its pixels against theirs, a mask's count of classes."""
    damaged: list[int] = []
    miscounted: list[int] = []
    with patient.db.read() as session:
        total = integrity.count_rasters(session)
        for done, one in enumerate(integrity.every_raster(session), 1):
            if one.damage is not None:
                damaged.append(one.id)
            elif one.miscounted:
                miscounted.append(one.id)
            if done % 50 == 0:
                patient.progress(done, total, "pictures and masks")
        of = [integrity.sample_with(session, id) or f"raster {id}" for id in damaged[:20]]
    report.looked["pictures and masks"] = total
    if damaged:
        sentence = f"The bytes or pixels of {len(damaged)} pictures or masks are damaged or missing; {_RESTORE}."
        yield Ailment("pixels", sentence, len(damaged), grave=True, examples=shown(of))
    if miscounted:
        if patient.mend:
            with patient.db.write() as session:
                for id in miscounted:
                    integrity.recount_classes(session, id)
        sentence = f"The pixels by class of {count_of(len(miscounted), 'mask')} are counted wrong."
        yield _derived("classes", sentence, miscounted, patient)


def _tallies(patient: Patient, report: Report) -> Iterator[Ailment]:
    """Counts that are kept. Where what they follow from was wrong, that was told, and they go with it."""
    with patient.db.read() as session:
        wrong = tallies.wrong(session)
    if wrong and patient.mend:
        with patient.db.write() as session:
            tallies.rebuild(session)
    if wrong and not {"status", "classes"} & {one.name for one in report.ailments}:
        sentence = "Samples by status, split, size or class are counted otherwise than the rows say."
        yield _derived("tallies", sentence, wrong, patient)


def _bytes(patient: Patient, report: Report) -> Iterator[Ailment]:
    """What no picture or mask is read from: originals as they came, documents of imports."""
    damaged = []
    with patient.db.read() as session:
        hashes = integrity.unverified_blobs(session)
        for done, hash in enumerate(hashes, 1):
            try:
                blobs.get(session, hash)
            except Damaged:
                damaged.append(hash)
            if done % 50 == 0:
                patient.progress(done, len(hashes), "originals")
        report.looked["blobs"] = blobs.count(session)
    if damaged:
        sentence = f"{len(damaged)} originals or documents are damaged or missing; {_RESTORE}."
        yield Ailment("originals", sentence, len(damaged), grave=True, examples=shown(damaged))


def _unused(patient: Patient, _report: Report) -> Iterator[Ailment]:
    """Rows of bytes and pixels that nothing names. They cost space, no more."""
    with patient.db.read() as session:
        rasters, loose = integrity.unused_rasters(session), integrity.unused_blobs(session)
    if not rasters and not loose:
        return
    if patient.mend:
        with patient.db.write() as session:
            dropped, hashes = integrity.drop_unused(session)
        count = dropped + len(hashes)
    else:
        count = len(rasters) + len(loose)
    yield _untidy("unused", f"{count_of(count, 'row')} of bytes or pixels belong to nothing", count, patient)


def _objects(patient: Patient, report: Report) -> Iterator[Ailment]:
    """Objects without a row: a kill between the two leaves one. Missing ones are found by reading."""
    store = patient.db.objects
    if store is None:
        return
    old = datetime.now(UTC) - OBJECT_AGE
    loose: list[str] = []
    try:
        for page in store.walk():
            report.looked["objects"] = report.looked.get("objects", 0) + len(page)
            with patient.db.read() as session:
                loose += blobs.without_row(session, [one.hash for one in page if one.at < old])
        if loose and patient.mend:
            # As the writer: nobody can put one of these and name it before this is done.
            with patient.db.write() as session:
                store.drop(blobs.without_row(session, loose))
    except RemaskError as error:
        yield Ailment("objects", str(error), grave=True)
        return
    if loose:
        sentence = f"{count_of(len(loose), 'object')} in the object store belong to nothing"
        yield _untidy("objects", sentence, len(loose), patient, tuple(loose))


def _untidy(name: str, sentence: str, count: int, patient: Patient, examples: tuple[str, ...] = ()) -> Ailment:
    told = f"{sentence}; {'removed' if patient.mend else '`remask doctor --mend` removes them'}."
    return Ailment(name, told, count, False, True, patient.mend, shown(examples))
