"""Two machines: pages and PostgreSQL on one, a worker on the other, and the cable between them cut while it works."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings
from app.store import datasets, jobs
from app.store.db import Database, open_database
from tests import hosts, postgres
from tests.hosts import Host
from tests.sets import every_sample, write_npz
from tests.test_jobs import imported, state, until, worker
from tests.test_workers import owner

pytestmark = pytest.mark.long
ASK = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())"


@contextmanager
def pages(host: Host, settings: Settings) -> Iterator[None]:
    """The web process on a machine."""
    env = os.environ | {"REMASK_HOME": str(settings.home), "REMASK_DATABASE_URL": str(settings.database_url)}
    command = [*host.inside, sys.executable, "-m", "app", "serve", "--no-worker"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def answers(host: Host) -> bool:
    """Whether the web process on that machine says that it is well."""
    command = [*host.inside, sys.executable, "-c", ASK, "http://127.0.0.1:8000/healthz"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return '"database":"ok"' in said.stdout


def asked(db: Database, folder: Path, dataset: str, count: int) -> int:
    """The job of an import of so many samples, and one."""
    path = write_npz(folder / f"{dataset}.npz", np.random.default_rng(0), labelled=count, unlabelled=1)
    args = {"path": str(path), "dataset": dataset, "format": "auto", "label": dataset, "actor": "ada"}
    with db.write() as session:
        return jobs.request(session, "import", None, args).id


def keys(db: Database, dataset: str) -> list[str]:
    with db.read() as session:
        return [one.key for one in every_sample(session, datasets.find(session, dataset).id)]


def test_a_machine_that_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    with hosts.two() as (front, back), postgres.running(front.inside, front.address) as cluster:
        local = cluster.create()
        name = local.partition("@/")[2].partition("?")[0]
        settings = Settings(home=tmp_path, database_url=f"postgresql+psycopg://postgres@{front.address}/{name}")
        db = open_database(local)  # by its socket, which is no matter of networks
        with pages(front, settings), worker(settings, "far", inside=back.inside) as far:
            until(lambda: answers(front))
            first = asked(db, tmp_path, "first", 4000)
            until(lambda: imported(db) >= 100)
            assert owner(db, first) == "far"

            # For long: another worker takes the job, and what the first one still wants to write is refused.
            back.plug("down")
            cut = time.monotonic()
            with worker(settings, "near", inside=front.inside):
                until(lambda: owner(db, first) == "near")
                taken = time.monotonic() - cut
                there = imported(db)
                back.plug("up")
                until(lambda: state(db, first) == "done")
                assert answers(front)
            assert owner(db, first) == "near"
            assert len(keys(db, "first")) == len(set(keys(db, "first"))) == 4001

            # For a moment: it goes on with its job as if nothing had been.
            second = asked(db, tmp_path, "second", 4000)
            until(lambda: owner(db, second) == "far" and imported(db) > 4101)
            with db.read() as session:
                claim = jobs.find(session, second).owner
            back.plug("down")
            back.plug("up")
            until(lambda: state(db, second) == "done")
            with db.read() as session:
                assert jobs.find(session, second).owner == claim
            assert len(keys(db, "second")) == len(set(keys(db, "second"))) == 4001
            far.send_signal(signal.SIGTERM)
            _, said = far.communicate(timeout=60)
        db.close()
    assert b"gone to another worker" in said or b"database went away" in said or b"database is away" in said
    print(f"cut off at {there} samples; taken over after {taken:.1f} s")
