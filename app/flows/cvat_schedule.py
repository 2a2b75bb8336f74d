"""Pulls that nobody asks for by hand: every so often, and when CVAT calls."""

from datetime import timedelta

from app.cvat.webhook import read_delivery, signed
from app.domain.actor import Actor
from app.domain.errors import RemaskError
from app.flows import cvat_pull
from app.settings import Settings
from app.store import cvat
from app.store.db import Database
from app.store.tables import CvatPull, now

_COMPLETED = "completed"


class Unsigned(RemaskError):
    """A call that doesn't carry CVAT's signature."""

    status = 403
    title = "Not signed"


def request_due(db: Database, settings: Settings) -> int:
    """Ask for a pull of each batch that was last pulled longer ago than REMASK_CVAT_POLL says; how many. One whose pull
    hasn't begun is not asked for again."""
    if not settings.cvat_poll:
        return 0
    with db.read() as session:
        batches = cvat.due(session, now() - timedelta(minutes=settings.cvat_poll))
    for batch in batches:
        cvat_pull.request(db, batch.id, Actor("rule", "poll"), "finished", origin="poll")
    return len(batches)


def on_webhook(db: Database, settings: Settings, body: bytes, signature: str) -> list[CvatPull]:
    """Take a call of CVAT's: where a job was completed, ask for a pull of the finished jobs of its batch.

    ``signature``: the header ``webhook.SIGNATURE``. Raises Unsigned, and NotCvat for what isn't a delivery.
    """
    if not signed(body, signature, settings.cvat_secret or ""):
        raise Unsigned("The call isn't signed with REMASK_CVAT_SECRET; give CVAT's webhook the same secret.")
    job = read_delivery(body).job
    if job is None or job.state != _COMPLETED:
        return []
    with db.read() as session:
        batches = cvat.with_task(session, job.task)
    who = Actor("rule", "webhook")
    return [cvat_pull.request(db, batch.id, who, "finished", origin="webhook") for batch in batches]
