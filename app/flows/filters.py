"""A filter from texts: the same names in the address of a page, in the API and on the command line."""

import math
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from app.domain.checks.registry import CHECKS
from app.domain.errors import Invalid
from app.domain.splits import HELD_OUT, SHARES
from app.domain.status import Status
from app.store.browse import SORTS, Filter

NAMES = ("status", "check", "class", "split", "min", "max", "q", "group", "key", "flagged", "sort")


class BadFilter(Invalid):
    """A filter that says nothing sensible."""


def parse(text: str) -> Filter:
    """``check=imprecise_mask&min=0.5``, as it stands behind the question mark of a page's address. Raises BadFilter."""
    values = parse_qs(text, keep_blank_values=True)
    if unknown := [name for name in values if name not in NAMES]:
        raise BadFilter(f"A filter knows no {unknown[0]!r}; it has {', '.join(NAMES)}, joined by &.")
    return made({name: ",".join(several) for name, several in values.items()})


def made(texts: Mapping[str, str]) -> Filter:
    """The filter of these texts by name; an empty one is none, as forms send it. Raises BadFilter."""
    told = {name: texts.get(name, "") for name in NAMES}
    statuses = tuple(one for one in told["status"].split(",") if one)
    if unknown := set(statuses) - set(Status):
        raise BadFilter(f"Status {sorted(unknown)[0]!r} is none of {', '.join(Status)}.")
    check = known_check(told["check"])
    _among(told["sort"], "sort", [*SORTS, *(one.name for one in CHECKS)])
    _among(told["flagged"], "flagged", ["0", "1"])
    _among(told["split"], "split", [*SHARES, HELD_OUT, "none"])
    low, high = _share(told["min"], "min"), _share(told["max"], "max")
    if (low is not None or high is not None) and not check:
        raise BadFilter("min and max need a check whose score they are about.")
    return Filter(
        status=statuses,
        check=check,
        class_id=_whole(told["class"], "class"),
        split=told["split"] or None,
        min=low,
        max=high,
        q=told["q"] or None,
        group=_whole(told["group"], "group"),
        key=told["key"] or None,
        flagged=told["flagged"] == "1" if told["flagged"] else None,
        sort=told["sort"] or "worst",
    )


def known_check(name: str | None) -> str | None:
    """The name of a check; None for none, or an empty one. Raises BadFilter for a name that no check has."""
    _among(name or "", "check", [one.name for one in CHECKS])
    return name or None


def _among(value: str, name: str, known: Sequence[str]) -> None:
    if value and value not in known:
        raise BadFilter(f"{name} {value[:80]!r} is none of {', '.join(known)}.")


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
