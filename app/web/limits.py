"""Bounds on what is sent: guesses of a token, the URL, the headers, the body."""

import hashlib
import ipaddress
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

MAX_URL = 32 << 10
MAX_HEADERS = 48 << 10
MAX_BODY = 32 << 20  # JSON becomes objects of many times its size
MAX_RAW = 256 << 20  # application/octet-stream: pixels, which stay what they are
MAX_CALL = 1 << 20  # from a program that is known by its signature alone, and that is looked at after the body came
GUESSES = 10  # wrong tokens from one address
WINDOW = 60.0  # seconds for which they count
ADDRESSES = 10_000  # remembered at once
_UPLOADS = re.compile(
    r"/api/v1/datasets/[^/]+/(imports|cvat/files)"
)  # bounded by the setting, and written to disk as they come


class Guesses:
    """Wrong tokens by address. One that is sent again counts once: a browser with an old cookie isn't guessing; and
    who got in from an address before still does, whatever others try from there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, dict[bytes, float]] = OrderedDict()
        self._right: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def wait(self, address: str, secret: str) -> int:
        """Seconds until this address may try ``secret``; 0: now."""
        place, digest = _place(address), _digest(secret)
        with self._lock:
            if (place, digest) in self._right:
                return 0
            now = self._clock()
            tried = {one: at for one, at in self._wrong.get(place, {}).items() if now - at < WINDOW}
            if len(tried) < GUESSES:
                return 0
            return max(1, int(min(tried.values()) + WINDOW - now) + 1)

    def note(self, address: str, secret: str, right: bool) -> None:
        """Remember how a try ended."""
        place, digest = _place(address), _digest(secret)
        with self._lock:
            if right:
                self._right[place, digest] = None
                _bound(self._right)
                return
            now = self._clock()
            tried = {one: at for one, at in self._wrong.pop(place, {}).items() if now - at < WINDOW}
            self._wrong[place] = tried | {digest: now}
            _bound(self._wrong)


def refusal(scope: Scope) -> tuple[HTTPStatus, str] | None:
    """Why the request's head, or the body that it announces, is too large, or None."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(scope["path"]) + len(scope["query_string"]) > MAX_URL:
        return HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {MAX_URL:,} bytes; shorten what is asked."
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS:
        sentence = f"The headers are longer than {MAX_HEADERS:,} bytes; clear this site's cookies."
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence
    announced = next((value for name, value in headers if name == b"content-length"), b"0")
    most = _most(scope)
    if most is not None and announced.isdigit() and (len(announced) > 18 or int(announced) > most):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(most)
    return None


def bounded(scope: Scope, receive: Receive) -> Receive:
    """``receive`` that ends with 413 where more comes than may, announced or not."""
    most = _most(scope)
    if most is None:
        return receive
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(most))
        return message

    return counted


def _most(scope: Scope) -> int | None:
    """The most bytes that the body may have; None where the route itself bounds it."""
    if _UPLOADS.fullmatch(scope["path"]):
        return None
    if scope["path"].startswith("/hooks/"):
        return MAX_CALL
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return MAX_RAW if kind.split(b";")[0].strip() == b"application/octet-stream" else MAX_BODY


def _too_large(most: int) -> str:
    return f"The body is larger than {most >> 20} MiB; send less at once."


def _place(address: str) -> str:
    """Of an IPv6 address the network, which one machine has whole."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 and not ip.is_loopback else str(ip)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _bound(entries: OrderedDict[str, dict[bytes, float]] | OrderedDict[tuple[str, bytes], None]) -> None:
    if len(entries) > ADDRESSES:
        entries.popitem(last=False)
