"""The pages of the trip to CVAT: batches with what is asked, receipts, and conflicts."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.domain.errors import NotFound, RemaskError
from app.settings import Settings
from app.store import cvat, receipts, samples
from app.store.tables import CvatPull
from app.web import cvat_shapes, shapes
from app.web.deps import MAX_ID, Config, Owner, Read
from app.web.templating import render, url

LINES = 40
REGIONS = 200
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/d/{dataset}/cvat")
def overview(request: Request, session: Read, settings: Config, owner: Owner) -> Response:
    found, trouble = _servers(settings)
    return render(
        request,
        "cvat.html",
        active="cvat",
        dataset=shapes.dataset(session, owner),
        servers=found,
        trouble=trouble,
        batches=cvat_shapes.batches(session, owner),
        questions=[cvat_shapes.question(one) for one in receipts.questions(session, owner.id)],
        home=str(settings.home / "cvat.toml"),
    )


@router.get("/d/{dataset}/cvat/batches/{batch}")
def pulls(request: Request, session: Read, owner: Owner, batch: int) -> Response:
    row = cvat.find(session, batch) if 0 < batch <= MAX_ID else None
    if row is None or row.dataset_id != owner.id:
        raise NotFound(f"There is no CVAT batch {batch} in {owner.name}.")
    return render(
        request,
        "cvat_batch.html",
        active="cvat",
        dataset=shapes.dataset(session, owner),
        batch=cvat_shapes.one_batch(session, row),
        receipts=[cvat_shapes.receipt(session, one) for one in receipts.of_batch(session, batch)],
    )


@router.get("/d/{dataset}/cvat/receipts/{receipt}")
def receipt(request: Request, session: Read, owner: Owner, receipt: int, outcome: str = "", start: int = 0) -> Response:
    row: CvatPull | None = receipts.find(session, receipt) if 0 < receipt <= MAX_ID else None
    if row is None or cvat.find(session, row.batch_id).dataset_id != owner.id:
        raise NotFound(f"There is no receipt {receipt} in {owner.name}.")
    wanted = outcome if outcome in receipts.OUTCOMES else None
    start = min(max(0, start), MAX_ID)
    told = cvat_shapes.receipt(session, row)
    lines = cvat_shapes.lines(session, row, wanted, start, LINES)
    whole = told["counts"][wanted] if wanted else sum(told["counts"].values())
    after = start + len(lines)
    return render(
        request,
        "receipt.html",
        active="cvat",
        dataset=shapes.dataset(session, owner),
        receipt=told,
        lines=lines,
        outcome=wanted or "",
        more=url(owner.name, "cvat", "receipts", receipt, outcome=wanted, start=after) if after < whole else None,
        whole=whole,
    )


@router.get("/d/{dataset}/samples/{sample}/conflict")
def conflict(request: Request, session: Read, owner: Owner, sample: int) -> Response:
    one = samples.find(session, sample) if 0 < sample <= MAX_ID else None
    if one is None or one.dataset_id != owner.id:
        raise NotFound(f"There is no sample {sample} in {owner.name}.")
    return render(
        request,
        "conflict.html",
        active="samples",
        dataset=shapes.dataset(session, owner),
        found=cvat_shapes.three_ways(session, sample, REGIONS),
    )


def _servers(settings: Settings) -> tuple[list[dict[str, str]], str | None]:
    """The servers, and what is wrong with how they are written down."""
    try:
        return cvat_shapes.servers(settings), None
    except RemaskError as error:
        return [], str(error)
