"""What checks found: flags, worst first, and groups of samples that belong together."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.flows.filters import known_check
from app.store import flags, groups
from app.web import shapes
from app.web.deps import AfterId, Id, Limit, Owner, Read

router = APIRouter(tags=["findings"])
OfCheck = Annotated[str | None, Query(max_length=40, description="Only this check's.", examples=["shared_mask"])]


class FlagRow(BaseModel):
    """An open flag."""

    sample: str = Field(description="Key of the sample.")
    id: int = Field(description="Id of the sample.")
    flag: int = Field(description="Id of the flag: `after` of the page behind it.")
    check: str
    score: float
    group: int | None
    reason: str


class GroupOut(BaseModel):
    """Samples that belong together."""

    id: int
    check: str
    size: int
    score: float
    flagged: bool
    reason: str
    title: str
    samples: list[int] = Field(description="Ids of the first eight.")
    open: int = Field(description="Samples still flagged for it and not excluded.")


@router.get("/datasets/{dataset}/flags")
def open_flags(
    request: Request,
    response: Response,
    session: Read,
    owner: Owner,
    check: OfCheck = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> list[FlagRow]:
    """Open flags, worst first. Where there are more, the header `Link` names the next page."""
    found = flags.open_flags(session, owner.id, known_check(check), limit + 1, after)
    if len(found) > limit:
        following = request.url.include_query_params(after=found[limit - 1][0].id)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return [
        FlagRow(
            sample=sample.key,
            id=sample.id,
            flag=flag.id,
            check=flag.check,
            score=flag.score,
            group=flag.group_id,
            reason=flag.reason,
        )
        for flag, sample in found[:limit]
    ]


@router.get("/datasets/{dataset}/groups")
def groups_of_dataset(session: Read, owner: Owner, check: OfCheck = None, flagged: bool = False) -> list[GroupOut]:
    """Groups, the most suspicious first."""
    found = groups.of_dataset(session, owner.id, known_check(check), flagged)
    return [GroupOut(**shapes.group(session, row)) for row in found]


@router.get("/groups/{group}")
def one_group(session: Read, group: Id) -> GroupOut:
    """One group; its samples: `/datasets/{dataset}/samples?group=`."""
    row = groups.find(session, group)
    return GroupOut(**shapes.group(session, row))
