"""The filter in a URL: the same names on the grid, on a sample's page and in the API."""

from typing import Annotated

from fastapi import Depends, Query

from app.flows.filters import made
from app.store.browse import Filter


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
    """The filter that the query asks for; an empty value is none, as forms send it. Raises filters.BadFilter."""
    texts = {"status": ",".join(status or ()), "check": check, "class": class_, "split": split, "min": min, "max": max}
    return made(texts | {"q": q, "group": group, "key": key, "flagged": flagged, "sort": sort})


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
