"""Checks over a data set: every sample is decoded once and shown to all of them, then each tells what it found."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from app.domain.checks import registry
from app.domain.checks.base import Check, Finding, Group, View
from app.flows.progress import Progress, quiet
from app.store import datasets, findings, rasters
from app.store.db import Database
from app.store.findings import Looked
from app.store.tables import Raster, Revision, Sample

CHUNK = 200


@dataclass(frozen=True)
class Result:
    """``flagged``: open flags of the check; ``seconds``: spent in the check itself, decoding left out."""

    check: str
    flagged: int
    seconds: float


def run(db: Database, dataset: str, only: Collection[str] = (), progress: Progress = quiet) -> list[Result]:
    """Run the checks named in ``only`` (empty: all) on every sample. Raises NotFound; Invalid for an unknown check."""
    factories = [registry.by_name(name) for name in only] if only else list(registry.CHECKS)
    with db.read() as session:
        row = datasets.find(session, dataset)
        classes = datasets.classes(session, row)
        total = len(list(session.scalars(select(Sample.id).where(Sample.dataset_id == row.id))))
    checks = [factory(classes) for factory in factories]
    seconds = {check.name: 0.0 for check in checks}
    looked: list[Looked] = []
    for view, revision_id in _views(db, row.id):
        for check in checks:
            started = time.perf_counter()
            check.see(view)
            seconds[check.name] += time.perf_counter() - started
        looked.append(Looked(view.sample, revision_id))
        if len(looked) % 50 == 0:
            progress(len(looked), total, "looking")
    results = []
    for check in checks:
        progress(total, total, check.title)
        started = time.perf_counter()
        found = list(check.finish(lambda sample: _look(db, sample)))
        seconds[check.name] += time.perf_counter() - started
        flagged = _record(db, row.id, check, looked, found)
        results.append(Result(check.name, flagged, round(seconds[check.name], 3)))
    return results


def _record(db: Database, dataset_id: int, check: Check, looked: list[Looked], found: list[Finding | Group]) -> int:
    ran = findings.Ran(check.name, check.version, check.subject)
    groups = [one for one in found if isinstance(one, Group)]
    scored = [one for one in found if isinstance(one, Finding)]
    content = registry.content_groups(check)
    with db.write() as session:
        flagged = findings.record(session, dataset_id, ran, looked, scored, groups)
        if content is not None:
            rows = [
                {"id": sample, "content_group": content.get(sample, sample)} for sample in (o.sample_id for o in looked)
            ]
            session.execute(update(Sample), rows)
    return flagged


def _views(db: Database, dataset_id: int) -> Iterator[tuple[View, int | None]]:
    """Every sample by id with its current revision, decoded, a chunk of rows at a time."""
    last = 0
    while True:
        with db.read() as session:
            chunk = _rows(session, Sample.dataset_id == dataset_id, Sample.id > last)
            for sample, image, mask in chunk:
                yield _view(session, sample, image, mask), sample.current_id
        if not chunk:
            return
        last = chunk[-1][0].id


def _look(db: Database, sample_id: int) -> View:
    with db.read() as session:
        [(sample, image, mask)] = _rows(session, Sample.id == sample_id)
        return _view(session, sample, image, mask)


def _rows(session: Session, *where: object) -> list[tuple[Sample, Raster, Raster | None]]:
    mask = aliased(Raster)
    query = (
        select(Sample, Raster, mask)
        .join(Raster, Raster.id == Sample.image_id)
        .join(Revision, Revision.id == Sample.current_id, isouter=True)
        .join(mask, mask.id == Revision.mask_id, isouter=True)
        .where(*where)  # type: ignore[arg-type]
        .order_by(Sample.id)
        .limit(CHUNK)
    )
    return list(session.execute(query).tuples())


def _view(session: Session, sample: Sample, image: Raster, mask: Raster | None) -> View:
    return View(
        sample=sample.id,
        image=rasters.pixels(session, image),
        image_hash=image.pixel_hash,
        mask=None if mask is None else rasters.mask(session, mask),
        mask_hash=None if mask is None else mask.pixel_hash,
    )
