"""The connection test: one sentence that says what is right, or what is wrong and what to do about it."""

import re
from dataclasses import dataclass

from app.cvat.answers import need, optional
from app.cvat.connection import Connection
from app.cvat.errors import CvatError, Forbidden, Missing, NotCvat, Rejected, WrongLogin, WrongVersion

# Measured: 2.17 and 2.54, the latter with SDKs up to 2.80.
OLDEST = (2, 17)
NEWEST_TESTED = (2, 80)
_NAME = "Computer Vision Annotation Tool"


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
        user = need(connection.get("/api/users/self"), "username", str)
        connection.get("/api/projects", [("page_size", 1)])
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


def _read_only(connection: Connection) -> bool:
    """Older servers know no access tokens, and the key of a password login is none."""
    try:
        return optional(connection.get("/api/auth/access_tokens/self"), "read_only", bool) is True
    except (Missing, Rejected, Forbidden):
        return False
