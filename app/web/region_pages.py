"""The page of suspected regions: cards, the likeliest wrong first, over all masks of a data set."""

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from app.domain.detector.region import Reason
from app.domain.errors import Invalid
from app.store import jobs, region_browse
from app.store.region_browse import Filter
from app.store.tables import Dataset
from app.web import region_shapes, shapes
from app.web.deps import AfterId, Owner, Read
from app.web.templating import render

PAGE = 24
PAIRS = 16  # pairs of classes to choose from, the commonest
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class BadFilter(Invalid):
    """A filter that says nothing sensible."""


@router.get("/d/{dataset}/regions")
def listed(
    request: Request,
    session: Read,
    owner: Owner,
    reason: str = "",
    pair: str = "",
    min: str = "",
    after: AfterId = None,
    part: str = "",
) -> Response:
    """``pair``: class ids given and seen, as ``0-4``; ``min``: least probability; empty values filter nothing."""
    filter = _read(reason, pair, min)
    found = region_shapes.cards(session, owner, filter, after, PAGE + 1)
    query = {name: value for name, value in (("reason", reason), ("pair", pair), ("min", min)) if value}
    context: dict[str, Any] = {
        "dataset": shapes.dataset(session, owner),
        "cards": found[:PAGE],
        "next": found[PAGE - 1]["id"] if len(found) > PAGE else None,
        "query": query,
    }
    if part == "cards":
        return render(request, "_regions.html", **context)
    return render(
        request,
        "regions.html",
        active="regions",
        total=region_browse.count(session, owner.id, filter),
        judged=bool(found) or jobs.last_done(session, owner.id, "crossval") is not None,
        weak=any(one["weak"] for one in found),
        likely=_likely(session, owner, filter),
        reasons=region_browse.reasons(session, owner.id, filter),
        pairs=region_browse.pairs(session, owner.id, filter, PAIRS),
        **context,
    )


def _likely(session: Session, owner: Dataset, filter: Filter) -> list[tuple[str, int]]:
    """Least probabilities to choose from, with the regions that have them."""
    levels = ("0.9", "0.7", "0.5", "0.3")
    return [
        (
            level,
            region_browse.count(
                session, owner.id, Filter(filter.reason, filter.from_class, filter.to_class, float(level))
            ),
        )
        for level in levels
    ]


def _read(reason: str, pair: str, least: str) -> Filter:
    """Raises BadFilter."""
    if reason and reason not in list(Reason):
        raise BadFilter(f"Reason {reason[:40]!r} is none of {', '.join(Reason)}.")
    classes = re.fullmatch(r"(\d{1,5})-(\d{1,5})", pair, re.ASCII)
    if pair and classes is None:
        raise BadFilter("pair has to be two class ids with a dash between, the given one first, as in 0-4.")
    if least and re.fullmatch(r"0?\.\d{1,6}|0|1|1\.0", least, re.ASCII) is None:
        raise BadFilter("min has to be a number from 0 to 1.")
    given, seen = (int(classes[1]), int(classes[2])) if classes else (None, None)
    return Filter(reason or None, given, seen, float(least) if least else None)
