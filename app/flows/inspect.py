"""Checks over a data set: every sample is decoded once and shown to all of them, then each tells what it found."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.domain.checks import registry
from app.domain.checks.base import Check, Finding, Group, View
from app.flows.progress import Progress, quiet
from app.store import datasets, findings, rasters, samples, whole
from app.store.db import Database
from app.store.findings import Looked
from app.store.whole import Whole


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
        total = samples.count(session, row.id)
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
            groups_of = {one.sample_id: content.get(one.sample_id, one.sample_id) for one in looked}
            samples.set_content_groups(session, groups_of)
    return flagged


def _views(db: Database, dataset_id: int) -> Iterator[tuple[View, int | None]]:
    """Every sample by id with its current revision, decoded; no transaction is held open while checks look."""
    last = 0
    while True:
        with db.read() as session:
            views = [(_view(session, one), one.sample.current_id) for one in whole.after(session, dataset_id, last)]
        if not views:
            return
        yield from views
        last = views[-1][0].sample


def _look(db: Database, sample_id: int) -> View:
    with db.read() as session:
        return _view(session, whole.find(session, sample_id))


def _view(session: Session, one: Whole) -> View:
    return View(
        sample=one.sample.id,
        image=rasters.pixels(session, one.image),
        image_hash=one.image.pixel_hash,
        mask=None if one.mask is None else rasters.mask(session, one.mask),
        mask_hash=None if one.mask is None else one.mask.pixel_hash,
    )
