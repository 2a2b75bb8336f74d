"""Errors as answers, mapped in one place: problem+json (RFC 9457) to programs, a page to people."""

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.domain.errors import RemaskError
from app.store.blobs import Damaged
from app.store.faults import is_away, is_locked, out_of_range, trouble
from app.web.templating import render

log = logging.getLogger(__name__)
_FOR_PROGRAMS = ("/api/", "/media/", "/hooks/", "/openapi.json", "/healthz", "/metrics")


def problem(
    request: Request, status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """The answer to a request that failed: problem+json to programs, else a page."""
    if not request.url.path.startswith(_FOR_PROGRAMS):
        page = render(request, "error.html", status, error={"title": title, "detail": detail})
        page.headers.update(headers or {})
        return page
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(
        json.dumps(body),
        status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours: the log gets the traceback, the person a sentence."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    if isinstance(error, Damaged):
        detail = "Stored bytes of this sample no longer match their hash; check the disk and restore a backup."
        return problem(request, 500, "Damaged data", detail)
    if is_locked(error):
        detail = "The database was busy for too long; try again."
        return problem(request, 503, "Busy", detail, {"Retry-After": "2"})
    if is_away(error):
        detail = "The database server doesn't answer; try again in a moment."
        return problem(request, 503, "Database away", detail, {"Retry-After": "5"})
    if out_of_range(error):
        detail = "There is no such thing: a number is too large or a text too long, or holds a NUL character."
        return problem(request, 422, "Invalid input", detail)
    if sentence := trouble(error):
        return problem(request, 503, "Database can't be used", sentence, {"Retry-After": "60"})
    return problem(request, 500, "Something went wrong", "This is a fault in the program; its log has the details.")


def install(app: FastAPI) -> None:
    """Let ``app`` answer every kind of error by the functions above."""

    @app.exception_handler(RemaskError)
    def on_remask(request: Request, error: RemaskError) -> Response:
        again = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
        return problem(request, error.status, error.title, str(error), again)

    @app.exception_handler(RequestValidationError)
    def on_validation(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"field": _field(one), "message": _plain(one["msg"])} for one in error.errors()]
        first = wrong[0]
        detail = f"{first['field']}: {first['message']}." if first["field"] else f"{first['message']}."
        return problem(request, 422, "Invalid input", detail, errors=wrong)

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        if error.status_code == 404:
            detail = f"There is nothing at {request.url.path}."
        elif error.status_code == 405:
            detail = f"{request.url.path} doesn't take {request.method}."
        else:
            detail = str(error.detail)
        return problem(request, error.status_code, title, detail, dict(error.headers or {}))


def _field(wrong: dict[str, Any]) -> str:
    """Where it is; of a body that isn't JSON, which has no fields, the place of the character."""
    if wrong["type"] == "json_invalid":
        return f"character {wrong['loc'][-1]}"
    return ".".join(str(step) for step in wrong["loc"] if step not in ("query", "path", "body", "header"))


def _plain(message: str) -> str:
    if message == "Extra inputs are not permitted":
        return "there is no such field"
    if message == "JSON decode error":
        return "the body isn't JSON"
    return message.removeprefix("Value error, ").rstrip(".")
