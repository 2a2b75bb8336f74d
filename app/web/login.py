"""Signing in: a token becomes a cookie, so that it stands in no URL after the first."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.web import access, errors
from app.web.limits import Guesses
from app.web.templating import render
from app.web.tokens import Tokens, cookie_value

router = APIRouter(include_in_schema=False)
_QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@router.get("/login")
def ask(request: Request, token: str = "") -> Response:
    """The form; or, with a token in the URL, what sending the form gives."""
    return _enter(request, token) if token or not _tokens(request) else render(request, "login.html")


@router.post("/login")
def enter(request: Request, token: Annotated[str, Form(max_length=1000)] = "") -> Response:
    return _enter(request, token)


def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.tokens
    return tokens


def _enter(request: Request, token: str) -> Response:
    """A redirect to the start with the cookie that proves ``token``."""
    guesses: Guesses = request.app.state.guesses
    address = request.client.host if request.client is not None else ""
    home = RedirectResponse("/", 303, headers=_QUIET)
    if not _tokens(request):
        return home
    if wait := guesses.wait(address, token):
        return access.too_many(request, wait)
    known = _tokens(request).by_token(token) is not None
    guesses.note(address, token, known)
    if not known:
        return errors.problem(request, 401, "Wrong token", "This token is none of this server's.", _QUIET)
    secure = request.url.scheme == "https"
    home.set_cookie(access.COOKIE, cookie_value(token), httponly=True, samesite="strict", secure=secure)
    return home
