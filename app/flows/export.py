"""Export: the curated set, or all of it, out to files that other tools read."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from sqlalchemy.orm import Session

from app.domain.actor import Actor
from app.domain.errors import Invalid
from app.domain.exports import coco, folder, npz, voc
from app.domain.exports.base import About, Exported, Write, Written
from app.flows import cvat_files
from app.flows.progress import Progress, quiet
from app.store import datasets, rasters, samples, whole
from app.store.db import Database
from app.store.tables import now
from app.store.whole import Whole

NOBODY = Actor("rule", "export")
Only = Literal["curated", "all"]
FORMATS: dict[str, Write] = {"npz": npz.write, "folder": folder.write, "coco": coco.write, "voc": voc.write}


class UnknownExport(Invalid):
    """A format or a choice of samples that isn't one."""


def run(
    db: Database,
    out: Path,
    dataset: str,
    format: str,
    only: str = "curated",
    progress: Progress = quiet,
    pictures: bool = True,
    actor: Actor = NOBODY,
) -> Written:
    """Write a dataset to ``out``: a file for npz and the zips for CVAT, a folder for the others. ``curated`` leaves
    excluded samples out. ``pictures``: whether they go into a zip for CVAT; ``actor``: who sends that.

    All of it is read from one moment of the database. Raises UnknownExport, CantExport, Taken or NotFound.
    """
    known = [*FORMATS, *cvat_files.FORMATS]
    if format not in known or only not in get_args(Only):
        raise UnknownExport(f"Choose a format of {', '.join(known)} and samples of {', '.join(get_args(Only))}.")
    if format in cvat_files.FORMATS:
        return cvat_files.send(db, out, dataset, format, actor, only == "curated", pictures, progress)
    with db.read() as session:
        row = datasets.find(session, dataset)
        about = About(row.name, datasets.classes(session, row), row.class_version)
        return FORMATS[format](out, _Samples(session, row.id, only == "curated", progress), about)


def run_to_file(
    db: Database,
    exports: Path,
    dataset: str,
    format: str,
    only: str = "curated",
    progress: Progress = quiet,
    pictures: bool = True,
    actor: Actor = NOBODY,
) -> Path:
    """As ``run``, into one file in the folder ``exports`` that a browser can download: a zip."""
    exports.mkdir(parents=True, exist_ok=True)
    name = f"{dataset}-{only}-{now():%Y%m%d-%H%M%S-%f}"
    with TemporaryDirectory(dir=exports, prefix=".partial-") as folder_name:
        if format in cvat_files.FORMATS:
            whole_file = Path(folder_name) / f"{name}-{format}.zip"
            run(db, whole_file, dataset, format, only, progress, pictures, actor)
            return whole_file.rename(exports / whole_file.name)
        inside = Path(folder_name) / (f"{name}.npz" if format == "npz" else name)
        run(db, inside, dataset, format, only, progress)
        packed = Path(folder_name) / f"{name}-{format}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(inside.parent.rglob("*")):
                if path.is_file() and path != packed:
                    archive.write(path, path.relative_to(inside.parent if format == "npz" else inside))
        return packed.rename(exports / packed.name)


class _Samples:
    """The samples of an export, gone through as often as the format needs, one decoded at a time."""

    def __init__(self, session: Session, dataset_id: int, curated: bool, progress: Progress) -> None:
        self._session, self._dataset_id, self._curated, self._progress = session, dataset_id, curated, progress
        self._total = samples.count(session, dataset_id)

    def __iter__(self) -> Iterator[Exported]:
        for done, one in enumerate(whole.walk(self._session, self._dataset_id, self._curated)):
            if done % 50 == 0:
                self._progress(done, self._total, "writing")
            yield self._exported(one)

    def _exported(self, one: Whole) -> Exported:
        revision = one.revision
        return Exported(
            key=one.sample.key,
            picture=rasters.picture(self._session, one.image),
            mask=None if one.mask is None else rasters.mask(self._session, one.mask),
            split=one.sample.split,
            revision=None if revision is None else revision.id,
            author=None if revision is None else f"{revision.actor_kind}: {revision.actor_name}",
            source=None if revision is None else revision.source,
            status=one.sample.status,
        )
