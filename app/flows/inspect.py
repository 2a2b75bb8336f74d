"""Checks over a data set: every sample is decoded once and shown to all of them, then each tells what it found."""

import json
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.checks import registry
from app.domain.checks.base import Check, CheckFactory, Finding, Group, View
from app.flows.progress import Progress, quiet
from app.flows.share import Share
from app.store import datasets, findings, rasters, samples, whole
from app.store.db import Database
from app.store.findings import Looked
from app.store.parts import Wanted
from app.store.tables import Dataset
from app.store.whole import Whole

# Workers share sets of more samples than this, in about so many spans of samples, of a bounded size.
FEWEST, SPANS, MOST = 250, 16, 5000
HANDFUL = 16_000_000  # pixels that are decoded at a time
Json = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """Samples with an id above ``after``, up to ``until`` (None: all that follow); ``count``: about how many."""

    after: int
    until: int | None
    count: int


@dataclass(frozen=True)
class Result:
    """``flagged``: open flags of the check; ``seconds``: spent in the check itself, decoding left out."""

    check: str
    flagged: int
    seconds: float


def run(
    db: Database,
    dataset: str,
    only: Collection[str] = (),
    progress: Progress = quiet,
    share: Share | None = None,
) -> list[Result]:
    """Run the checks named in ``only`` (empty: all) on every sample, with ``share`` in parts that other workers take
    too. Raises NotFound; Invalid for an unknown check."""
    factories = [registry.by_name(name) for name in only] if only else list(registry.CHECKS)
    with db.read() as session:
        row = datasets.find(session, dataset)
        total = samples.count(session, row.id)
    if share is not None and total > FEWEST:
        return _together(db, row, [one.name for one in factories], total, progress, share)
    with threadpool_limits(1):  # two threads that wait for each other on busy cores are many times slower than one
        checks, seen = _look_through(db, row, factories, Span(0, None, total), progress)
        return [_conclude(db, row.id, check, seen, total, progress) for check in checks]


def look(db: Database, dataset: str, only: Collection[str], span: Span, progress: Progress = quiet) -> Json:
    """A part of ``run``: what divisible checks note of the samples of a span, as ``_together`` reads it. Raises as
    ``run``."""
    with db.read() as session:
        row = datasets.find(session, dataset)
    with threadpool_limits(1):
        checks, seen = _look_through(db, row, [registry.by_name(name) for name in only], span, progress)
    noted = {check.name: check.notes() for check in checks if isinstance(check, registry.DIVISIBLE)}
    progress(span.count, span.count, "noting")
    return {
        "looked": [(one.sample_id, one.revision_id) for one in seen.looked],
        "seconds": seen.seconds,
        "notes": b64encode(zlib.compress(json.dumps(noted).encode(), 1)).decode(),  # NaN, too
    }


def _together(
    db: Database, row: Dataset, names: list[str], total: int, progress: Progress, share: Share
) -> list[Result]:
    """Checks that compare samples are a part each; of the divisible ones each span of samples is, for all of them at
    once, and what was noted is judged here."""
    divisible = [one.name for one in registry.DIVISIBLE if one.name in names]
    size = max(FEWEST, min(MOST, total // SPANS))
    wanted = [Wanted("check", {"only": [name]}, total) for name in names if name not in divisible]
    with db.read() as session:
        marks = whole.marks(session, row.id, size)
        classes = datasets.classes(session, row)
    if divisible:
        spans = [Span(after, until, size) for after, until in zip([0, *marks], [*marks, None], strict=True)]
        wanted += [Wanted("look", {"only": divisible, **asdict(span)}, span.count) for span in spans]
    checks = [factory(classes) for factory in registry.DIVISIBLE if factory.name in divisible]
    seen = _Seen([], dict.fromkeys(divisible, 0.0))
    results: dict[str, Result] = {}
    for kind, found in share(wanted, progress, "checking"):
        if kind == "check":
            results |= {one["check"]: Result(**one) for one in found["checks"]}
            continue
        seen.looked.extend(Looked(*one) for one in found["looked"])
        noted = json.loads(zlib.decompress(b64decode(found["notes"])))
        for check in checks:
            check.add(noted[check.name])
            seen.seconds[check.name] += found["seconds"][check.name]
    with threadpool_limits(1):
        results |= {check.name: _conclude(db, row.id, check, seen, total, progress) for check in checks}
    return [results[name] for name in names]


@dataclass(frozen=True)
class _Seen:
    """What was looked at, and each check's seconds for it."""

    looked: list[Looked]
    seconds: dict[str, float]


def _look_through(
    db: Database, row: Dataset, factories: Sequence[CheckFactory], span: Span, progress: Progress
) -> tuple[list[Check], _Seen]:
    """Show every sample of a span to checks, new ones."""
    with db.read() as session:
        classes = datasets.classes(session, row)
    checks = [factory(classes) for factory in factories]
    seen = _Seen([], {check.name: 0.0 for check in checks})
    for view, revision_id in _views(db, row.id, span):
        for check in checks:
            started = time.perf_counter()
            check.see(view)
            seen.seconds[check.name] += time.perf_counter() - started
        seen.looked.append(Looked(view.sample, revision_id))
        if len(seen.looked) % 50 == 0:
            progress(min(len(seen.looked), span.count), span.count, "looking")
        del view  # before the next one is decoded
    return checks, seen


def _conclude(db: Database, dataset_id: int, check: Check, seen: _Seen, total: int, progress: Progress) -> Result:
    def look(sample: int) -> View:
        progress(total, total, check.title)  # it can take minutes, and is told to stop here
        return _look(db, sample)

    progress(total, total, check.title)
    started = time.perf_counter()
    found = list(check.finish(look))
    seconds = seen.seconds[check.name] + time.perf_counter() - started
    return Result(check.name, _record(db, dataset_id, check, seen.looked, found), round(seconds, 3))


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


def _views(db: Database, dataset_id: int, span: Span) -> Iterator[tuple[View, int | None]]:
    """Every sample of a span with its current revision, decoded, some at a time, a large one alone; no transaction is
    held open while checks look."""
    last = span.after
    while True:
        with db.read() as session:
            found = whole.after(session, dataset_id, last, until=span.until)
        if not found:
            return
        last = found[-1].sample.id
        for part in _handfuls(found):
            with db.read() as session:
                views = [(_view(session, one), one.sample.current_id) for one in reversed(part)]
            while views:
                yield views.pop()


def _handfuls(found: Sequence[Whole]) -> Iterator[list[Whole]]:
    """Samples that together have no more pixels than memory is to be used for, or a single one."""
    part: list[Whole] = []
    size = 0
    for one in found:
        pixels = one.image.width * one.image.height
        if part and size + pixels > HANDFUL:
            yield part
            part, size = [], 0
        part.append(one)
        size += pixels
    if part:
        yield part


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
