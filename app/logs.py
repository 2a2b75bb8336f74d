"""What the program says while it runs: plain lines, or one JSON document a line, with the request and the job that a
line is about. No secret is ever in one: those that the environment holds are struck out of whatever is written."""

import json
import logging
import os
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO
from urllib.parse import unquote, urlsplit

Kind = Literal["plain", "json"]

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
JOB: ContextVar[int | None] = ContextVar("job", default=None)
_SECRET_NAMES = re.compile(r"(REMASK|AWS|PG)_?.*(TOKEN|SECRET|PASSWORD|KEY|KEY_ID)")
_SHORTEST = 6  # a shorter one would strike out half of the words
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def begin(kind: Kind, out: TextIO | None = None) -> None:
    """Write log lines, those of libraries too, to ``out`` (None: stderr) from now on: warnings where they are plain,
    requests and jobs too where they are JSON."""
    handler = logging.StreamHandler(out)
    secrets = secrets_of(os.environ.items())
    handler.setFormatter(_Json(secrets) if kind == "json" else _Plain(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("app").setLevel(logging.INFO if kind == "json" else logging.WARNING)


def adopt(name: str) -> None:
    """Let a library that brings its own way of writing lines use ours."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True


def secrets_of(environment: Iterable[tuple[str, str]]) -> list[str]:
    """The values that must not be shown, the longest first: those of variables whose name says so, and the passwords
    within URLs."""
    found = set()
    for name, value in environment:
        if _SECRET_NAMES.fullmatch(name.upper()):
            found.add(value)
        elif "://" in value and (password := _password(value)):
            found |= {password, unquote(password)}
    return sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


class _Plain(logging.Formatter):
    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return _struck(super().format(record), self._secrets)


class _Json(logging.Formatter):
    """``time``, ``level``, ``logger``, ``message``; ``request`` and ``job`` where there is one; what the line was given
    as ``extra``; ``error`` with the traceback."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in (("request", REQUEST.get()), ("job", JOB.get())):
            if value is not None:
                said[name] = value
        said |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        # Secrets are struck out of the values, before quotes and backslashes in them are written otherwise.
        plain = {name: _struck(one, self._secrets) if isinstance(one, str) else one for name, one in said.items()}
        return json.dumps(plain, ensure_ascii=False, default=str)


def _struck(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
