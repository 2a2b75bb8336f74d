"""Round trips through the flows and a real database, against the stand-in: what a user's machine has, made small."""

import json
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.cvat import client
from app.cvat.connection import JSON, Connection, Patience
from app.domain.actor import Actor, person
from app.domain.classes import ClassList, named
from app.domain.mask import Mask, encode_png
from app.flows import classes, cvat_batches, cvat_pull, cvat_push, ingest
from app.flows.cvat_batches import Options
from app.flows.cvat_link import Connect
from app.flows.review import Selection
from app.settings import Settings
from app.store import cvat, datasets, jobs, rasters, receipts, revisions, samples
from app.store.browse import Filter
from app.store.db import Database, open_database
from app.store.revisions import Proposal
from app.store.tables import CvatBatch, CvatFrame, CvatLine, CvatPull, Decision, Raster, Revision, Sample
from tests.cvat.journey import Clock, server
from tests.cvat.standin import Standin

ADA = person("ada")
CLASSES = ClassList((named(0, "background"), named(1, "rock"), named(2, "big sand"), named(255, "void")), guessed=False)
DATASET = "mars"
PATIENT = Patience(connect=10.0, read=30.0, tries=3)
SMALL = Options(size=10, segment_size=2)


def connecting(url: str, patience: Patience) -> Connect:
    """Connections to a stand-in."""

    @contextmanager
    def connect(_settings: Settings, _name: str | None) -> Iterator[Connection]:
        clock = Clock()
        connection = Connection(server(url), patience, sleep=clock.sleep, clock=clock)
        try:
            yield connection
        finally:
            connection.close()

    return connect


@dataclass
class Trip:
    """A data folder and a server. ``connect`` is what flows are given: waits pass by themselves, and a busy machine may
    take its time to answer."""

    db: Database
    settings: Settings
    standin: Standin
    dataset: str = DATASET

    @property
    def connect(self) -> Connect:
        return connecting(self.standin.url, PATIENT)

    def plan(self, options: Options = SMALL, ids: Sequence[int] = ()) -> list[CvatBatch]:
        chosen = Selection(ids=ids) if ids else Selection(filter=Filter())
        return cvat_batches.plan(self.db, self.settings, self.dataset, chosen, ADA, "lab", options).batches

    def push(self, batch: CvatBatch) -> None:
        cvat_push.run(self.db, self.settings, batch.id, connect=self.connect)

    def pushed(self, options: Options = SMALL) -> CvatBatch:
        """All samples at CVAT, as one batch."""
        (batch,) = self.plan(options)
        self.push(batch)
        return self.batch(batch.id)

    def pull(self, batch: CvatBatch, which: cvat_pull.Which = "all", confirm: bool = False) -> CvatPull:
        pull = cvat_pull.request(self.db, batch.id, ADA, which, confirm=confirm)
        cvat_pull.run(self.db, self.settings, pull.id, connect=self.connect)
        with self.db.read() as session:
            return receipts.find(session, pull.id)

    def batch(self, id: int) -> CvatBatch:
        with self.db.read() as session:
            return cvat.find(session, id)

    def lines(self, pull: CvatPull) -> dict[str, CvatLine]:
        with self.db.read() as session:
            return {sample.key: line for line, sample in receipts.lines(session, pull.id)}

    def samples(self) -> dict[str, Sample]:
        with self.db.read() as session:
            return {one.key: one for one in session.scalars(select(Sample).order_by(Sample.id))}

    def statuses(self) -> dict[str, str]:
        return {key: one.status for key, one in self.samples().items()}

    def mask(self, key: str) -> Mask:
        """The mask in force."""
        with self.db.read() as session:
            sample = samples.find(session, self.samples()[key].id)
            revision = session.get_one(Revision, sample.current_id)
            return rasters.mask(session, session.get_one(Raster, revision.mask_id))

    def revisions(self, key: str) -> list[Revision]:
        """Every mask that a sample ever had, the oldest first."""
        with self.db.read() as session:
            return revisions.of_sample(session, self.samples()[key].id)[::-1]

    def everything(self) -> list[tuple[object, ...]]:
        """Samples, masks, decisions and frames as they stand, without when and in which pull."""
        queries = (
            select(Sample.id, Sample.status, Sample.current_id, Sample.confirmed_id, Sample.version),
            select(Revision.id, Revision.sample_id, Revision.parent_id, Revision.state, Raster.pixel_hash).join(
                Raster, Raster.id == Revision.mask_id
            ),
            select(Decision.id, Decision.sample_id, Decision.verb),
            select(CvatFrame.sample_id, CvatFrame.name, CvatFrame.number, CvatFrame.state, CvatFrame.pulled_hash),
            select(CvatBatch.id, CvatBatch.state, CvatBatch.error),
        )
        with self.db.read() as session:
            return [tuple(row) for query in queries for row in session.execute(query)]

    def frame(self, batch: CvatBatch, key: str) -> int:
        with self.db.read() as session:
            pairs = cvat.frames_with_samples(session, batch.id)
        return next(frame.number for frame, sample in pairs if sample.key == key and frame.number is not None)

    def labels(self, batch: CvatBatch, kind: str = cvat.CLASS) -> dict[int, int]:
        with self.db.read() as session:
            return cvat.labels(session, batch.id, kind)

    def draw(self, batch: CvatBatch, key: str, label: int, kind: str = "rectangle", **shape: object) -> None:
        """A person draws a shape on a frame, in the server's own way."""
        drawn: dict[str, object] = {"type": kind, "points": [1, 1, 3, 3], "attributes": [], **shape}
        body = {"shapes": [{**drawn, "frame": self.frame(batch, key), "label_id": label}]}
        self.call("PATCH", f"/api/tasks/{batch.task_id}/annotations/", body, [("action", "create")])

    def erase(self, batch: CvatBatch, key: str, label: int) -> None:
        """A person deletes a label's shapes on a frame."""
        number, path = self.frame(batch, key), f"/api/tasks/{batch.task_id}/annotations/"
        with self.connect(self.settings, None) as connection:
            held = connection.get(path)["shapes"]
        gone = [one for one in held if one["frame"] == number and one["label_id"] == label]
        self.call("PATCH", path, {"shapes": gone}, [("action", "delete")])

    def jobs(self, batch: CvatBatch) -> list[int]:
        """Its jobs in CVAT by first frame."""
        with self.connect(self.settings, None) as connection:
            return [one.id for one in client.jobs_of(connection, batch.task_id or 0)]

    def job(self, number: int, state: str = "completed", assignee: str | None = None) -> None:
        """A person finishes (or reopens) a job; its assignee is put in by hand."""
        self.call("PATCH", f"/api/jobs/{number}", {"state": state})
        if assignee is not None:
            self.standin.state.jobs[number]["assignee"] = self.standin.state.user(assignee)

    def finish(self, assignee: str | None = None) -> None:
        """Every job is finished."""
        with self.db.read() as session:
            batches = list(session.scalars(select(CvatBatch).where(CvatBatch.task_id.is_not(None))))
        for batch in batches:
            for number in self.jobs(batch):
                self.job(number, assignee=assignee)

    def call(self, method: str, path: str, body: object, query: Sequence[tuple[str, str | int]] = ()) -> None:
        with self.connect(self.settings, None) as connection:
            data = json.dumps(body).encode()
            connection.call(method, path, query=query, body=data, content_type=JSON)


