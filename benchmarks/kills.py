"""What is killed: each kind of work, done over and over by a process that says what was acknowledged to it; and what
has to hold of the data folder once that process is gone."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from sqlalchemy import select

from app.domain.actor import person
from app.flows import backup, edit, export, ingest, inspect, review
from app.flows.progress import Progress, quiet
from app.flows.review import Selection
from app.flows.snapshot import freeze
from app.jobs import running
from app.settings import Settings
from app.store import datasets, jobs, rasters, samples
from app.store.db import Database
from app.store.decisions import Wish
from app.store.members import Arm
from app.store.tables import Batch, Draft, Job, Raster, Revision, Sample
from ml import snapshot as frozen

ADA = person("Ada")
TOGETHER = range(1, 41)  # samples that are only ever decided all at once
SINGLY = range(41, 61)
IMPORTED = 30  # samples of each import
CHUNK = 10  # what is read of an import (how many there are, then the samples) in one commit
Say = Callable[..., None]


@dataclass
class Place:
    """A data folder, its database, and the file of pictures that imports take."""

    settings: Settings
    db: Database
    pictures: Path

    @property
    def home(self) -> Path:
        return self.settings.home


@dataclass
class Ledger:
    """What was acknowledged in a place so far, over all kills: batch -> how many it decided, (sample, mask hash) of
    edits, hashes of snapshots, names of files."""

    batches: dict[int, int] = field(default_factory=dict)
    edits: dict[int, int] = field(default_factory=dict)
    drafts: dict[int, int] = field(default_factory=dict)
    snapshots: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    imported: dict[str, int] = field(default_factory=dict)
    jobs: set[int] = field(default_factory=set)

    def note(self, kind: str, *facts: Any) -> None:
        """One acknowledgement, as a worker said it."""
        match kind:
            case "batch":
                self.batches[facts[0]] = facts[1]
            case "edit":
                self.batches[facts[0]] = 1
                self.edits[facts[1]] = facts[2]
            case "draft":
                self.drafts[facts[0]] = facts[1]
            case "snapshot":
                self.snapshots.add(facts[0])
            case "file":
                self.files.add(facts[0])
            case "imported":
                self.imported[facts[0]] = facts[1]
            case "job":
                self.jobs.add(facts[0])


def decide_one(place: Place, say: Say, rng: random.Random) -> None:
    """A reviewer's single decisions, some of them undone at once."""
    while True:
        verb = rng.choice(["exclude", "keep", "include"])
        outcome = review.decide(place.db, "set", Selection(ids=[rng.choice(SINGLY)]), Wish(verb), ADA)  # type: ignore[arg-type]
        if outcome.batch is not None:
            say("batch", outcome.batch, 1)
            if rng.random() < 0.3:
                undone = review.undo(place.db, outcome.batch, ADA)
                say("batch", undone.batch, 1)


def decide_together(place: Place, say: Say, _rng: random.Random) -> None:
    """Forty samples out and in again, each time as one batch."""
    while True:
        for verb in ("exclude", "include"):
            outcome = review.decide(place.db, "set", Selection(ids=list(TOGETHER)), Wish(verb), ADA)
            if outcome.batch is not None:
                say("batch", outcome.batch, len(outcome.decided))


def draw(place: Place, say: Say, rng: random.Random) -> None:
    """The editor: drafts saved stroke by stroke, then made a revision."""
    while True:
        id = rng.choice(SINGLY)
        with place.db.read() as session:
            sample = samples.find(session, id)
            base = sample.current_id
            mask = rasters.mask(session, session.get_one(Raster, session.get_one(Revision, base).mask_id)).copy()
        edit.discard(place.db, id, ADA, base)
        for counter in range(1, 4):
            mask[rng.randrange(16), rng.randrange(24)] = rng.randrange(5)
            edit.save_draft(place.db, id, mask, ADA, base, counter)
            say("draft", id, counter)
        done = edit.finish(place.db, id, mask, ADA, base)
        if done.batch is not None and done.revision is not None:
            say("edit", done.batch, id, done.revision)


def import_(place: Place, say: Say, rng: random.Random) -> None:
    """Imports, about ten samples a transaction."""
    ingest.CHUNK = CHUNK
    while True:
        name = f"new-{rng.getrandbits(40):x}"
        ingest.run(
            place.db, place.pictures, name, ADA, progress=lambda done, *_, name=name: say("imported", name, done)
        )


def import_as_job(place: Place, say: Say, rng: random.Random) -> None:
    """The same by jobs, which the next worker of that name goes on with."""
    ingest.CHUNK = CHUNK
    while True:
        name = f"job-{rng.getrandbits(40):x}"
        args = {"path": str(place.pictures), "dataset": name, "format": "auto", "label": name, "actor": "Ada"}
        with place.db.write() as session:
            id = jobs.request(session, "import", None, args).id
        say("job", id)
        running.run(place.db, place.settings, id, "worker", _steps(say))


