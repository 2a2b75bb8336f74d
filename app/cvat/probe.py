"""The connection test: one sentence that says what is right, or what is wrong and what to do about it."""

import re
from dataclasses import dataclass
from typing import Any

from app.cvat.answers import need, optional, results
from app.cvat.connection import Connection
from app.cvat.errors import CvatError, Forbidden, Missing, NotCvat, Rejected, WrongLogin, WrongVersion

# Measured: 2.17 and 2.54, the latter with SDKs up to 2.80.
OLDEST = (2, 17)
NEWEST_TESTED = (2, 80)
_NAME = "Computer Vision Annotation Tool"
_WORKER, _ADMIN = "worker", "admin"


@dataclass(frozen=True)
class Version:
    text: str
    number: tuple[int, int]


@dataclass(frozen=True)
class Probe:
    """The outcome of a test; ``version`` and ``user`` as far as it got."""

    good: bool
    sentence: str
    version: Version | None = None
    user: str | None = None


def version(connection: Connection) -> Version:
    """The server's version, asked without a login. Raises NotCvat, Unreachable, TlsFailed, Redirected."""
    url = connection.server.url
    try:
        about = connection.call("GET", "/api/server/about", login=False).json()
    except (Missing, Rejected, NotCvat, Forbidden, WrongLogin):
        raise NotCvat(f"Something answers at {url}, and it isn't CVAT; check address and port.") from None
    text = need(about, "version", str)
    found = re.match(r"(\d+)\.(\d+)", text)
    if optional(about, "name", str) != _NAME or not found:
        raise NotCvat(f"Something answers at {url}, and it isn't CVAT; check address and port.")
    return Version(text, (int(found[1]), int(found[2])))


def check_version(found: Version) -> None:
    """Raises WrongVersion."""
    if found.number < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise WrongVersion(f"CVAT {found.text} is too old; {oldest} is the oldest that works. Update the server.")
    if found.number[0] > NEWEST_TESTED[0]:
        raise WrongVersion(f"CVAT {found.text} is too new for this Remask; update Remask.")


def probe(connection: Connection) -> Probe:
    """Tries address, TLS, version, login, organization and rights, in that order; never raises a CvatError."""
    seen: Version | None = None
    user: str | None = None
    try:
        seen = version(connection)
        check_version(seen)
        me = connection.get("/api/users/self")
        user = need(me, "username", str)
        connection.get("/api/projects", [("page_size", 1)])
        if lacks := _lacking(connection, me, user):
            return Probe(False, lacks, seen, user)
        if connection.server.token is not None and _read_only(connection):
            return Probe(
                False,
                f"The token of {user} is read-only: pulling works, pushing doesn't; make one that may write.",
                seen,
                user,
            )
    except CvatError as error:
        return Probe(False, str(error), seen, user)
    note = "" if seen.number <= NEWEST_TESTED else ", a version newer than any tested here"
    return Probe(True, f"Connected to CVAT {seen.text} as {user}{note}.", seen, user)


def _lacking(connection: Connection, me: Any, user: str) -> str:
    """The right to make a project, where the account plainly hasn't got it: nothing is made to find out. Workers, be it
    of the server or of the organization, only fix what is given to them (https://docs.cvat.ai/docs/account_management/).
    """
    groups, slug = optional(me, "groups", list), connection.server.organization
    if groups == [_WORKER]:
        return (
            f"{user} may not make projects on CVAT {connection.server.name}; its administrator has to make it a user."
        )
    if not slug or _ADMIN in (groups or ()):
        return ""
    try:
        found = list(results(connection.get("/api/memberships", [("user", user)])))
    except (Missing, Rejected, Forbidden):
        return ""
    if [optional(one, "role", str) for one in found] == [_WORKER]:
        return f"{user} may not make projects in organization {slug}; its owner has to make it a supervisor."
    return ""


def _read_only(connection: Connection) -> bool:
    """Older servers know no access tokens, and the key of a password login is none."""
    try:
        return optional(connection.get("/api/auth/access_tokens/self"), "read_only", bool) is True
    except (Missing, Rejected, Forbidden):
        return False
