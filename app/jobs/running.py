"""One job from its claim to an end that is written in its row."""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app import logs
from app.domain.errors import RemaskError
from app.flows.progress import Cancelled, Lost, Progress
from app.jobs.kinds import FLOWS, SHARED, Result
from app.jobs.sharing import Sharing
from app.settings import Settings
from app.store import datasets, jobs
from app.store.db import Database
from app.store.faults import is_away, is_locked, trouble
from app.store.tables import Dataset, Job

log = logging.getLogger(__name__)
WAIT_SECONDS = 0.25
BEAT_SECONDS = 3.0
SHOW_SECONDS = 0.25


class JobFailed(RemaskError):
    """A job ended without what was asked of it; the sentence is the job's own."""


def run_here(db: Database, settings: Settings, kind: str, dataset: str, args: Result, progress: Progress) -> Result:
    """Ask for work and see it done, as ``see_done``."""
    with db.write() as session:
        job_id = jobs.request(session, kind, datasets.find(session, dataset).id, args).id
    return see_done(db, settings, job_id, progress)


def see_done(db: Database, settings: Settings, job_id: int, progress: Progress) -> Result:
    """Run a job in this process, unless a worker was quicker, and wait for its end.

    Raises JobFailed, also on Ctrl+C: a job that ran here is cancelled then, not left to whichever worker starts next.
    """
    owner = jobs.new_owner(f"cli-{os.getpid()}")
    try:
        run(db, settings, job_id, owner, progress)
        return _end_of(db, job_id, progress)
    except KeyboardInterrupt:
        with db.write() as session:
            ours = jobs.finish(session, job_id, "cancelled", owner=owner)
            if ours:
                jobs.end_parts(session, job_id)
        left = f"Stopped waiting for job {job_id}; it is left to a worker."
        raise JobFailed(f"Stopped; job {job_id} is cancelled." if ours else left) from None


def _end_of(db: Database, job_id: int, progress: Progress) -> Result:
    while True:
        with db.read() as session:
            job = jobs.find(session, job_id)
        if job.state == "done":
            return job.result or {}
        if job.state in jobs.ENDED:
            raise JobFailed(job.error or f"Job {job_id} was cancelled.")
        progress(job.done, job.total, job.message)
        time.sleep(WAIT_SECONDS)


def run(db: Database, settings: Settings, job_id: int, owner: str, watch: Progress | None = None) -> None:
    """Claim a job and run its flow to an end that is written in its row; nothing where somebody else has it.

    What the flow writes is written under the claim: where another worker has the job by now (this one was stopped, or
    cut off, for longer than it takes to be given up), every write fails, and the row is left to that worker. A job
    whose database went away is left too: it goes on from where it is when the server is back.
    """
    with db.write() as session:
        if not jobs.claim(session, job_id, owner):
            return
        job = jobs.find(session, job_id)
        dataset = session.get_one(Dataset, job.dataset_id).name if job.dataset_id else None

    def insist(session: Session) -> None:
        if not jobs.owns(session, job_id, owner):
            raise Lost

    logs.JOB.set(job_id)
    log.info("job %s begins", job.kind)
    try:
        with _Heart(db, job, owner) as heart:

            def progress(done: int, total: int, message: str) -> None:
                heart.tell(done, total, message)
                if watch is not None:
                    watch(done, total, message)

            held = db.guarded(insist)
            flow = partial(FLOWS[job.kind], held, settings, dataset, job.args, progress)
            if job.kind in SHARED and job.parent_id is None and db.path is None:  # a file has one worker
                flow = partial(flow, share=Sharing(db, held, settings, job_id, owner, run))
            state, result, error = _outcome(flow)

        def end(session: Session) -> None:
            if jobs.finish(session, job_id, state, result, error, owner):
                jobs.end_parts(session, job_id)

        _write_end(db, end)
        log.info("job %s %s", job.kind, state)
    except Lost:
        log.warning("job %d has gone to another worker; this one leaves it", job_id)
    except Exception as error:
        if not is_away(error):
            raise
        log.warning("the database went away under job %d, which goes on when it is back", job_id)
    logs.JOB.set(None)


def _write_end(db: Database, write: Callable[[Session], None]) -> None:
    """Write a job's end down, however long the database is away or busy, as long as the job is still ours for sure."""
    until = time.monotonic() + jobs.LOST_AFTER.total_seconds()
    while True:
        try:
            with db.write() as session:
                write(session)
            return
        except Exception as error:
            if not (is_away(error) or is_locked(error)) or time.monotonic() > until:
                raise
        time.sleep(WAIT_SECONDS)


def _outcome(flow: Callable[[], Result]) -> tuple[str, Result | None, str | None]:
    try:
        return "done", flow(), None
    except Cancelled:
        return "cancelled", None, None
    except RemaskError as error:
        return "failed", error.facts, str(error)
    except Lost:
        raise
    except Exception as error:
        if is_away(error):
            raise
        log.exception("a job failed")
        if sentence := trouble(error):
            return "failed", None, sentence
        return "failed", None, f"Something went wrong that shouldn't have ({type(error).__name__}); the log has more."


class _Heart:
    """Beats while a job runs, so that others see it alive, and learns from the beat whether to stop."""

    def __init__(self, db: Database, job: Job, owner: str) -> None:
        self._db, self._job, self._owner = db, job, owner
        self._told = (job.done, job.total, job.message)
        self._shown = 0.0
        self._stopped_by: type[Cancelled | Lost] | None = None
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
        """Note progress. Raises Cancelled where the job was cancelled, Lost where it has gone to another worker."""
        self._told = (done, total, message)
        if time.monotonic() - self._shown > SHOW_SECONDS:
            self._write()
        if self._stopped_by is not None:
            raise self._stopped_by

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        self._shown = time.monotonic()
        try:
            with self._db.note() as session:
                if jobs.beat(session, self._job.id, self._owner, *self._told):
                    self._stopped_by = None
                else:
                    mine = jobs.owns(session, self._job.id, self._owner)
                    self._stopped_by = Cancelled if mine else Lost
        except Exception as error:  # a beat that can't be noted now is no reason to stop
            if not (is_away(error) or is_locked(error)):
                raise
