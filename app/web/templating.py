"""Jinja: one environment, escaping on, and the few words and numbers that templates say."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.paths import STATIC, TEMPLATES
from app.web.deps import holder, reviewer
from app.web.tokens import NOBODY

_WORDS = {"at_cvat": "at CVAT"}
_CHECKS = {
    "shared_mask": "one mask on different pictures",
    "duplicate_image": "the same picture again",
    "foreign_image": "a picture that does not belong",
    "unusual_mask": "specks, holes, rare shapes",
    "bad_image": "blank, clipped, dark, blurred",
    "imprecise_mask": "objects missing, outlines drawn carelessly",
}
_DONE = {
    "keep": "kept",
    "exclude": "excluded",
    "include": "taken back in",
    "restore": "restored a mask of",
    "reject": "rejected a proposal for",
    "edit": "drew a mask for",
    "cvat": "took from CVAT",
    "accept": "took the model's word in regions of",
    "keep_regions": "kept regions of",
    "undo": "undone",
}


def words(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def url(dataset: str, *path: object, **query: object) -> str:
    """The URL of a dataset's page; empty query values are left out."""
    steps = "/".join(quote(str(step), safe="") for step in (dataset, *path))
    asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"/d/{steps}" + (f"?{asked}" if asked else "")


@cache
def static(name: str) -> str:
    """The URL of a file of ours, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


def percent(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return "<0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def batch_title(entry: dict[str, Any]) -> str:
    what = _DONE.get(entry["verb"], entry["verb"])
    count = f"{entry['count']:,} {'sample' if entry['count'] == 1 else 'samples'}"
    return f"{what[0].upper()}{what[1:]} {count}"


def _moment(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M UTC")


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(url=url, static=static, dataset=None, active="", datasets=[])
    made.filters.update(
        words=words,
        about_check=lambda name: _CHECKS.get(name, ""),
        thousands=lambda n: f"{n:,}",
        counted=lambda count: f"{count.number:,}{'+' if count.more else ''}",
        score=lambda value: "" if value is None else f"{value:.2f}",
        percent=percent,
        moment=_moment,
        day=lambda iso: iso[:10],
        batch_title=batch_title,
    )
    return made


environment = _environment()


def render(request: Request, name: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page. ``at`` is the time that it tells of. What is marked ``data-needs="admin"`` or ``"reviewer"`` hides from
    who has less than that role; ``named``: the token says who that is, so the name can't be changed."""
    context.setdefault("at", now())
    who = holder(request)
    shown = environment.get_template(name).render(
        reviewer=reviewer(request), role="" if who is NOBODY else who.role.word, named=who.name is not None, **context
    )
    return HTMLResponse(shown, status_code=status, headers={"Cache-Control": "no-store"})
