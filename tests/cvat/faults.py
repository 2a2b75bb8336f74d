"""Faults that a stand-in server can have. None of those that aren't plain error answers is in any recording: they are
synthesised here, from what networks and proxies are known to do."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """``*_done``: the server has acted on the request and its answer is lost."""

    RESET = "reset while the request is read"
    RESET_DONE = "reset_done"
    HANG = "hang"
    CUT_DONE = "answer cut in the middle"
    SLOW_DONE = "answer byte by byte"
    HTML = "a proxy's page"
    REDIRECT = "redirect to TLS"
    E401 = "401"
    E403 = "403"
    E404 = "404"
    E409 = "409"
    E410 = "410"
    E429 = "429"
    E500 = "500"
    E502 = "502"
    E500_DONE = "500 after the deed"

    @property
    def status(self) -> int | None:
        """The status of a plain error answer."""
        return int(self.name[1:4]) if self.name.startswith("E") else None


# The server's own words, recorded where a recording has them; 429, 500 and 502 are synthesised.
WORDS: dict[int, tuple[str, bytes]] = {
    401: ("application/vnd.cvat+json", b'{"detail": "Invalid token."}'),
    403: ("application/vnd.cvat+json", b'{"detail": "You do not have permission to perform this action."}'),
    404: ("application/vnd.cvat+json", b'{"detail": "No Task matches the given query."}'),
    409: ("application/vnd.cvat+json", b'{"rq_id": "action=export&target=task&target_id=59"}'),
    410: ("text/plain", b"This endpoint is no longer supported."),
    429: ("application/vnd.cvat+json", b'{"detail": "Request was throttled."}'),
    500: ("text/html", b"<!doctype html><h1>Server Error (500)</h1>"),
    502: ("text/html", b"<html><h1>502 Bad Gateway</h1></html>"),
}


@dataclass
class Plan:
    """The ``nth`` call (from 1) goes wrong, and the ``times - 1`` that follow."""

    nth: int
    fault: Fault
    times: int = 1

    def at(self, call: int) -> Fault | None:
        return self.fault if self.nth <= call < self.nth + self.times else None
