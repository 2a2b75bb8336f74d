"""One HTTP connection to a CVAT server: every call has a timeout and a bounded number of tries.

Plain HTTP and not CVAT's SDK: the SDK's objects cost three times the request itself, it has no timeout, and it breaks
on servers whose version isn't its own. Redirects are never followed, so credentials reach the configured address only.
"""

import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from app.cvat.errors import (
    BadServer,
    CvatError,
    NotCvat,
    Rejected,
    TlsFailed,
    Unreachable,
    WrongLogin,
)
from app.cvat.failures import Answer, failure, tls_sentence
from app.cvat.servers import Server

JSON = "application/json"
_ACCEPT = "application/vnd.cvat+json, application/json;q=0.9, */*;q=0.1"
_TRY_AGAIN = frozenset((429, 500, 502, 503, 504))
_SAFE_TO_REPEAT = frozenset(("GET", "HEAD", "PUT", "DELETE"))
_MAX_ANSWER = 4 << 30
_LOG = logging.getLogger(__name__)
Query = Sequence[tuple[str, str | int]]


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for a connection, for the next bytes, for a whole answer, and between tries."""

    connect: float = 10.0
    read: float = 60.0
    whole: float = 900.0
    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 20.0


class Connection:
    """Calls to one server. ``sleep`` and ``clock`` are there so that tests need no time."""

    def __init__(
        self,
        server: Server,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server = server
        self.patience = patience or Patience()
        self.sleep = sleep
        self.clock = clock
        context = _context(server) if server.url.startswith("https:") else None
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=4, ssl_context=context, retries=False)
        self._login: str | None = None

    def close(self) -> None:
        self._pool.clear()

    def get(self, path: str, query: Query = ()) -> Any:
        return self.call("GET", path, query=query).json()

    def send(self, method: str, path: str, value: object, *, repeat: bool | None = None) -> Any:
        """A JSON value, and the JSON that comes back."""
        return self.call(method, path, body=json.dumps(value).encode(), content_type=JSON, repeat=repeat).json()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | None = None,
        login: bool = True,
    ) -> Answer:
        """One call, tried again where that can do no harm. ``repeat``: whether a second arrival of the same request is
        harmless; by default so for GET, HEAD, PUT and DELETE.

        Raises a CvatError; an answer that comes back has a status below 300.
        """
        target = quote(path, safe="/%") + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": _ACCEPT, "Accept-Encoding": "gzip", **(headers or {})}
        if content_type:
            sent["Content-Type"] = content_type
        if self.server.organization is not None:
            sent["X-Organization"] = self.server.organization
        repeat = method in _SAFE_TO_REPEAT if repeat is None else repeat
        renewed = False
        for left in reversed(range(self.patience.tries)):
            if login:
                sent["Authorization"] = self._authorization()
            pause: float | None = None
            try:
                answer = self._once(method, target, body, sent)
            except CvatError as error:
                harmless = repeat or isinstance(error, _NeverSent)
                if not left or isinstance(error, TlsFailed) or not harmless:
                    raise
                reason = type(error).__name__
            else:
                if answer.status < 300:
                    if answer.headers.get("content-type", "").startswith("text/html"):
                        raise NotCvat(
                            f"A web page answers in place of CVAT at {self.server.url}; is there a proxy or a sign-in "
                            "page in between?"
                        )
                    return answer
                if answer.status == 401 and login and self.server.token is None and not renewed and left:
                    self._login, renewed = None, True  # the key of a password login has run out
                    continue
                if not left or answer.status not in _TRY_AGAIN or not (repeat or answer.status == 429):
                    raise failure(self.server, answer, method, path, self._secrets())
                reason, pause = str(answer.status), _retry_after(answer)
            usual = self.patience.first_wait * 2 ** (self.patience.tries - 1 - left)
            wait = min(pause if pause is not None else usual, self.patience.longest_wait)
            _LOG.info("CVAT %s: %s %s: %s, again in %.1f s", self.server.name, method, path, reason, wait)
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def local(self, url: str) -> str:
        """The path of an absolute URL that the server built from what it takes for its own name."""
        parts, prefix = urlsplit(url), urlsplit(self.server.url).path
        return parts.path.removeprefix(prefix) if prefix else parts.path

    def _authorization(self) -> str:
        if self.server.authorization is not None:
            return self.server.authorization
        if self._login is None:
            self._login = f"Token {self._log_in()}"
        return self._login

    def _secrets(self) -> list[str]:
        return [*self.server.secrets, *(self._login.split()[-1:] if self._login else [])]

    def _log_in(self) -> str:
        password = self.server.password
        credentials = {"username": self.server.user, "password": password.get_secret_value() if password else ""}
        body = json.dumps(credentials).encode()
        try:
            answer = self.call("POST", "/api/auth/login", body=body, content_type=JSON, repeat=True, login=False)
        except Rejected:
            raise WrongLogin(f"CVAT {self.server.name} doesn't take this user and password; check both.") from None
        found = answer.json()
        if not isinstance(found, dict) or not isinstance(found.get("key"), str):
            raise NotCvat(f"The login of {self.server.url} isn't CVAT's; is the address right?")
        return str(found["key"])

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        timeout = urllib3.Timeout(connect=self.patience.connect, read=self.patience.read)
        until = self.clock() + self.patience.whole
        server = self.server.url
        try:
            response = self._pool.urlopen(
                method,
                server + target,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                data = bytearray()
                while chunk := response.read1(1 << 18):
                    data += chunk
                    if self.clock() > until or len(data) > _MAX_ANSWER:
                        raise Unreachable(f"CVAT at {server} took too long over one answer; try again later.")
                whole = {name.lower(): value for name, value in response.headers.items()}
                self._check_length(method, response.status, whole, len(data))
                return Answer(response.status, whole, bytes(data))
            except BaseException:
                response.close()
                raise
            finally:
                response.release_conn()
        except SSLError as error:
            raise TlsFailed(tls_sentence(server, error)) from None
        except NameResolutionError:
            raise _NeverSent(f"The host name in {server} doesn't exist; check the address.") from None
        except (NewConnectionError, ConnectTimeoutError):
            raise _NeverSent(f"Nothing answers at {server}; is the address right and the server running?") from None
        except (HTTPError, OSError) as error:
            cause = "answers too slowly" if "imed out" in str(error) else "broke the connection off"
            raise Unreachable(f"CVAT at {server} {cause}; try again later.") from None

    def _check_length(self, method: str, status: int, headers: Mapping[str, str], got: int) -> None:
        """A body that breaks off cleanly looks whole; its stated length tells."""
        stated = headers.get("content-length", "")
        whole = method == "HEAD" or status in (204, 304) or "content-encoding" in headers
        if stated.isdigit() and int(stated) != got and not whole:
            raise Unreachable(f"CVAT at {self.server.url} broke the connection off; try again later.")


class _NeverSent(Unreachable):
    """No connection, so the server can't have acted on the request."""


def _context(server: Server) -> ssl.SSLContext:
    if not server.verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        urllib3.disable_warnings(InsecureRequestWarning)  # somebody chose it, in writing
        return context
    try:
        return ssl.create_default_context(cafile=str(server.ca) if server.ca else None)
    except (OSError, ssl.SSLError):
        raise BadServer(f"CVAT server {server.name}: {server.ca} is no file of certificates (PEM).") from None


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None
