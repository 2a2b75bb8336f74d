"""Answers of the server, and the sentence for each that is a failure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.cvat.errors import (
    Busy,
    CvatError,
    Forbidden,
    Missing,
    NotCvat,
    Redirected,
    Rejected,
    ServerFailed,
    WrongLogin,
)
from app.cvat.servers import Server


@dataclass(frozen=True)
class Answer:
    """What the server said: ``headers`` by lower-case name, ``body`` unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises NotCvat where the body is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise NotCvat("The server answered with something that CVAT never says; is the address right?") from None


def failure(server: Server, answer: Answer, method: str, path: str, secrets: Sequence[str]) -> CvatError:
    """What an error answer means; ``secrets`` are starred out of the server's own words."""
    name, url, reason = server.name, server.url, _reason(answer, secrets)
    match answer.status:
        case 301 | 302 | 303 | 307 | 308:
            parts = urlsplit(answer.headers.get("location", ""))
            there = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another page"
            return Redirected(f"{url} leads on to {there}; put the address of CVAT itself in the settings.")
        case 401:
            return WrongLogin(f"CVAT {name} doesn't take this login ({reason}); check the token or the password.")
        case 403:
            return Forbidden(
                f"CVAT {name} doesn't allow {_doing(method)} here ({reason}); the account needs that right, and an "
                "access token must not be read-only."
            )
        case 404 if "organization" in reason:
            return Missing(f"CVAT {name} has no organization of that name ({reason}); check the short name.")
        case 404:
            return Missing(f"CVAT {name} no longer has this ({reason}).")
        case 409:
            return Busy(f"CVAT {name} is at this already; try again in a moment.")
        case 410:
            return Rejected(f"This version of CVAT {name} doesn't have {method} {path} any more.")
        case 429:
            return Busy(f"CVAT {name} wants fewer requests; try again in a few minutes.")
        case status if status >= 500:
            return ServerFailed(f"CVAT {name} broke on {method} {path} ({status}); its log says why.")
    return Rejected(f"CVAT {name} refuses {method} {path}: {reason}")


def _reason(answer: Answer, secrets: Sequence[str]) -> str:
    """The server's own words, short, without markup or secrets."""
    text = answer.body[:20_000].decode("utf-8", errors="replace").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None if text.startswith("<") else text
    text = _flat(value)[:300] or f"status {answer.status}"
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def tls_sentence(url: str, error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"The certificate of {url} isn't trusted; give its authority as ca, or verify = false if you know the "
            "network."
        )
    return f"{url} doesn't speak TLS there; is it http:// or another port?"


def _doing(method: str) -> str:
    return "reading" if method in ("GET", "HEAD") else "deleting" if method == "DELETE" else "writing"


def _flat(value: object) -> str:
    """The texts in an error's JSON, whatever its form."""
    if isinstance(value, dict):
        return "; ".join(filter(None, (_flat(one) for one in value.values())))
    if isinstance(value, list):
        return "; ".join(filter(None, (_flat(one) for one in value)))
    return " ".join(str(value).split()) if value is not None else ""
