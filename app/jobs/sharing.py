"""A job's parts seen done: those that no other worker takes are run in this process."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.flows.progress import Cancelled, Lost, Progress
from app.flows.share import PartFailed
from app.settings import Settings
from app.store import jobs, parts, workers
from app.store.db import Database
from app.store.parts import Part, Wanted

WAIT_SECONDS = 0.25
Run = Callable[[Database, Settings, int, str, Progress], None]


@dataclass(frozen=True)
class Sharing:
    """``Share`` for the job that ``owner`` has. ``held``: the database for as long as that is so; ``run``: what runs a
    part, which is a claim of its own, to its end."""

    db: Database
    held: Database
    settings: Settings
    job_id: int
    owner: str
    run: Run

    def __call__(
        self, wanted: Sequence[Wanted], progress: Progress, message: str, *, side_by_side: bool = False
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.held.write() as session:
            parts.ask(session, self.job_id, wanted)
            parts.reclaim(session, self.job_id, self._worker)
        places = places_for_models(self.settings.home) if side_by_side else 1
        ends_with: list[Cancelled | Lost] = []

        def watch(_done: int, _total: int, _message: str) -> None:
            if ends_with:
                raise ends_with[0]

        with ThreadPoolExecutor(places) as pool:
            try:
                self._see_done(pool, places, watch, lambda done, total: progress(done, total, message))
            except BaseException as error:
                # What is cut off goes on where it is; what failed or was cancelled doesn't.
                ends_with.append(Cancelled() if isinstance(error, Cancelled | PartFailed) else Lost())
                raise
        return self._results()

    @property
    def _worker(self) -> str:
        return self.owner.rpartition(":")[0]

    def _see_done(
        self, pool: ThreadPoolExecutor, places: int, watch: Progress, tell: Callable[[int, int], None]
    ) -> None:
        here: set[Future[None]] = set()
        while True:
            with self.db.read() as session:
                found, free = parts.of_job(session, self.job_id), parts.is_free(session, self.job_id)
                cancelled = jobs.find(session, self.job_id).cancel
            if cancelled:
                raise Cancelled
            tell(*_together(found))
            _insist(found)
            if not here and all(part.state == "done" for part in found):
                return
            while free and len(here) < places:
                owner = jobs.new_owner(self._worker)
                with self.held.write() as session:
                    taken = parts.take(session, self.job_id, owner)
                if taken is None:
                    break
                here.add(pool.submit(self.run, self.db, self.settings, taken, owner, watch))
            if here:
                done, here = wait(here, timeout=WAIT_SECONDS)
                for one in done:
                    one.result()
            else:
                time.sleep(WAIT_SECONDS)

    def _results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.db.read() as session:
            yield from parts.results(session, self.job_id)


def _together(found: Sequence[Part]) -> tuple[int, int]:
    """Steps that are done, of how many."""
    total = sum(part.total for part in found)
    return sum(part.total if part.state == "done" else part.done for part in found), total


def _insist(found: Sequence[Part]) -> None:
    for part in found:
        if part.state == "failed":
            raise PartFailed(part.error or f"Part {part.id} failed.")
        if part.state == "cancelled":
            raise PartFailed(f"Part {part.id} of it was cancelled; start it again.")


def places_for_models(home: Path) -> int:
    """How many models of one thread each a worker here trains side by side: its share of the cores; one on a GPU."""
    if Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        return 1
    return max(1, len(os.sched_getaffinity(0)) // max(1, workers.here(home)))
