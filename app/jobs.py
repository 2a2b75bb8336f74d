"""Background work: which flow a job runs, who runs it, how it is followed. The only module that knows the job engine.

A flow that needs work writes a job row in its own transaction; the worker sweeps the table and hands each row to the
engine (DBOS), which keeps its own file and runs again what a killed worker left. Every job can be run twice.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from dbos import DBOS, SetWorkflowID

from app.domain.actor import person
from app.domain.classes import parse_classes
from app.domain.errors import RemaskError
from app.flows import demo, export, ingest, inspect, runs, train
from app.flows.progress import Cancelled, Progress
from app.settings import Settings
from app.store import datasets, jobs
from app.store.db import Database
from app.store.tables import Dataset, Job

log = logging.getLogger(__name__)
SWEEP_SECONDS = 0.25
BEAT_SECONDS = 3.0
SHOW_SECONDS = 0.25

Result = dict[str, Any]


def run_import(db: Database, _settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    classes = parse_classes(args["classes"]) if args.get("classes") else None
    path = Path(args["path"])
    try:
        report = ingest.run(
            db,
            path,
            args["dataset"],
            person(args["actor"]),
            format=args["format"],
            classes=classes,
            label=args["label"],
            progress=progress,
        )
    except (RemaskError, Cancelled):
        _forget_upload(path, args)
        raise
    _forget_upload(path, args)
    return {"import": report.import_id, "imported": report.imported, "refused": len(report.refused)}


def _forget_upload(path: Path, args: Result) -> None:
    """Drop the uploaded copy once it has served. A worker that was killed never gets here: the next one needs it."""
    if args.get("delete"):
        rmtree(path if path.is_dir() else path.parent, ignore_errors=True)


def run_check(db: Database, _settings: Settings, dataset: str | None, args: Result, progress: Progress) -> Result:
    results = inspect.run(db, dataset or "", args.get("only", ()), progress)
    return {"checks": [{"check": one.check, "flagged": one.flagged, "seconds": one.seconds} for one in results]}


def run_export(db: Database, settings: Settings, dataset: str | None, args: Result, progress: Progress) -> Result:
    path = export.run_to_file(db, settings.exports, dataset or "", args["format"], args["only"], progress)
    return {"path": path.name}


def run_demo(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    report = demo.run(db, settings.home, args["dataset"], person(args["actor"]), progress=progress)
    return {"import": report.import_id, "imported": report.imported}


def run_train(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    result = train.run(db, settings.home, args["run"], progress)
    return {"run": args["run"], "reason": result["reason"]}


def run_onnx(db: Database, settings: Settings, _dataset: str | None, args: Result, progress: Progress) -> Result:
    return {"run": args["run"], "file": runs.write_onnx(db, settings.home, args["run"], progress)}


FLOWS: dict[str, Callable[[Database, Settings, str | None, Result, Progress], Result]] = {
    "import": run_import,
    "check": run_check,
    "export": run_export,
    "demo": run_demo,
    "train": run_train,
    "onnx": run_onnx,
}
# Trainings wait for each other, not for them the quick jobs.
LONG = ("train",)


class JobFailed(RemaskError):
    """A job ended without what was asked of it; the sentence is the job's own."""


def run_here(db: Database, settings: Settings, kind: str, dataset: str, args: Result, progress: Progress) -> Result:
    """Ask for work and see it done, as ``see_done``."""
    with db.write() as session:
        job_id = jobs.request(session, kind, datasets.find(session, dataset).id, args).id
    return see_done(db, settings, job_id, progress)


def see_done(db: Database, settings: Settings, job_id: int, progress: Progress) -> Result:
    """Run a job in this process, unless a worker was quicker, and wait for its end. Raises JobFailed."""
    run(db, settings, job_id, f"cli-{uuid4().hex[:12]}", progress)
    while True:
        with db.read() as session:
            job = jobs.find(session, job_id)
        if job.state == "done":
            return job.result or {}
        if job.state in jobs.ENDED:
            raise JobFailed(job.error or f"Job {job_id} was cancelled.")
        progress(job.done, job.total, job.message)
        time.sleep(SWEEP_SECONDS)


def run(db: Database, settings: Settings, job_id: int, owner: str, watch: Progress | None = None) -> None:
    """Claim a job and run its flow to an end that is written in its row; nothing where somebody else has it."""
    with db.write() as session:
        if not jobs.claim(session, job_id, owner):
            return
        job = jobs.find(session, job_id)
        dataset = session.get_one(Dataset, job.dataset_id).name if job.dataset_id else None
    with _Heart(db, job, owner) as heart:

        def progress(done: int, total: int, message: str) -> None:
            heart.tell(done, total, message)
            if watch is not None:
                watch(done, total, message)

        state, result, error = _outcome(lambda: FLOWS[job.kind](db, settings, dataset, job.args, progress))
    with db.write() as session:
        jobs.finish(session, job_id, state, result, error)


def _outcome(flow: Callable[[], Result]) -> tuple[str, Result | None, str | None]:
    try:
        return "done", flow(), None
    except Cancelled:
        return "cancelled", None, None
    except RemaskError as error:
        return "failed", error.facts, str(error)
    except Exception as error:
        log.error("a job failed\n%s", traceback.format_exc())
        return "failed", None, f"Something went wrong that shouldn't have ({type(error).__name__}); the log has more."


class _Heart:
    """Beats while a job runs, so that others see it alive, and learns from the beat whether to stop."""

    def __init__(self, db: Database, job: Job, owner: str) -> None:
        self._db, self._job, self._owner = db, job, owner
        self._told = (job.done, job.total, job.message)
        self._shown = 0.0
        self._alive = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "_Heart":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._write()

    def tell(self, done: int, total: int, message: str) -> None:
        """Note progress. Raises Cancelled where the job was cancelled or has gone to another worker."""
        self._told = (done, total, message)
        if time.monotonic() - self._shown > SHOW_SECONDS:
            self._write()
        if not self._alive:
            raise Cancelled

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        self._shown = time.monotonic()
        with self._db.write() as session:
            self._alive = jobs.beat(session, self._job.id, self._owner, *self._told)


def work(db: Database, settings: Settings, stop: threading.Event) -> None:
    """Run jobs until ``stop`` is set. One worker a data folder: its name lets the engine resume what it left.

    Returns with a job perhaps half done; the process has to end then as if it had been killed.
    """
    owner = "worker"
    DBOS(
        config={
            "name": "remask",
            "system_database_url": f"sqlite:///{settings.home / 'jobs.sqlite'}",
            "application_version": "1",
            "executor_id": owner,
            "log_level": "WARNING",
        }
    )

    @DBOS.step()
    def step(job_id: int) -> None:
        run(db, settings, job_id, owner)

    @DBOS.workflow()
    def remask_job(job_id: int) -> None:
        step(job_id)

    DBOS.launch()
    quick, long = (
        DBOS.register_queue(name, worker_concurrency=1, polling_interval_sec=SWEEP_SECONDS)
        for name in ("remask-quick", "remask-long")
    )
    handed: set[int] = set()
    while not stop.wait(SWEEP_SECONDS):
        with db.read() as session:
            waiting = {job.id: job.kind for job in jobs.waiting(session)}
        for job_id in sorted(waiting.keys() - handed):
            queue = long if waiting[job_id] in LONG else quick
            with SetWorkflowID(f"job-{job_id}"):
                queue.enqueue(remask_job, job_id)
        handed = set(waiting)
