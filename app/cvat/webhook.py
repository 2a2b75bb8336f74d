"""CVAT's deliveries: asking for them, telling whether one is really from there, and which job it speaks of."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from app.cvat.answers import Job, job_of, need, optional, results
from app.cvat.connection import Connection
from app.cvat.errors import NotCvat

SIGNATURE = "X-Signature-256"
_EVENTS = ["update:job"]


@dataclass(frozen=True)
class Delivery:
    """``job`` is None for events that speak of none, such as a ping."""

    event: str
    job: Job | None


def register(connection: Connection, project: int, target: str, secret: str) -> int:
    """Has CVAT tell ``target`` when a job of the project changes; the webhook's id. One that is there already for that
    address gets this secret. CVAT in Docker sends nothing to private addresses unless it is allowed to."""
    value = {
        "target_url": target,
        "type": "project",
        "project_id": project,
        "events": _EVENTS,
        "content_type": "application/json",
        "secret": secret,
        "is_active": True,
        "enable_ssl": connection.server.verify,
    }
    found = connection.get("/api/webhooks", [("project_id", project), ("page_size", 100)])
    for one in results(found):
        if optional(one, "target_url", str) == target:
            id = need(one, "id", int)
            connection.send("PUT", f"/api/webhooks/{id}", value)
            return id
    return need(connection.send("POST", "/api/webhooks", value), "id", int)


def signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether ``signature`` (``sha256=...``) is the HMAC of the raw body; an empty secret never is."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode())


def read_delivery(body: bytes) -> Delivery:
    """What a delivery says. Raises NotCvat."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise NotCvat("A webhook delivery that isn't JSON.") from None
    job = optional(value, "job", dict)
    return Delivery(optional(value, "event", str) or "", job_of(job) if job else None)
