"""The page of suggested masks: ask a model, read what it is worth, accept in bulk."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.domain.classes import Role
from app.flows.suggest import METHODS
from app.store import datasets, runs, suggestions
from app.web import shapes, suggestion_shapes
from app.web.deps import Owner, Read
from app.web.templating import render

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/d/{dataset}/suggestions")
def suggested(request: Request, session: Read, owner: Owner) -> Response:
    found = suggestion_shapes.of_dataset(session, owner)
    asked = suggestions.models_run(session, owner.id)
    return render(
        request,
        "suggestions.html",
        active="runs",
        dataset=shapes.dataset(session, owner),
        suggestings=found,
        newest=next((one for one in found if one["result"]), None),
        waiting=suggestions.count_waiting(session, owner.id),
        usual=asked.id if asked else None,
        runs=[one for one in runs.of_dataset(session, owner.id) if one.result],
        methods=METHODS,
        classes=[one.name for one in datasets.classes(session, owner).classes if one.role is not Role.VOID],
    )
