"""Tokens: who a secret belongs to and what it allows. Only hashes are kept and compared, in constant time."""

import hashlib
import hmac
import logging
import stat
from dataclasses import dataclass
from pathlib import Path

from app.domain.actor import person
from app.domain.errors import RemaskError
from app.settings import Settings
from app.web.roles import Role

log = logging.getLogger(__name__)
SHORTEST = 16
_RULE = "each line is a name, a role (viewer, reviewer or admin) and a token, with spaces between"


class BadTokens(RemaskError):
    """A token file that can't be trusted or read."""


@dataclass(frozen=True)
class Holder:
    """Who has a token. ``name`` is None for the one of the settings, whose holders say who they are themselves."""

    name: str | None
    role: Role


NOBODY = Holder("nobody", Role.VIEWER)


@dataclass(frozen=True)
class _Key:
    holder: Holder
    token: bytes  # sha256
    cookie: bytes  # sha256 of the cookie's value


class Tokens:
    """All tokens in force: that of REMASK_TOKEN (an admin's) and those of the file REMASK_TOKENS. False where there is
    none: then whoever reaches the server may do everything.

    The file is read again once it has changed, so that whoever is struck out is out with the next request; where it
    can't be read then, what was read before stays in force and the log says why. Raises BadTokens at first.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp = _stamp(settings.tokens)
        self._known = _keys(settings)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def _keys(self) -> list[_Key]:
        stamp = _stamp(self._settings.tokens)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._known = _keys(self._settings)
            except BadTokens as error:
                log.error("%s The tokens that were read before stay in force.", error)
        return self._known

    def by_token(self, token: str) -> Holder | None:
        digest = _hash(token)
        return self._find([(key.token, key) for key in self._keys], digest)

    def by_cookie(self, value: str) -> Holder | None:
        digest = _hash(value)
        return self._find([(key.cookie, key) for key in self._keys], digest)

    @staticmethod
    def _find(known: list[tuple[bytes, _Key]], digest: bytes) -> Holder | None:
        found = None
        for one, key in known:  # all of them, so that the time doesn't tell which one it was
            if hmac.compare_digest(one, digest):
                found = key.holder
        return found


def _keys(settings: Settings) -> list[_Key]:
    said = [(Holder(None, Role.ADMIN), settings.token)] if settings.token else []
    if settings.tokens is not None:
        said += _read(settings.tokens)
    if len({token for _, token in said}) < len(said):
        raise BadTokens(f"{settings.tokens} gives one token to two people; make another one.")
    return [_Key(holder, _hash(token), _hash(cookie_value(token))) for holder, token in said]


def _stamp(path: Path | None) -> tuple[int, ...]:
    """Changes with the file, even where an editor puts another one in its place."""
    try:
        found = path.stat() if path else None
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode) if found else ()


def cookie_value(token: str) -> str:
    """What the browser keeps: proves that the token was known without holding it."""
    return hmac.new(token.encode(), b"remask cookie", hashlib.sha256).hexdigest()


def _read(path: Path) -> list[tuple[Holder, str]]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadTokens(f"The token file {path} can't be read: {getattr(error, 'strerror', None) or error}.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadTokens(f"Others on this machine may read the token file {path}; say: chmod 600 {path}")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    said = [_holder(path, number, line) for number, line in lines if line and not line.startswith("#")]
    if not said:
        raise BadTokens(f"The token file {path} holds no token: {_RULE}.")
    return said


def _holder(path: Path, number: int, line: str) -> tuple[Holder, str]:
    """One line. The token itself is never part of a message."""
    parts = line.rsplit(None, 2)
    roles = {role.word: role for role in Role}
    if len(parts) != 3 or parts[1] not in roles:
        raise BadTokens(f"Line {number} of {path} can't be read: {_RULE}.")
    if len(parts[2]) < SHORTEST:
        raise BadTokens(f"The token in line {number} of {path} is shorter than {SHORTEST} characters; make another.")
    return Holder(person(parts[0]).name, roles[parts[1]]), parts[2]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
