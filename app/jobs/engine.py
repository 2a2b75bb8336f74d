"""The worker: sweeps the table of jobs and hands each row to the engine (DBOS). The only module that knows it.

The engine keeps its own file and runs again what a killed worker left.
"""

import threading

from dbos import DBOS, SetWorkflowID

from app import logs
from app.jobs.kinds import LONG
from app.jobs.running import run
from app.jobs.schedule import asker
from app.settings import Settings
from app.store import jobs, workers
from app.store.db import Database

SWEEP_SECONDS = 0.25


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
    logs.adopt("dbos")
    pulse = workers.Pulse(settings.home, owner)

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
    ask = asker(db, settings)
    while not stop.wait(SWEEP_SECONDS):
        ask()
        pulse.beat()
        with db.read() as session:
            waiting = {job.id: job.kind for job in jobs.waiting(session)}
        for job_id in sorted(waiting.keys() - handed):
            queue = long if waiting[job_id] in LONG else quick
            with SetWorkflowID(f"job-{job_id}"):
                queue.enqueue(remask_job, job_id)
        handed = set(waiting)
    pulse.end()