def settings_for(home: Path, url: str) -> Settings:
    """A data folder with the stand-in as its server ``lab``."""
    home.mkdir(exist_ok=True)
    path = home / "cvat.toml"
    path.write_text(f'[servers.lab]\nurl = "{url}"\ntoken = "full.token"\n')
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return Settings(home=home)


def suggest(trip: Trip, key: str, value: int) -> None:
    """A model's mask, all of one class, waits."""
    with trip.db.write() as session:
        sample = samples.find(session, trip.samples()[key].id)
        (raster,) = rasters.put_masks(session, [(np.full((6, 9), value, np.uint8), None)])
        version = datasets.find(session, DATASET).class_version
        revisions.propose(session, [Proposal(sample, raster.id, version, "model", Actor("model", "run 1"))])


def masks_of(count: int = 5) -> dict[str, Mask]:
    """Samples in two folders, 6 x 9, with all four classes."""
    rng = np.random.default_rng(3)
    values = np.array([0, 1, 2, 255], np.uint8)
    return {f"{'ab'[n % 2]}/höhe {n}": rng.choice(values, (6, 9)) for n in range(count)}


def made(folder: Path) -> Path:
    """A closed database of the samples of ``masks_of`` and ``b/new``, which has no mask."""
    path = folder / "remask.sqlite"
    db = open_database(path)
    set_up(db, folder / "set", masks_of(), ["b/new"])
    with db.write() as session:  # a worker would flag them before it goes to CVAT
        for job in jobs.waiting(session):
            jobs.cancel(session, job.id)
    with db.engine.connect() as connection:  # all of it into the one file, to be copied
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


def set_up(
    db: Database,
    folder: Path,
    held: dict[str, Mask],
    unlabelled: Sequence[str] = (),
    listed: ClassList = CLASSES,
    dataset: str = DATASET,
) -> None:
    """A dataset of these masks, pictures beside them; ``unlabelled`` keys have none."""
    rng = np.random.default_rng(4)
    for key in [*held, *unlabelled]:
        shape = held[key].shape if key in held else (6, 9)
        for kind, pixels in (("images", rng.integers(0, 255, shape, dtype=np.uint8)), ("masks", held.get(key))):
            if pixels is not None:
                path = folder / kind / f"{key}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_png(pixels))
    ingest.run(db, folder, dataset, ADA)
    classes.put(db, dataset, listed, ADA)
