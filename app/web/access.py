"""Who may ask: Host and Origin are checked, off loopback a token is needed, and every answer carries strict headers."""

import hashlib
import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import RemaskError
from app.settings import Settings
from app.web import errors
from app.web.deps import Config, reviewer

COOKIE = "remask_token"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN = ("/static/", "/login")  # needed to show that a token is missing; they hold no data
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


def check_exposure(settings: Settings) -> None:
    """Raises Exposed where the address is not loopback and no token is set."""
    if not is_loopback(settings.host) and not settings.token:
        raise Exposed(
            f"Serving on {settings.host} would let everybody on the network in; set REMASK_TOKEN to a long secret, "
            "or serve on 127.0.0.1."
        )


class Guard:
    """ASGI middleware: refuses what may not pass, answers what went wrong further in, adds the headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

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
        request.state.reviewer = reviewer(request)
        try:
            if refusal := self._refusal(request):
                return await refusal(scope, receive, send_with_headers)
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            await errors.unexpected(request, error)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._is_our_host(host):
            detail = f"This server doesn't answer for {host!r}; open it as {self._settings.host}:{self._settings.port}."
            return errors.problem(request, 421, "Misdirected request", detail)
        if "\0" in request.url.path or b"%00" in request.scope["query_string"]:
            return errors.problem(request, 400, "Bad request", "A URL can't hold the character NUL.")
        if request.method not in _SAFE and (why := self._forged(request, host)):
            return errors.problem(request, 403, "Forbidden", why)
        if not request.url.path.startswith(_OPEN) and not self._knows_token(request.headers):
            detail = "A token is needed: open /login?token=... once, or send it as Authorization: Bearer."
            return errors.problem(request, 401, "Token needed", detail, {"WWW-Authenticate": "Bearer"})
        return None

    def _is_our_host(self, host: str) -> bool:
        """Loopback names and the configured host, with the port. Serving on every address, any name will do: the
        token keeps strangers out, and its cookie isn't sent under another name."""
        if self._settings.host in ("0.0.0.0", "::") and self._settings.token:  # noqa: S104
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

    def _knows_token(self, headers: Headers) -> bool:
        token = self._settings.token
        if not token:
            return True
        bearer = self._bearer(headers)
        if bearer is not None:
            return hmac.compare_digest(bearer.encode("latin-1"), token.encode())  # headers are read as Latin-1
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), cookie_value(token).encode())

    @staticmethod
    def _bearer(headers: Headers) -> str | None:
        kind, _, value = headers.get("authorization", "").partition(" ")
        return value.strip() if kind.lower() == "bearer" else None


def cookie_value(token: str) -> str:
    """What the browser keeps: proves the token was known without holding it."""
    return hmac.new(token.encode(), b"remask cookie", hashlib.sha256).hexdigest()


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


router = APIRouter(include_in_schema=False)


@router.get("/login")
def login(request: Request, settings: Config, token: str = "") -> Response:
    """Swap the token in the URL for a cookie, once."""
    if not settings.token:
        return RedirectResponse("/", 303)
    if not hmac.compare_digest(token.encode(), settings.token.encode()):
        detail = "This is not the token that the server was started with."
        return errors.problem(request, 401, "Wrong token", detail)
    answer = RedirectResponse("/", 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, cookie_value(settings.token), httponly=True, samesite="strict", secure=secure)
    return answer
