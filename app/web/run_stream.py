"""A run as it goes: the lines of its trainer and the state of its job, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from app.flows import runs
from app.flows.runs import Tail
from app.store import jobs
from app.store import runs as rows
from app.store.db import Database

POLL_SECONDS = 0.4


async def follow(
    db: Database, home: Path, run_id: int, after: int, poll: float = POLL_SECONDS
) -> AsyncIterator[ServerSentEvent]:
    """Events ``told`` (a line of the trainer past line ``after``) and ``state`` (of the job), until the job has ended.

    An event's id is the number of the last line.
    """
    tail = Tail.of(home, run_id, after)
    before: dict[str, Any] = {}
    while True:
        # The state first: a job that has ended says nothing more, so its last lines are there.
        state = await run_in_threadpool(_state, db, run_id)
        for line, event in await run_in_threadpool(tail.read):
            yield ServerSentEvent(data=event, event="told", id=str(line))
        if state != before:
            yield ServerSentEvent(data=state, event="state", id=str(max(after, tail.line)))
        if state["state"] in jobs.ENDED:
            return
        before = state
        await asyncio.sleep(poll)


def _state(db: Database, run_id: int) -> dict[str, Any]:
    with db.read() as session:
        run = rows.find(session, run_id)
        return runs.standing(run, jobs.find(session, run.job_id or 0))
