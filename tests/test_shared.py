"""Jobs in parts, on one PostgreSQL: two real workers share them, one is killed, and what is found is what one alone
finds."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.domain.actor import person
from app.domain.checks import registry
from app.domain.errors import Invalid
from app.flows import crossval, demo, ingest, inspect
from app.jobs import running
from app.jobs.kinds import FLOWS
from app.settings import Settings
from app.store import jobs, parts, runs, workers
from app.store.db import Database
from app.store.tables import Flag, Job, Score
from tests.flows.test_crossval import TINY
from tests.sets import write_npz
from tests.test_jobs import state, until, worker
from tests.test_workers import db, owner, settings

__all__ = ["db", "settings"]

ADA = person("ada")
SMALL = "from app.flows import inspect; inspect.FEWEST = 20\n"  # even a little set is shared

# One model at a time, however many cores there are.
ALONE = "from app.jobs import engine, sharing; engine.places_for_models = sharing.places_for_models = lambda home: 1\n"


def owners(db: Database, job: int, states: tuple[str, ...] = ("running", "done")) -> dict[int, str]:
    """part -> the worker that has it or had it last."""
    with db.read() as session:
        rows = session.execute(select(Job.id, Job.owner).where(Job.parent_id == job, Job.state.in_(states)))
        return {id: (owner or "").partition(":")[0] for id, owner in rows}


def found(db: Database) -> tuple[object, ...]:
    """All that checks have told."""
    with db.read() as session:
        scores = session.execute(select(Score.sample_id, Score.revision_id, Score.check, Score.value))
        flags = session.execute(select(Flag.sample_id, Flag.revision_id, Flag.check, Flag.state, Flag.reason))
        return sorted(map(tuple, scores), key=str), sorted(map(tuple, flags), key=str)


def ask_for_checks(db: Database, tmp_path: Path, count: int) -> int:
    """A set, and the job of its checks, which the import asked for."""
    path = write_npz(tmp_path / "set.npz", np.random.default_rng(0), labelled=count, unlabelled=3)
    ingest.run(db, path, "set", ADA)
    with db.read() as session:
        return jobs.recent(session)[0].id


def test_two_workers_share_the_checks_and_one_of_them_dies(db: Database, settings: Settings, tmp_path: Path) -> None:
    with worker(settings, "one", SMALL) as one, worker(settings, "two", SMALL) as two:
        until(lambda: len(workers.alive(tmp_path)) == 2)
        job = ask_for_checks(db, tmp_path, 200)
        until(lambda: set(owners(db, job).values()) == {"one", "two"})
        first = owner(db, job)
        (one if first == "one" else two).kill()
        until(lambda: state(db, job) == "done")
    with db.read() as session:
        row, shares = jobs.find(session, job), parts.of_job(session, job)
    assert owner(db, job) != first
    assert [part.kind for part in shares] == ["check"] * 2 + ["look"] * 11
    assert {part.state for part in shares} == {"done"}
    assert row.result is not None
    assert [one["check"] for one in row.result["checks"]] == [one.name for one in registry.CHECKS]
    together = found(db)
    inspect.run(db, "set")
    assert together == found(db)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_ends_a_job_ends_its_parts(
    db: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """In one process, which does every part itself: the second span fails, or the job is cancelled meanwhile."""
    monkeypatch.setattr(inspect, "FEWEST", 10)
    job = ask_for_checks(db, tmp_path, 60)
    look, looked = FLOWS["look"], []

    def stop(*given: object) -> object:
        looked.append(given)
        if len(looked) < 2:
            return look(*given)
        if end == "cancelled":
            with db.write() as session:
                jobs.cancel(session, job)
            return look(*given)
        raise Invalid("This span can't be looked at.")

    monkeypatch.setitem(FLOWS, "look", stop)
    running.run(db, settings, job, jobs.new_owner("one"))
    with db.read() as session:
        row, shares = jobs.find(session, job), parts.of_job(session, job)
        kept = session.scalars(select(Job.result).where(Job.parent_id == job)).all()
    assert (row.state, row.error) == (end, "This span can't be looked at." if end == "failed" else None)
    assert {part.state for part in shares} <= {"done", "failed", "cancelled"}
    assert [part.state for part in shares].count("done") < len(shares) - 1
    assert set(kept) == {None}
    assert not has_work(db)


def has_work(db: Database) -> bool:
    with db.read() as session:
        return bool(jobs.waiting(session) or jobs.under_way(session))


@pytest.mark.long
def test_two_workers_train_a_fold_each_and_one_of_them_dies(db: Database, settings: Settings, tmp_path: Path) -> None:
    demo.run(db, tmp_path, "demo", ADA, count=40)
    with db.write() as session:
        jobs.cancel(session, jobs.recent(session)[0].id)  # the checks
    wanted = TINY | {"epochs": 3, "compile": "off"}
    with worker(settings, "one", ALONE) as one, worker(settings, "two", ALONE) as two:
        until(lambda: len(workers.alive(tmp_path)) == 2)
        run = crossval.request(db, "demo", ADA, folds=2, keys=wanted)
        job = run.job_id or 0
        until(lambda: set(owners(db, job).values()) == {"one", "two"})
        helper = {"one": "two", "two": "one"}[owner(db, job)]
        until(lambda: "training" in {part.state for part in crossval.folds_of(tmp_path, run)})
        (one if helper == "one" else two).kill()
        until(lambda: state(db, job) in jobs.ENDED)
    with db.read() as session:
        row, result = jobs.find(session, job), runs.find(session, run.id).result
    assert row.state == "done", row.error
    assert owner(db, job) != helper
    assert set(owners(db, job).values()) == {owner(db, job)}
    assert result is not None
    assert (result["folds"], result["predicted"] > 30) == (2, True)
    assert [(one.state, one.epochs) for one in crossval.folds_of(tmp_path, run)] == [("done", 3)] * 2
