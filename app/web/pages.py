"""The pages: HTML with its first content in it; what the browser does beyond that is in static/."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.domain.formats import registry
from app.domain.status import Status
from app.flows import remaining
from app.store import browse, groups, history, imports, jobs, leases, samples, summary
from app.store.browse import Filter
from app.store.tables import Dataset
from app.web import run_shapes, shapes
from app.web.deps import Owner, Read
from app.web.filters import Filters, as_query
from app.web.templating import now, render, url, words

PAGE = 60
STACKS = 3  # flagged groups on top of the grid, the largest
COUNTED_SET = 100_000  # samples
QUEUE = 50_000  # samples that one walk through the set holds, as static/queue.js has it
PART = 5_000  # of them that come at once
SORTS = (("worst", "worst first"), ("region", "likeliest region first"), ("key", "key"), ("newest", "newest first"))
EXPORTS = (
    ("npz", "NPZ", "The course layout: one array of images and masks"),
    ("folder", "Folder", "Images, index PNGs and the class list"),
    ("coco", "COCO", "Run-length encoded, background as a category"),
    ("voc", "Pascal VOC", "Palette PNGs and a label map"),
    ("cvat-datumaro", "CVAT: Datumaro 1.0", "The best of the four for a trip to CVAT by hand"),
    ("cvat-images", "CVAT for images 1.1", "One XML; import it into a task, not a project"),
    ("cvat-coco", "CVAT: COCO 1.0", "Run-length encoded"),
    ("cvat-masks", "CVAT: Segmentation mask 1.1", "Switch “Convert masks to polygons” off there"),
)
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def home(request: Request, session: Read) -> Response:
    listed = shapes.all_datasets(session)
    demo = any(one["name"] == "demo" for one in listed)
    return render(request, "home.html", datasets=listed, has_demo=demo, formats=_formats())


@router.get("/help/keys")
def keys(request: Request) -> Response:
    return render(request, "keys.html")


@router.get("/d/{dataset}")
def overview(request: Request, session: Read, owner: Owner) -> Response:
    at = now()  # before the counting: what ends meanwhile is news to the page
    counted = shapes.overview(session, owner)
    step = counted["next"] or {}
    return render(
        request,
        "overview.html",
        active="overview",
        at=at,
        dataset=shapes.dataset(session, owner),
        summary=counted,
        statuses=list(counted["status"].items()),
        checks=sorted(counted["flags"].items(), key=lambda item: -item[1]),
        pixels=sum(one["pixels"] for one in counted["classes"]),
        thumbs=shapes.thumbs(session, owner, step.get("samples", [])),
        outlook=run_shapes.outlook(session, owner),
    )


@router.get("/d/{dataset}/samples")
def grid(request: Request, session: Read, owner: Owner, filter: Filters, after: str = "", part: str = "") -> Response:
    page = browse.page(session, owner.id, filter, after or None, PAGE)
    context: dict[str, Any] = {
        "active": "samples",
        "dataset": shapes.dataset(session, owner),
        "tiles": shapes.rows(session, owner, page.rows, filter),
        "next": page.next,
        "query": as_query(filter),
    }
    if part == "tiles":
        return render(request, "_tiles.html", **context)
    group = groups.find(session, filter.group) if filter.group is not None else None
    context |= {
        "total": _total(session, owner, filter, page, after),
        "chips": _chips(owner, filter, context["dataset"]["classes"]),
        "group": _card(session, owner, group) if group else None,
        "stacks": _stacks(session, owner, filter),
        "sorts": SORTS,
        "sort": filter.sort,
        "ratio": _ratio(page.rows),
    }
    if part == "results":
        return render(request, "_results.html", **context)
    return render(request, "grid.html", **context, facets=_facets(session, owner, context["dataset"]["classes"]))


@router.get("/d/{dataset}/queue")
def queue(session: Read, owner: Owner, filter: Filters, after: str = "") -> Response:
    """The ids that a walk through this filter goes along, fixed when it starts: decisions don't shift it; they come in
    parts, the first without ``after``. The newest batch then, so that what others decide later can be passed over; and
    which are there by chance alone."""
    part = remaining.part(session, owner.id, filter, after or None, PART, QUEUE)
    newest = leases.newest_batch(session)
    walk = {"batch": newest, "ids": part.ids, "random": sorted(part.random), "next": part.next}
    return JSONResponse(walk, headers={"Cache-Control": "no-store"})


@router.get("/d/{dataset}/samples/{sample}")
def sample(request: Request, session: Read, owner: Owner, sample: int, filter: Filters) -> Response:
    one = samples.find(session, sample)
    if one.dataset_id != owner.id:
        raise NotFound(f"There is no sample {sample} in {owner.name}.")
    before, previous, following = browse.place(session, owner.id, filter, sample)
    total = browse.count_up_to(session, owner.id, filter)
    query = as_query(filter)

    def at(row: browse.Row | None) -> str | None:
        return url(owner.name, "samples", row.sample.id, **query) if row else None

    return render(
        request,
        "sample.html",
        active="samples",
        dataset=shapes.dataset(session, owner),
        sample=shapes.sample(session, owner, one),
        position=None if before is None else before + 1,
        total=total if before is None else replace(total, number=max(before + 1, total.number)),
        prev=at(previous),
        next=at(following),
        prev_id=previous.sample.id if previous else None,
        back=url(owner.name, "samples", **query),
        query=query,
    )


@router.get("/d/{dataset}/groups/{group}")
def group(session: Read, owner: Owner, group: int) -> Response:
    row = groups.find(session, group)
    if row.dataset_id != owner.id:
        raise NotFound(f"There is no group {group} in {owner.name}.")
    return RedirectResponse(url(owner.name, "samples", group=group), status_code=307)


@router.get("/d/{dataset}/history")
def past(request: Request, session: Read, owner: Owner, after: int | None = None) -> Response:
    found = history.entries(session, owner.id, after)
    return render(
        request,
        "history.html",
        active="history",
        dataset=shapes.dataset(session, owner),
        batches=[shapes.batch(entry) for entry in found],
        next=found[-1].batch.id if len(found) == 50 else None,
    )


@router.get("/d/{dataset}/imports")
def imported(request: Request, session: Read, owner: Owner) -> Response:
    reports = [shapes.report(session, row) for row in imports.of_dataset(session, owner.id)]
    shown = shapes.dataset(session, owner)
    return render(request, "imports.html", active="imports", dataset=shown, imports=reports, formats=_formats())


@router.get("/d/{dataset}/imports/{id}")
def report(request: Request, session: Read, owner: Owner, id: int) -> Response:
    row = imports.find(session, id)
    if row.dataset_id != owner.id:
        raise NotFound(f"There is no import {id} in {owner.name}.")
    running = [
        job
        for job in jobs.recent(session, owner.id)
        if job.kind in ("import", "demo") and job.state in ("queued", "running")
    ]
    return render(
        request,
        "import.html",
        active="imports",
        dataset=shapes.dataset(session, owner),
        report=shapes.report(session, row),
        job=running[0].id if running and row.seconds is None else None,
    )


@router.get("/d/{dataset}/classes")
def classes(request: Request, session: Read, owner: Owner) -> Response:
    return render(request, "classes.html", active="classes", dataset=shapes.dataset(session, owner))


@router.get("/d/{dataset}/export")
def export(request: Request, session: Read, owner: Owner) -> Response:
    status = summary.by_status(session, owner.id)
    return render(
        request,
        "export.html",
        active="export",
        dataset=shapes.dataset(session, owner),
        total=sum(status.values()),
        kept=sum(status.values()) - status[Status.EXCLUDED],
        formats=EXPORTS,
    )


def _formats() -> list[str]:
    return ["auto", *(one.NAME for one in registry.FORMATS)]


def _facets(
    session: Session, owner: Dataset, listed: list[dict[str, Any]]
) -> dict[str, list[tuple[object, str, int | None]]]:
    """What can be chosen at the left: (value, text, samples). The flags of a set of more than COUNTED_SET samples
    aren't counted."""
    status = summary.by_status(session, owner.id)
    splits = summary.by_split(session, owner.id)
    checks: dict[str, int | None] = {}
    if sum(status.values()) > COUNTED_SET:
        checks |= dict.fromkeys(summary.checks(session, owner.id))
    else:
        checks |= summary.by_check(session, owner.id)
    return {
        "status": [(name, words(name), n) for name, n in status.items() if n],
        "check": [(name, words(name), n) for name, n in checks.items()],
        "class": [(one["id"], one["name"], None) for one in listed],
        "split": [(name, name, n) for name, n in splits.items()] if len(splits) > 1 else [],
    }


