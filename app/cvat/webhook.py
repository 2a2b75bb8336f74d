"""CVAT's deliveries: is it really from there, and which job does it speak of."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from app.cvat.answers import Job, job_of, optional
from app.cvat.errors import NotCvat

SIGNATURE = "X-Signature-256"


@dataclass(frozen=True)
class Delivery:
    """``job`` is None for events that speak of none, such as a ping."""

    event: str
    job: Job | None


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
