"""Every request gets an id, is measured and noted: what was asked, how it was answered, how long it took."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import REQUEST
from app.web.metrics import Metrics

log = logging.getLogger(__name__)
HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_NOT_OURS = "other"  # a path that no route takes, and a method that isn't HTTP's: a stranger can't make more figures
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Watch:
    """ASGI middleware, the outermost. A request's own ``X-Request-ID`` is kept where it is a plain one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        said = Headers(scope=scope).get(HEADER, "")
        id = said if _ID.fullmatch(said) else uuid4().hex
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = id
            await send(message)

        held, started = REQUEST.set(id), time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - started)
            REQUEST.reset(held)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"] if scope["method"] in _METHODS else _NOT_OURS, _route(scope)
        self._metrics.observe(method, route, status, seconds)
        # Without the query: it may hold what people search for, and once held a token.
        facts = {"method": method, "route": route, "path": scope["path"], "status": status}
        log.info("%s %s", method, scope["path"], extra=facts | {"milliseconds": round(1000 * seconds, 1)})


def _route(scope: Scope) -> str:
    """The template of the path that took the request: of a route its own, behind the prefix of its router; of a mounted
    folder its root."""
    template = getattr(scope.get("route"), "path_format", None)
    if template is None:
        return str(scope.get("root_path")) or _NOT_OURS
    told = template.format_map(scope["path_params"])
    return str(scope["path"].removesuffix(told) + template)
