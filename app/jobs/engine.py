"""The worker: sweeps the table of jobs, claims what it can do and lets the engine (DBOS) run it. The only module that
knows the engine.

The row says who has a job; its claim is one UPDATE, so of many workers one gets it. The engine keeps its own record, a
file beside SQLite or a schema within PostgreSQL, and runs again at once what a killed process of the same worker left.
What a worker left that doesn't come back is taken by another when its heart has stopped for long enough.
"""

import logging
import threading

from dbos import DBOS, SetWorkflowID

from app import logs
from app.jobs.kinds import BESIDE, FLOWS, LONG
from app.jobs.running import run
from app.jobs.schedule import asker
from app.jobs.sharing import places_for_models
from app.settings import Settings
from app.store import engines, jobs, workers
from app.store.db import Database
from app.store.faults import is_away, is_locked

log = logging.getLogger(__name__)
SWEEP_SECONDS = 0.25
# One job of each lane at a time, models of folds apart: a check never waits for a training, nor does a training share
# its device.
LANES = (frozenset(LONG), frozenset(FLOWS) - frozenset(LONG))


def work(db: Database, settings: Settings, name: str, stop: threading.Event) -> None:
    """Run jobs until ``stop`` is set. ``name``: no other worker on this database has it, and this one keeps it, for by
    it the engine finds what it left.

    Returns with a job perhaps half done; the process has to end then as if it had been killed.
    """
    DBOS(
        config={
            "name": "remask",
            "system_database_url": _record(settings),
            "application_version": "1",
            "executor_id": name,
            "log_level": "WARNING",
        }
    )
    logs.adopt("dbos")
    pulse = workers.Pulse(settings.home, name)

    @DBOS.step()
    def step(job_id: int) -> None:
        run(db, settings, job_id, jobs.new_owner(name))

    @DBOS.workflow()
    def remask_job(job_id: int) -> None:
        step(job_id)

    DBOS.launch()
    ask = asker(db, settings)

    def sweep() -> None:
        for lane in LANES:
            with db.read() as session:
                job_id = jobs.next_for(session, name, lane, BESIDE, places_for_models(settings.home))
            if job_id is None:
                continue
            owner = jobs.new_owner(name)
            with db.write() as session:
                claimed = jobs.claim(session, job_id, owner)
            if claimed:
                with SetWorkflowID(f"job-{job_id}-{owner}"):
                    DBOS.start_workflow(remask_job, job_id)

    while not stop.wait(SWEEP_SECONDS):
        pulse.beat()
        try:
            ask()
            sweep()
        except Exception as error:
            if not (is_away(error) or is_locked(error)):
                raise
            log.warning("the database is away or busy; the worker tries again")
            stop.wait(8 * SWEEP_SECONDS)
    pulse.end()


def _record(settings: Settings) -> str:
    """Where the engine keeps its record: it makes a schema ``dbos`` of its own in PostgreSQL."""
    if settings.database_url is None:
        return f"sqlite:///{settings.home / 'jobs.sqlite'}"
    return engines.spelled(settings.database_url)
