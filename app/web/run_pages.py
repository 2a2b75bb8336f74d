"""The pages of training: the runs of a data set, the form that starts one, one run, several side by side."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from app.domain.errors import Invalid, NotFound
from app.store import runs as rows
from app.store.tables import Dataset, Run
from app.web import comparison_pages, run_shapes, shapes, suggestion_pages
from app.web.deps import MAX_ID, Config, Owner, Read
from app.web.templating import render

FEWEST, MOST = 2, 4  # runs side by side
FIGURES = (
    ("miou", "Mean IoU", "Over the foreground classes; false alarms on background count."),
    (
        "miou_on_foreground",
        "Mean IoU on foreground",
        "Only where the given mask shows foreground; says nothing of false alarms.",
    ),
    ("miou_all", "Mean IoU with background", "Background counted as a class."),
    ("accuracy", "Pixel accuracy", "Share of pixels that are right."),
    (
        "foreground_precision",
        "Foreground precision",
        "Of what is painted as a class, how much is it; mean over classes.",
    ),
    ("foreground_recall", "Foreground recall", "Of what is a class, how much is found; mean over classes."),
    ("background_accuracy", "Background accuracy", "Share of the given background that is left as background."),
    ("boundary_f", "Boundary F-score", "How well the outlines lie."),
    ("calibration_error", "Calibration error", "How far its confidence is from being right; 0 is best."),
)
MAIN = ("epochs", "width", "class_balance")  # the keys that stand in the open
NOISY = 0.5  # mean IoU below which predictions say little of single regions
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router.include_router(comparison_pages.router)
router.include_router(suggestion_pages.router)


@router.get("/d/{dataset}/runs")
def listed(
    request: Request, session: Read, settings: Config, owner: Owner, compare: Annotated[tuple[str, ...], Query()] = ()
) -> Response:
    """All runs; with ``?compare=1,2``, those side by side."""
    shown = shapes.dataset(session, owner)
    if chosen := _ids(compare):
        found = [run_shapes.full(session, settings.home, _run(session, owner, id)) for id in chosen]
        if other := next((one["id"] for one in found if one["kind"] != "train"), None):
            raise Invalid(f"Run {other} is a search for imprecise masks; only trainings are compared.")
        return render(
            request,
            "compare_runs.html",
            active="runs",
            dataset=shown,
            runs=found,
            figures=FIGURES,
            differing=_differing(found),
        )
    found = run_shapes.of_dataset(session, owner)
    outlook = run_shapes.outlook(session, owner)
    return render(request, "runs.html", active="runs", dataset=shown, runs=found, outlook=outlook)


@router.get("/d/{dataset}/train")
def train(
    request: Request,
    session: Read,
    settings: Config,
    owner: Owner,
    like: Annotated[int | None, Query(alias="from", ge=1, le=MAX_ID)] = None,
) -> Response:
    """The form; ``?from=3`` fills it in as run 3 was."""
    run = _run(session, owner, like) if like is not None else None
    options = run_shapes.training(session, settings.home, owner, run)
    by_key = {one["key"]: one for one in options["keys"]}
    by_group: dict[str, list[dict[str, Any]]] = {"": [by_key[key] for key in MAIN]}
    for one in options["keys"]:
        if one["key"] not in MAIN:
            by_group.setdefault(one["group"], []).append(one)
    return render(
        request,
        "train.html",
        active="runs",
        dataset=shapes.dataset(session, owner),
        options=options,
        groups=by_group,
        like=run_shapes.of_one(session, run) if run else None,
        rounds=run_shapes.rounds_like(run),
    )


@router.get("/d/{dataset}/runs/{run}")
def one_run(request: Request, session: Read, settings: Config, owner: Owner, run: int) -> Response:
    row = _run(session, owner, run)
    return render(
        request,
        "crossval.html" if row.kind == "crossval" else "run.html",
        active="runs",
        dataset=shapes.dataset(session, owner),
        run=run_shapes.full(session, settings.home, row),
        figures=FIGURES,
        noisy=NOISY,
        others=[one for one in run_shapes.of_dataset(session, owner) if one["id"] != run and one["miou"] is not None],
    )


def _run(session: Session, owner: Dataset, id: int) -> Run:
    run = rows.find(session, id) if 0 < id <= MAX_ID else None
    if run is None or run.dataset_id != owner.id:
        raise NotFound(f"There is no run {id} in {owner.name}.")
    return run


def _ids(compare: Sequence[str]) -> list[int]:
    """The ids in ``?compare=1,2`` or ``?compare=1&compare=2``, each once. Raises Invalid."""
    texts = [text.strip() for one in compare for text in one.split(",") if text.strip()]
    if not texts:
        return []
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
        raise Invalid("Runs are compared by their numbers: ?compare=1,2.")
    found = list(dict.fromkeys(int(text) for text in texts))
    if not FEWEST <= len(found) <= MOST:
        raise Invalid(f"Choose two to four runs to compare, not {len(found)}.")
    return found


def _differing(found: list[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """What the runs were told differently: key, value of each."""
    asked = [
        {
            "arm": one["arm"],
            "snapshot": (one["snapshot"] or {}).get("hash", "")[:10],
            "rounds": max(0, len(one["rounds"]) - 1),
            **one["config"],
        }
        for one in found
    ]
    return [
        (key, [one.get(key) for one in asked])
        for key in asked[0]
        if any(one.get(key) != asked[0][key] for one in asked)
    ]
