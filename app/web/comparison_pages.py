"""The pages of "Did it help?": comparisons of a data set with the form that starts one, and one of them."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.domain.errors import NotFound
from app.flows.compare import MOST_SEEDS
from app.store import comparisons as rows
from app.web import comparison_shapes, run_shapes, shapes
from app.web.deps import MAX_ID, Config, Owner, Read
from app.web.templating import render

SHOWN = ("epochs", "width", "class_balance")  # the keys that the form asks for; the others suit the set
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/d/{dataset}/comparisons")
def listed(request: Request, session: Read, settings: Config, owner: Owner) -> Response:
    found = comparison_shapes.of_dataset(session, owner)
    options = run_shapes.training(session, settings.home, owner)
    return render(
        request,
        "comparisons.html",
        active="runs",
        dataset=shapes.dataset(session, owner),
        comparisons=found,
        newest=next((one for one in found if one["sentence"]), None),
        options=options,
        keys=[one for name in SHOWN for one in options["keys"] if one["key"] == name],
        most_seeds=MOST_SEEDS,
    )


@router.get("/d/{dataset}/comparisons/{comparison}")
def one(request: Request, session: Read, owner: Owner, comparison: int) -> Response:
    row = rows.find(session, comparison) if 0 < comparison <= MAX_ID else None
    if row is None or row.dataset_id != owner.id:
        raise NotFound(f"There is no comparison {comparison} in {owner.name}.")
    found = comparison_shapes.full(session, row)
    return render(
        request,
        "comparison.html",
        active="runs",
        dataset=shapes.dataset(session, owner),
        comparison=found,
        seeds=_by_seed(found),
    )


def _by_seed(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a seed: seed, and the run of each side."""
    return [
        {"seed": one["seed"], "before": one, "after": other}
        for one in found["runs"]
        for other in found["runs"]
        if (one["side"], other["side"]) == ("before", "after") and one["seed"] == other["seed"]
    ]
