"""Runs: trainings asked for, followed, looked at, fetched."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, status
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.flows import estimate, runs, train
from app.store import datasets
from app.store import runs as rows
from app.store.tables import Run
from app.web import run_shapes, run_stream
from app.web.api.jobs import JobOut, job_out
from app.web.api.models import Started
from app.web.api.run_models import (
    Confused,
    ConfusedList,
    Lines,
    RunFull,
    RunIn,
    RunList,
    RunShort,
    RunStarted,
    TrainingOptions,
)
from app.web.deps import Config, DatasetName, Db, Id, Owner, Read, Reviewer
from app.web.media import attachment

router = APIRouter(tags=["runs"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SHOWN = {".png": "image/png", ".json": "application/json"}


def _there(db: Db, run: Id) -> int:
    with db.read() as session:
        return rows.find(session, run).id


def _run(session: Read, run: Id) -> Run:
    return rows.find(session, run)


OneRun = Annotated[Run, Depends(_run)]
After = Annotated[int, Query(ge=0, le=1 << 53, description="Lines that are known already.")]
Position = Annotated[int, Query(ge=0, le=65_535, description="Position in the confusion matrix.")]


@router.get("/datasets/{dataset}/training-options")
def training_options(session: Read, settings: Config, owner: Owner) -> TrainingOptions:
    """Presets, arms and every key with its bounds, and a value for it that suits this data set."""
    return TrainingOptions(**run_shapes.training(session, settings.home, owner))


@router.post("/datasets/{dataset}/training-estimate", status_code=status.HTTP_202_ACCEPTED)
def start_estimate(db: Db, dataset: DatasetName) -> Started:
    """Try how long an epoch takes here, on made pictures of this data set's size; then it is among the `paces`."""
    return Started(job=estimate.request(db, dataset).id)


@router.post("/datasets/{dataset}/runs", status_code=status.HTTP_202_ACCEPTED)
def start_run(db: Db, dataset: DatasetName, body: RunIn, actor: Reviewer) -> RunStarted:
    """Freeze the set and train on it, in the background. One training at a time; further ones wait."""
    run = train.request(
        db,
        dataset,
        actor,
        preset=body.preset,
        keys=body.config,
        arm=body.arm,
        name=body.name.strip(),
        rounds=body.rounds,
        precision=body.precision,
    )
    return RunStarted(run=run.id, job=run.job_id or 0)


@router.get("/datasets/{dataset}/runs")
def runs_of_dataset(session: Read, owner: Owner) -> RunList:
    """Runs, the newest first."""
    return RunList(runs=[RunShort(**one) for one in run_shapes.of_dataset(session, owner)])


@router.get("/runs/{run}")
def one_run(session: Read, settings: Config, run: OneRun) -> RunFull:
    """A run in full."""
    return RunFull(**run_shapes.full(session, settings.home, run))


@router.get("/runs/{run}/events")
def run_events(settings: Config, run: OneRun, after: After = 0) -> Lines:
    """What the trainer said: start, warning, rate, epoch, samples, error, end."""
    tail = runs.Tail.of(settings.home, run.id, after)
    events = [event for _, event in tail.read()]
    return Lines(events=events, next=max(after, tail.line))


@router.get("/runs/{run}/stream", response_class=EventSourceResponse)
async def run_events_live(
    db: Db,
    settings: Config,
    run: Annotated[int, Depends(_there)],
    after: After = 0,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events `told` (a line as at events) and `state` (of the job), until the run has ended.

    An event's id is the number of its line; Last-Event-ID resumes."""
    known = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    async for event in run_stream.follow(db, settings.home, run, known):
        yield event


@router.get("/runs/{run}/confused")
def confused(
    session: Read,
    settings: Config,
    run: OneRun,
    truth: Position,
    predicted: Position,
    limit: Annotated[int, Query(ge=1, le=200)] = 24,
) -> ConfusedList:
    """Validation samples with most pixels of one class predicted as another; 409 before the run has ended."""
    found = runs.confused(settings.home, run.id, truth, predicted, limit)
    owner = datasets.by_id(session, run.dataset_id)
    return ConfusedList(samples=[Confused(**one) for one in run_shapes.pictured(session, owner, found)])


@router.post("/runs/{run}/cancel")
def cancel_run(db: Db, run: Id) -> JobOut:
    """Ask a run to stop after the batch at hand. Its best model so far stays; 409 where it has ended."""
    with db.write() as session:
        return job_out(session, runs.cancel(session, rows.find(session, run)))


@router.post("/runs/{run}/resume", status_code=status.HTTP_202_ACCEPTED)
def resume_run(db: Db, run: Id) -> RunStarted:
    """Go on with a run that failed or was cancelled, from its last checkpoint. 409 for any other."""
    with db.write() as session:
        return RunStarted(run=run, job=runs.resume(session, rows.find(session, run)).id)


@router.post("/runs/{run}/onnx", status_code=status.HTTP_202_ACCEPTED)
def start_onnx(db: Db, settings: Config, run: Id) -> Started:
    """Write the model as ONNX, in the background; it is the file `model.onnx` then."""
    with db.write() as session:
        return Started(job=runs.request_onnx(session, settings.home, rows.find(session, run)))


@router.get(
    "/runs/{run}/files/{name:path}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file.",
            "content": dict.fromkeys(("application/octet-stream", *_SHOWN.values()), _BINARY),
        }
    },
)
def run_file(settings: Config, run: Annotated[int, Depends(_there)], name: str) -> FileResponse:
    """model.pt, model.onnx, config.json, result.json, or a film strip: samples/*.png, or round_*/samples/*.png."""
    path = runs.file_of(settings.home, run, name)
    media_type = _SHOWN.get(path.suffix, "application/octet-stream")
    if path.suffix == ".png":
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": "private, no-cache"})
    headers = {"Content-Disposition": attachment(f"run-{run}-{path.name}")}
    return FileResponse(path, media_type=media_type, headers=headers)
