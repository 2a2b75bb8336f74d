"""The doctor's look at the data folder: files without a row, rows without a file, what was left half-written, room, and
whether a worker is there."""

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.flows.ailments import Ailment, Patient, Report, count_of, shown
from app.store import filed, workers
from ml import snapshot as frozen
from ml.errors import Refused

GIVEN_UP = 3600.0  # seconds after which nobody writes to a file any more that hasn't changed since
LEAST_FREE = 1 << 30


def look(patient: Patient, report: Report) -> Iterator[Ailment]:
    """Everything in the data folder beside the database."""
    yield from _snapshots(patient, report)
    yield from _strangers(patient)
    yield from _room(patient)
    yield from _worker(patient)


def _snapshots(patient: Patient, report: Report) -> Iterator[Ailment]:
    with patient.db.read() as session:
        known = filed.snapshots(session)
    there = {path.stem: path for path in (patient.home / "snapshots").glob(f"*{frozen.SUFFIX}")}
    damaged = []
    for done, hash in enumerate(sorted(known & there.keys())):
        patient.progress(done, len(known), "snapshots")
        if not _is_sound(there[hash], hash):
            damaged.append(hash)
    report.looked["snapshots"] = len(known)
    if missing := sorted(known - there.keys()):
        sentence = (
            f"The files of {count_of(len(missing), 'snapshot')} are gone; what was trained on them stands, and a run "
            "that hasn't ended has to be started anew."
        )
        yield Ailment("snapshot-missing", sentence, len(missing), examples=shown(missing))
    if damaged:
        sentence = (
            f"The files of {count_of(len(damaged), 'snapshot')} don't match their hash; delete them from the folder "
            "snapshots and start runs that need them anew."
        )
        yield Ailment("snapshot-damaged", sentence, len(damaged), grave=True, examples=shown(damaged))


def _is_sound(path: Path, hash: str) -> bool:
    try:
        return frozen.read(path).hash == hash
    except (Refused, OSError):
        return False


def _strangers(patient: Patient) -> Iterator[Ailment]:
    """Files and folders of ours that no row speaks of, and half-written ones; never one that may still be written."""
    home, settings = patient.home, patient.settings
    with patient.db.read() as session:
        snapshots, exports, wanted = filed.snapshots(session), filed.exports(session), filed.uploads(session)
        needed = {(path if path.parent == settings.uploads.absolute() else path.parent).name for path in wanted}
        runs = filed.runs(session)
    found = {
        "runs": [path for path in _in(home / "runs") if path.name.isdecimal() and path.name not in runs],
        "snapshots": [
            path for path in _in(home / "snapshots") if path.suffix == frozen.SUFFIX and path.stem not in snapshots
        ],
        "exports": [path for path in _in(settings.exports) if path.name[0] != "." and path.name not in exports],
        "uploads": [path for path in _in(settings.uploads) if path.name not in needed],
        "leftovers": [
            *(path for path in _in(settings.exports) if path.name.startswith(".partial-")),
            *(path for path in home.rglob("*.part") if path.is_file()),
        ],
    }
    for name, paths in found.items():
        old = [path for path in paths if _is_given_up(path)]
        if not old:
            continue
        if patient.mend:
            for path in old:
                _remove(path)
        what = "half-written files" if name == "leftovers" else f"files or folders in {name}"
        told = "removed" if patient.mend else "`remask doctor --mend` removes them"
        sentence = f"{len(old)} {what} belong to nothing any more; {told}."
        yield Ailment(name, sentence, len(old), False, True, patient.mend, shown([one.name for one in old]))


def _in(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _is_given_up(path: Path) -> bool:
    """Whether nothing in it has changed for long."""
    try:
        changed = [path.lstat().st_mtime, *(one.lstat().st_mtime for one in path.rglob("*"))]
    except FileNotFoundError:  # it went while we looked: somebody is at work there
        return False
    return time.time() - max(changed) > GIVEN_UP


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _room(patient: Patient) -> Iterator[Ailment]:
    free = shutil.disk_usage(patient.home).free
    file = patient.db.path
    needed = max(LEAST_FREE, file.stat().st_size if file is not None else 0)
    if free < needed:
        sentence = (
            f"Only {free / 1e9:.1f} GB are free where the data folder is; make room for {needed / 1e9:.1f} GB, which a "
            "backup or a migration may need."
        )
        yield Ailment("space", sentence)


def _worker(patient: Patient) -> Iterator[Ailment]:
    alive = workers.alive(patient.home)
    with patient.db.read() as session:
        lost, waiting = filed.lost_jobs(session), filed.waiting(session)
    if not alive and (lost or waiting):
        count = len(lost) + waiting
        sentence = (
            f"No worker was seen for 20 seconds, and there is work for it ({count_of(count, 'job')}); start "
            "`remask serve` or `remask worker`."
        )
        yield Ailment("worker", sentence, count, examples=shown(lost))
