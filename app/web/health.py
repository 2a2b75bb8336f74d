"""For machines that watch this one: whether it works, and its figures."""

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from app import __version__
from app.store import jobs, workers
from app.web.api.models import FAILURES
from app.web.deps import Config, Db
from app.web.metrics import Metrics

router = APIRouter(tags=["operations"], responses=FAILURES)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def _metrics(request: Request) -> Metrics:
    return cast(Metrics, request.app.state.metrics)


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok", "waiting"] = Field(
        description="ok, or waiting: pages work, and no worker has been seen for 20 s."
    )
    database: Literal["ok"] = Field(
        description="Always ok here; where the database doesn't answer, the request fails with 503."
    )
    workers: int = Field(description="Workers seen in the last 20 s.")
    version: str


@router.get("/healthz")
def healthz(db: Db, settings: Config) -> Health:
    """Whether the database answers and a worker was seen lately. Needs no token, and tells nothing of the data."""
    with db.read() as session:
        jobs.oldest_queued(session)
    seen = len(workers.alive(settings.home))
    return Health(status="ok" if seen else "waiting", database="ok", workers=seen, version=__version__)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(figures: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Requests by route and status with their durations, jobs by state, samples by status, the queue's age, for
    Prometheus. Off loopback it needs a token like everything else."""
    return Response(figures.text(), media_type=_TEXT)
