"""The filter in a URL: the same names on the grid, on a sample's page and in the API."""

import math
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

from app.domain.checks.registry import CHECKS
from app.domain.errors import Invalid
from app.domain.splits import HELD_OUT, SHARES
from app.domain.status import Status
from app.store.browse import SORTS, Filter


class BadFilter(Invalid):
    """A filter that says nothing sensible."""


def read_filter(
    status: Annotated[list[str] | None, Query(description="Label status; give it again for several.")] = None,
    check: Annotated[
        str, Query(description="Samples that this check flags; with min or max, any that it scored.")
    ] = "",
    class_: Annotated[str, Query(alias="class", description="Samples whose mask holds this class id.")] = "",
    split: Annotated[str, Query(description="train, val, test, or none for samples without a split.")] = "",
    min: Annotated[str, Query(description="Lowest score of the check, 0..1.")] = "",
    max: Annotated[str, Query(description="Highest score of the check, 0..1.")] = "",
    q: Annotated[str, Query(description="Text in the key.")] = "",
    group: Annotated[str, Query(description="Members of this group.")] = "",
    key: Annotated[str, Query(description="The whole key of one sample.")] = "",
    flagged: Annotated[str, Query(description="1: with an open flag; 0: without one.")] = "",
    sort: Annotated[str, Query(description="worst, key, newest, or a check, by whose score to sort.")] = "",
) -> Filter:
    """The filter that the query asks for; an empty value is none, as forms send it. Raises BadFilter."""
    statuses = tuple(one for part in status or () for one in part.split(",") if one)
    if unknown := set(statuses) - set(Status):
        raise BadFilter(f"Status {sorted(unknown)[0]!r} is none of {', '.join(Status)}.")
    checks = [one.name for one in CHECKS]
    _among(check, "check", checks)
    _among(sort, "sort", [*SORTS, *checks])
    _among(split, "split", [*SHARES, HELD_OUT, "none"])
    low, high = _share(min, "min"), _share(max, "max")
    if (low is not None or high is not None) and not check:
        raise BadFilter("min and max need a check whose score they are about.")
    return Filter(
        status=statuses,
        check=check or None,
        class_id=_whole(class_, "class"),
        split=split or None,
        min=low,
        max=high,
        q=q or None,
        group=_whole(group, "group"),
        key=key or None,
        flagged={"": None, "0": False, "false": False}.get(flagged, True),
        sort=sort or "worst",
    )


def _among(value: str, name: str, known: Sequence[str]) -> None:
    if value and value not in known:
        raise BadFilter(f"{name} {value[:80]!r} is none of {', '.join(known)}.")


Filters = Annotated[Filter, Depends(read_filter)]


def as_query(filter: Filter) -> dict[str, str]:
    """The query parameters that say this filter, without what is left at its default."""
    values: dict[str, object] = {
        "status": ",".join(filter.status),
        "check": filter.check,
        "class": filter.class_id,
        "split": filter.split,
        "min": filter.min,
        "max": filter.max,
        "q": filter.q,
        "group": filter.group,
        "key": filter.key,
        "flagged": None if filter.flagged is None else int(filter.flagged),
        "sort": None if filter.sort == "worst" else filter.sort,
    }
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value not in (None, "")
    }


def _share(text: str, name: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 <= value <= 1:
        raise BadFilter(f"{name} has to be a number from 0 to 1.")
    return value


def _whole(text: str, name: str) -> int | None:
    try:
        value = int(text) if text else None
    except ValueError:
        value = -1
    if value is not None and not 0 <= value < 1 << 63:
        raise BadFilter(f"{name} has to be a whole number.")
    return value
