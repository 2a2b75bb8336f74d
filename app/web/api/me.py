"""Who decides: the name that decisions are saved under."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.domain.actor import person
from app.domain.errors import RemaskError
from app.flows import queue
from app.web.deps import REVIEWER, Db, Reviewer, holder

router = APIRouter(tags=["me"])
_FOR_A_YEAR = 31_536_000


class Named(RemaskError):
    """The name can't be chosen."""

    status = 403
    title = "Not allowed"


class Me(BaseModel):
    name: str = Field(min_length=1, max_length=120, pattern=r"\S", examples=["Ada"])


@router.get("/me")
def me(actor: Reviewer) -> Me:
    """The name in force: the token's, else header X-Reviewer's (percent-encoded), else the cookie's, else the system
    user's."""
    return Me(name=actor.name)


@router.put("/me")
def put_me(request: Request, db: Db, body: Me, response: Response, actor: Reviewer) -> Me:
    """Keep another name in this browser's cookie. Refused where the token has a name."""
    if holder(request).name is not None:
        raise Named("Your name comes from your token; ask whoever runs the server to change it.")
    name = person(body.name).name
    queue.rename(db, actor, person(name))
    response.set_cookie(
        REVIEWER,
        quote(name, safe=""),
        max_age=_FOR_A_YEAR,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Me(name=name)