def _total(session: Session, owner: Dataset, filter: Filter, page: browse.Page, after: str) -> browse.Count:
    """Samples that match, as far as they are counted; a page that holds them all has counted them."""
    if page.next is None and not after:
        return browse.Count(len(page.rows))
    return browse.count_up_to(session, owner.id, filter)


def _chips(owner: Dataset, filter: Filter, listed: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What narrows the grid, each with the URL that takes it away."""
    query = as_query(filter)
    names = {str(one["id"]): one["name"] for one in listed}
    texts: dict[str, Callable[[str], str]] = {
        "status": words,
        "check": words,
        "class": lambda id: f"has {names.get(id, id)}",
        "split": lambda name: f"split {name}",
        "min": lambda low: f"score from {low}",
        "max": lambda high: f"score to {high}",
        "q": lambda text: f"“{text}” in the key",
        "group": lambda id: f"group {id}",
        "key": lambda key: key,
        "flagged": lambda on: "flagged" if on == "1" else "not flagged",
    }
    gone_with = {"check": ("min", "max")}
    chips = []
    for name, text in texts.items():
        if name in query:
            left = {other: value for other, value in query.items() if other not in (name, *gone_with.get(name, ()))}
            chips.append({"text": text(query[name]), "url": url(owner.name, "samples", **left)})
    return chips


def _stacks(session: Session, owner: Dataset, filter: Filter) -> list[dict[str, Any]]:
    """Flagged groups on top of the grid, where nothing else narrows it than their check or status."""
    if (
        filter.group is not None
        or filter.q
        or filter.class_id is not None
        or filter.split
        or filter.status not in ((), ("flagged",))
    ):
        return []
    found = groups.of_dataset(session, owner.id, filter.check, flagged=True)
    found.sort(key=lambda row: -row.size)
    cards = [_card(session, owner, row) for row in found[: 2 * STACKS] if row.size > 2 or filter.check]
    return [card for card in cards if card["open"]][:STACKS]


def _card(session: Session, owner: Dataset, row: Any) -> dict[str, Any]:
    card = shapes.group(session, row, shown=3)
    return {**card, "thumbs": shapes.thumbs(session, owner, card["samples"])}


def _ratio(rows: Sequence[browse.Row]) -> str:
    """The shape of the tiles: the one of a few that is nearest to the first picture's."""
    if not rows:
        return "4-3"
    wide = rows[0].image.width / rows[0].image.height
    near = {"2-1": 2.0, "16-9": 16 / 9, "4-3": 4 / 3, "1-1": 1.0, "3-4": 0.75}
    return min(near, key=lambda name: abs(near[name] - wide))