def check(place: Place, say: Say, _rng: random.Random) -> None:
    """Checks, whose findings replace the last ones."""
    while True:
        inspect.run(place.db, "set", ["shared_mask", "duplicate_image"], _steps(say))
        say("step")


def export_(place: Place, say: Say, rng: random.Random) -> None:
    while True:
        format = rng.choice(["npz", "folder", "coco", "voc"])
        path = export.run_to_file(place.db, place.settings.exports, "set", format, progress=_steps(say))
        say("file", str(path))


def freeze_(place: Place, say: Say, rng: random.Random) -> None:
    while True:
        arm: Arm = rng.choice(["curated", "imported"])
        say("snapshot", freeze(place.db, place.home, "set", arm, _steps(say)).hash)


def back_up(place: Place, say: Say, rng: random.Random) -> None:
    while True:
        path = place.home.parent / f"{rng.randrange(1 << 40):x}.zip"
        backup.write(place.db, place.settings, path, _steps(say))
        say("file", str(path))


def _steps(say: Say) -> Progress:
    return lambda *_: say("step")


WORK: Sequence[Callable[[Place, Say, random.Random], None]] = (
    decide_one, decide_together, draw, import_, import_as_job, check, export_, freeze_, back_up,
)  # fmt: skip


def breaches(place: Place, ledger: Ledger) -> list[str]:
    """What of the acknowledged isn't there, and what is there by half; empty as it should be."""
    found: list[str] = []
    with place.db.read() as session:
        there = {row.id: row.count for row in session.scalars(select(Batch))}
        found += [f"batch {id} of {count} is {there.get(id)}" for id, count in ledger.batches.items()
                  if there.get(id) != count]  # fmt: skip
        together = session.scalars(select(Sample.excluded).where(Sample.id.in_(TOGETHER))).all()
        if len(set(together)) > 1:
            found.append(f"half a batch: {sum(together)} of {len(together)} are excluded")
        for sample, revision in ledger.edits.items():
            row = session.get(Revision, revision)
            if row is None or row.sample_id != sample:
                found.append(f"the drawn revision {revision} is lost")
        drafts = {row.sample_id: row.counter for row in session.scalars(select(Draft))}
        # A draft is gone once it was made a revision, or the next one was begun.
        found += [f"draft {id} at {drafts[id]}, {counter} was saved" for id, counter in ledger.drafts.items()
                  if 0 < drafts.get(id, 0) < counter]  # fmt: skip
        for name, done in ledger.imported.items():
            owner = datasets.id_of(session, name)
            count = 0 if owner is None else samples.count(session, owner)
            if count < done or ((count + 1) % CHUNK and count not in (0, IMPORTED)):
                found.append(f"{count} samples of {name}, {done} were said")
        if lost := ledger.jobs - set(session.scalars(select(Job.id))):
            found.append(f"jobs {lost} are lost")
    found += [f"snapshot {hash} is damaged" for hash in ledger.snapshots if not _is_whole_snapshot(place.home, hash)]
    exported = list(place.settings.exports.glob("*.zip")) if place.settings.exports.is_dir() else []
    zips = {*map(Path, ledger.files), *exported, *place.home.parent.glob("*.zip")}
    return found + [f"{path.name} is no whole file" for path in sorted(zips) if not _is_whole_zip(path)]


def resume(place: Place) -> list[str]:
    """Let a worker take up the imports that killed ones left; what it couldn't end. The checks that they ask for are
    killed by themselves often enough, and are cancelled here."""
    ingest.CHUNK = CHUNK
    with place.db.read() as session:
        imports = list(session.scalars(select(Job.id).where(Job.state.not_in(jobs.ENDED), Job.kind == "import")))
    found = []
    for id in imports:
        running.run(place.db, place.settings, id, "worker", quiet)
        with place.db.read() as session:
            job = jobs.find(session, id)
        if job.state != "done":
            found.append(f"job {id} is {job.state}: {job.error}")
    with place.db.write() as session:
        for id in session.scalars(select(Job.id).where(Job.state == "queued")).all():
            jobs.cancel(session, id)
    return found


def draw_pictures(path: Path, count: int) -> Path:
    """Pictures of 16 x 24 with masks of five classes."""
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (count, 2, 16, 24), dtype=np.uint8)
    arrays[:, 1] = rng.integers(0, 5, (count, 4, 6), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    np.savez(path, training_set=arrays)
    return path


def _is_whole_snapshot(home: Path, hash: str) -> bool:
    return frozen.read(home / "snapshots" / f"{hash}{frozen.SUFFIX}").hash == hash


def _is_whole_zip(path: Path) -> bool:
    with ZipFile(path) as archive:
        return archive.testzip() is None
