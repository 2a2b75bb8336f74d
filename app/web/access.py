"""Who may ask: Host and Origin are checked, off loopback a token is needed whose role allows what is asked, and every
answer carries strict headers."""

import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import RemaskError
from app.settings import Settings
from app.web import errors, limits
from app.web.roles import OPEN, SAFE, Role, needed
from app.web.tokens import NOBODY, Holder, Tokens

COOKIE = "remask_token"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MACHINES = "/hooks/"  # programs elsewhere send here, without Origin; a signature proves who they are
EVERYBODY = Holder(None, Role.ADMIN)  # where there is no token at all
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Exposed(RemaskError):
    """The settings would show the data to a network without a secret."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_exposure(settings: Settings) -> Tokens:
    """The tokens in force. Raises Exposed where the address is not loopback and none is set, and BadTokens."""
    if not is_loopback(settings.host) and not settings.token and settings.tokens is None:
        raise Exposed(
            f"Serving on {settings.host} would let everybody on the network in; set REMASK_TOKEN to a long secret, or "
            "REMASK_TOKENS to a file of them, or serve on 127.0.0.1."
        )
    return Tokens(settings)


class Guard:
    """ASGI middleware: refuses what may not pass, answers what went wrong further in, adds the headers."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens, guesses: limits.Guesses) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens
        self._guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope, receive)
        request.state.holder = NOBODY
        try:
            if refusal := self._refusal(request):
                return await refusal(scope, receive, send_with_headers)
            await self._app(scope, limits.bounded(scope, receive), send_with_headers)
        except Exception as error:
            if started:
                raise
            await errors.unexpected(request, error)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if why := limits.refusal(request.scope):
            return errors.problem(request, why[0], why[0].phrase, why[1])
        host = request.headers.get("host", "")
        path = request.url.path
        if not self._is_our_host(host):
            detail = f"This server doesn't answer for {host!r}; open it as {self._settings.host}:{self._settings.port}."
            return errors.problem(request, 421, "Misdirected request", detail)
        if "\0" in path or b"%00" in request.scope["query_string"]:
            return errors.problem(request, 400, "Bad request", "A URL can't hold the character NUL.")
        forgeable = request.method not in SAFE and not path.startswith(MACHINES)
        if forgeable and (why_not := self._forged(request, host)):
            return errors.problem(request, 403, "Forbidden", why_not)
        return self._stranger(request) or self._overstepping(request)

    def _stranger(self, request: Request) -> Response | None:
        """The answer to who has no token that is known; else ``request.state.holder`` tells whose it is."""
        if not self._tokens:
            request.state.holder = EVERYBODY
            return None
        secret = self._bearer(request.headers)
        by_header = secret is not None
        secret = secret if secret is not None else _cookie(request.headers)
        address = request.client.host if request.client is not None else ""
        wait = 0 if secret is None else self._guesses.wait(address, secret)
        if secret is not None and not wait:
            found = self._tokens.by_token(secret) if by_header else self._tokens.by_cookie(secret)
            self._guesses.note(address, secret, found is not None)
            request.state.holder = found or NOBODY
        if request.state.holder is not NOBODY or OPEN.fullmatch(request.url.path):
            return None
        if wait:
            return too_many(request, wait)
        detail = "A token is needed: enter it at /login, or send it as Authorization: Bearer."
        return errors.problem(request, 401, "Token needed", detail, {"WWW-Authenticate": "Bearer"})

    @staticmethod
    def _overstepping(request: Request) -> Response | None:
        """The answer to who asks for more than the token's role allows."""
        least = needed(request.method, request.url.path)
        holder: Holder = request.state.holder
        if holder.role >= least or OPEN.fullmatch(request.url.path):
            return None
        have = holder.role.word
        detail = f"This needs the role {least.word}, and your token gives {have}; ask whoever runs the server."
        return errors.problem(request, 403, "Not allowed", detail)

    def _is_our_host(self, host: str) -> bool:
        """Loopback names and the configured host, with the port. Serving on every address, any name will do: the
        token keeps strangers out, and its cookie isn't sent under another name."""
        if self._settings.host in ("0.0.0.0", "::") and self._tokens:  # noqa: S104
            return True
        try:
            parts = urlsplit(f"//{host}")
            port = parts.port
        except ValueError:
            return False
        return parts.hostname in (*LOOPBACK, self._settings.host.lower()) and (port or 80) == self._settings.port

    def _forged(self, request: Request, host: str) -> str | None:
        """Why an unsafe request may come from another site's page, or None."""
        origin = request.headers.get("origin")
        if origin is not None:
            ours = origin in (f"http://{host}", f"https://{host}")
            return None if ours else f"The request comes from a page of {origin!r}, not from this server's own."
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json" and _has_body(request):
            return "Without an Origin header only JSON is taken; send Origin with this server's own address."
        from_here = request.client is not None and is_loopback(request.client.host)
        if not from_here and self._bearer(request.headers) is None:
            return "Without an Origin header the token has to be sent as Authorization: Bearer."
        return None

    @staticmethod
    def _bearer(headers: Headers) -> str | None:
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        return value.strip().encode("latin-1").decode("utf-8", "surrogateescape")  # headers are read as Latin-1


def too_many(request: Request, wait: int) -> Response:
    """The answer to an address that has tried too many wrong tokens."""
    detail = f"Too many wrong tokens came from your address; try again in {wait} seconds."
    return errors.problem(request, 429, "Too many attempts", detail, {"Retry-After": str(wait)})


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
