"""Backup and restore: the database as it is at one moment, and the files of runs and snapshots, as one zip file.

A backup is made while the server runs. It is written beside its name and moved there once it has been read back and
found whole; a restore takes everything out into the empty folder and checks it before the database comes last.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from app import __version__
from app.domain.errors import Conflict, Invalid, NotFound
from app.flows.progress import Progress, quiet
from app.settings import Settings
from app.store import dumps, integrity
from app.store.db import Database
from app.store.tables import now

FORMAT = 1
MANIFEST = "manifest.json"
RESTORING = ".restoring"
_CHUNK = 1 << 20
# What can be made again, belongs to running processes, or is half-written.
_LEFT_OUT = (
    "remask*.sqlite*",
    "jobs.sqlite*",
    "uploads",
    "exports",
    "workers",
    "*.lock",
    "*.part",
    ".*",
    "lock",
    "pid",
)


class Exists(Conflict):
    """Something is there already that would be overwritten."""


class NoBackup(Invalid):
    """A file that is no backup, or not a whole one."""


@dataclass(frozen=True)
class Backup:
    """What a backup holds. ``schema``: of the database; ``objects``: whether pictures and masks lie in an object store,
    which isn't in it."""

    path: str
    files: int
    size: int
    schema: str
    objects: bool


def write(db: Database, settings: Settings, out: Path, progress: Progress = quiet) -> Backup:
    """Back up to the new file ``out``, readable by its owner alone.

    Raises Exists, NotFound where its folder isn't there (a disk that isn't mounted, say), and CantDump on PostgreSQL.
    """
    if out.exists():
        raise Exists(f"{out} is there already; name another file.")
    if not out.parent.is_dir():
        raise NotFound(f"There is no folder {out.parent}; make it first, or name another.")
    part = out.with_name(f".{out.name}.part")
    try:
        with TemporaryDirectory(dir=out.parent, prefix=".remask-backup-") as folder:
            copy = Path(folder) / dumps.NAMES[dumps.kind(db)]
            progress(0, 0, "database")
            dumps.write(db, copy)
            # After the database: every file that a row names is there before the row is.
            sources = [(copy.name, copy), *_files(settings.home, {out.absolute(), part.absolute()})]
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                _pack(file, sources, _about(db, copy.name), progress)
                file.flush()
                os.fsync(file.fileno())
        held = verify(part, progress)
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)
    return _told(out, held)


def restore(settings: Settings, file: Path, progress: Progress = quiet) -> Backup:
    """Bring a backup back into the data folder, which has to be empty or not there.

    Raises Exists, NoBackup, NotFound; nothing that was there before is touched.
    """
    home = settings.home
    if not file.is_file():
        raise NotFound(f"There is no backup at {file}.")
    if home.exists() and any(home.iterdir()):
        left = "what a restore that was broken off has left" if (home / RESTORING).exists() else "something already"
        raise Exists(f"The data folder {home} holds {left}; empty it, or set REMASK_HOME to a new one.")
    held = verify(file, progress)
    if held["database"] != dumps.kind(settings.database):
        raise NoBackup(f"{file} is of a database on {held['database']}; set REMASK_DATABASE_URL accordingly.")
    dumps.check_empty(settings.database)
    home.mkdir(parents=True, exist_ok=True)
    inside = home / RESTORING
    inside.mkdir()
    with zipfile.ZipFile(file) as archive:
        for done, name in enumerate(held["files"]):
            progress(done, len(held["files"]), "restoring")
            path = inside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as packed, path.open("xb") as unpacked:
                for chunk in iter(lambda: packed.read(_CHUNK), b""):
                    unpacked.write(chunk)
                os.fsync(unpacked.fileno())
    copy = inside / held["dump"]
    dumps.check(copy, held["schema"])
    for path in sorted(inside.iterdir()):
        if path != copy:
            path.rename(home / path.name)
    dumps.take(copy, settings.database)
    inside.rmdir()
    return _told(file, held)


def verify(file: Path, progress: Progress = quiet) -> dict[str, Any]:
    """The manifest of a backup whose every file was read and matches its hash. Raises NoBackup."""
    try:
        with zipfile.ZipFile(file) as archive:
            held: dict[str, Any] = json.loads(archive.read(MANIFEST))
            names = [one.filename for one in archive.infolist() if one.filename != MANIFEST]
            if held["format"] != FORMAT:
                raise NoBackup(f"{file} was written by a newer program; restore it with that one.")
            if sorted(names) != sorted(held["files"]) or not all(_stays_inside(name) for name in names):
                raise NoBackup(f"{file} doesn't hold the files that it lists; take another backup.")
            for done, (name, facts) in enumerate(held["files"].items()):
                progress(done, len(names), "verifying")
                with archive.open(name) as packed:
                    if _copied(packed, None) != (facts["size"], facts["sha256"]):
                        raise NoBackup(f"{name} in {file} doesn't match its hash; take another backup.")
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError) as error:
        raise NoBackup(f"{file} is no backup of Remask, or not a whole one.") from error
    return held


def _about(db: Database, copy: str) -> dict[str, Any]:
    with db.read() as session:
        schema = integrity.schema(session).at
    return {
        "format": FORMAT,
        "program": __version__,
        "at": now().isoformat(timespec="seconds"),
        "database": dumps.kind(db),
        "dump": copy,
        "schema": schema,
        "objects": db.objects is not None,
    }


def _pack(file: IO[bytes], sources: list[tuple[str, Path]], about: dict[str, Any], progress: Progress) -> None:
    files: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for done, (name, path) in enumerate(sources):
            progress(done, len(sources), "packing")
            try:
                source = path.open("rb")
            except FileNotFoundError:  # a trainer has replaced it
                continue
            with source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as packed:
                size, hash = _copied(source, packed)
            files[name] = {"size": size, "sha256": hash}
        archive.writestr(MANIFEST, json.dumps(about | {"files": files}, indent=1))


def _copied(source: IO[bytes], target: IO[bytes] | None) -> tuple[int, str]:
    """(size, sha256) of what is left in ``source``, written to ``target`` where there is one."""
    size, hash = 0, hashlib.sha256()
    for chunk in iter(lambda: source.read(_CHUNK), b""):
        size += len(chunk)
        hash.update(chunk)
        if target is not None:
            target.write(chunk)
    return size, hash.hexdigest()


def _files(folder: Path, besides: set[Path], prefix: str = "") -> Iterator[tuple[str, Path]]:
    """(name, path) of every file to keep; links are left out, they lead elsewhere."""
    for path in sorted(folder.iterdir()):
        if any(path.match(pattern) for pattern in _LEFT_OUT) or path.is_symlink() or path.absolute() in besides:
            continue
        if path.is_dir():
            yield from _files(path, besides, f"{prefix}{path.name}/")
        elif path.is_file():
            yield f"{prefix}{path.name}", path


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _told(path: Path, held: dict[str, Any]) -> Backup:
    size = sum(one["size"] for one in held["files"].values())
    return Backup(str(path), len(held["files"]), size, held["schema"], held["objects"])
