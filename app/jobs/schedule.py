"""What a worker asks for by itself, every so often."""

import time
from collections.abc import Callable

from app.flows import cvat_schedule
from app.settings import Settings
from app.store.db import Database

EVERY_SECONDS = 10.0


def asker(db: Database, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """What to call at each sweep; it asks for the jobs that are due, at most every ``EVERY_SECONDS``."""
    asked = -EVERY_SECONDS

    def ask() -> None:
        nonlocal asked
        if clock() - asked >= EVERY_SECONDS:
            asked = clock()
            cvat_schedule.request_due(db, settings)

    return ask
