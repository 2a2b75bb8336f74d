"""Pulls that nobody asks for by hand: every so often, and when CVAT calls."""

from datetime import timedelta

from app.cvat.errors import NotCvat
from app.cvat.webhook import read_delivery, signed
from app.domain.actor import Actor
from app.domain.errors import Invalid, RemaskError
from app.flows import cvat_pull
from app.settings import Settings
from app.store import cvat
from app.store.db import Database
from app.store.tables import CvatPull, now

_COMPLETED = "completed"


class Unsigned(RemaskError):
    """A call that doesn't carry CVAT's signature."""

    status = 401
    title = "Not signed"


class Undelivered(Invalid):
    """A signed call that says nothing that CVAT's webhooks say."""


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


def on_webhook(db: Database, settings: Settings, server: str, body: bytes, signature: str) -> list[CvatPull]:
    """Take a call of a CVAT server's: where a job was completed, ask for a pull of the finished jobs of its batch. The
    same call once more asks for nothing new.

    ``signature``: the header ``webhook.SIGNATURE``. Raises Unsigned, and Undelivered for what isn't a delivery.
    """
    if not signed(body, signature, settings.cvat_secret or ""):
        raise Unsigned("The call isn't signed with REMASK_CVAT_SECRET; give CVAT's webhook the same secret.")
    try:
        job = read_delivery(body).job
    except NotCvat as error:
        raise Undelivered(f"{error} Is it CVAT's webhook?") from None
    if job is None or job.state != _COMPLETED:
        return []
    with db.read() as session:
        batches = [one for one in cvat.with_task(session, job.task) if one.server == server]
    who = Actor("rule", "webhook")
    return [cvat_pull.request(db, batch.id, who, "finished", origin="webhook") for batch in batches]
