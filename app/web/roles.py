"""Roles: what a request needs, by its method and path. What this table doesn't name needs the most."""

import re
from enum import IntEnum


class Role(IntEnum):
    """Each may do what those below it may."""

    VIEWER = 1
    REVIEWER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


SAFE = ("GET", "HEAD", "OPTIONS")
# Reached without a token: they hold no data, or prove by a signature of their own who sends them.
OPEN = re.compile(r"/static/.*|/login|/healthz|/hooks/.*")
_API = "/api/v1"
_ONE = "[^/]+"
# Requests that only ask, though by POST: what they ask for is too long for a URL.
_ASKING = re.compile(rf"{_API}/datasets/{_ONE}/status")
# Decisions and their undoing, edits, drafts, the reviewer's own name. All else that changes something is the admin's:
# imports, classes, checks, trainings, exports, CVAT, cancelling.
_REVIEWING = re.compile(
    rf"{_API}/("
    rf"(samples|regions|revisions|drafts)(/.*)?"
    rf"|datasets/{_ONE}/(decisions|next|regions(/.*)?)"
    rf"|batches/{_ONE}/undo"
    rf"|me"
    rf")"
)


def needed(method: str, path: str) -> Role:
    """The least role that may send ``method`` to ``path`` (a request's own path, or a route's template)."""
    if method in SAFE or _ASKING.fullmatch(path):
        return Role.VIEWER
    return Role.REVIEWER if _REVIEWING.fullmatch(path) else Role.ADMIN
