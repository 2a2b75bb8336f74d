"""Live progress: the job table is looked at a few times a second, and what changed is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session

from app.store import jobs
from app.store.db import Database
from app.store.tables import Job, now

POLL_SECONDS = 0.3
# A job that ended while the stream was being opened, or in the same instant as the last event, isn't missed.
OVERLAP = timedelta(seconds=10)

Show = Callable[[Session, Job], dict[str, Any]]


async def follow(
    db: Database, show: Show, last_event_id: str | None = None, poll: float = POLL_SECONDS
) -> AsyncIterator[ServerSentEvent]:
    """Every job under way, then every job that changed, until the client goes.

    An event's id is the time of the look that found it, in microseconds. Jobs that ended since ``last_event_id`` (none:
    since just now) come first.
    """
    since = _time(last_event_id) - OVERLAP
    seen: dict[int, dict[str, Any]] = {}
    while True:
        looked = now()
        shown = await run_in_threadpool(_look, db, show, since)
        for id, job in shown.items():
            if seen.get(id) != job:
                yield ServerSentEvent(data=job, event="job", id=str(int(looked.timestamp() * 1_000_000)))
        seen, since = shown, looked - OVERLAP
        await asyncio.sleep(poll)


def _look(db: Database, show: Show, since: datetime) -> dict[int, dict[str, Any]]:
    with db.read() as session:
        return {row.id: show(session, row) for row in jobs.lively(session, since)}


def _time(event_id: str | None) -> datetime:
    try:
        return datetime.fromtimestamp(int(event_id or "") / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return now()
