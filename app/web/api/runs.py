"""Runs: trainings asked for, followed, looked at, fetched."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, status
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from app.flows import estimate, runs, train
from app.flows.rounds import PRECISION
from app.store import datasets
from app.store import runs as rows
from app.store.tables import Run
from app.web import run_shapes, run_stream
from app.web.api.jobs import JobOut, job_out
from app.web.api.models import SampleRow, Started
from app.web.deps import Config, DatasetName, Db, Id, Owner, Read, Reviewer
from app.web.media import attachment

router = APIRouter(tags=["runs"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SHOWN = {".png": "image/png", ".json": "application/json"}


class RunIn(BaseModel):
    preset: str = Field("baseline", max_length=40, description="Keys that are set first.", examples=["no_background"])
    arm: str = Field("curated", max_length=40, description="Which samples with which masks.", examples=["curated"])
    name: str = Field("", max_length=120, description="None: the preset's.", pattern=r"^[^\x00-\x1f\x7f]*$")
    config: dict[str, Any] = Field({}, description="Keys as in training-options; the rest keep their defaults.")
    rounds: int = Field(0, description="Rounds of self-training after the first training, 0 to 10.")
    precision: float = Field(PRECISION, description="Share of the pixels that a model labels for them to be right.")


class RunStarted(Started):
    """A run that was asked for; its `job` trains it."""

    run: int


class Found(BaseModel):
    """What a cross-validation came to."""

    folds: int
    predicted: int = Field(description="Masks that were judged.")
    flagged: int
    regions: int = Field(description="Masks with an open region.")
    share: float = Field(description="Estimated share of masks with an error.")
    miou: float | None = Field(description="Mean IoU of the predictions that the masks were judged by.")
    weak: bool = Field(description="They are too weak to flag a mask by, and only rank.")


class RunShort(BaseModel):
    """A run in a list."""

    id: int
    kind: Literal["train", "crossval"]
    name: str
    dataset: str
    arm: str
    preset: str = Field(description="no_background where background teaches nothing.")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    at: str
    actor: str
    job: int
    comparison: int | None = Field(description="The comparison that it belongs to; their job is one.")
    done: int = Field(description="Epochs.")
    total: int
    message: str
    error: str | None
    reason: str | None = Field(description="Why it ended: all epochs, or no improvement.")
    best_epoch: int | None = Field(description="From 0.")
    seconds: float | None
    miou: float | None = Field(description="Mean IoU over the foreground classes, of the best epoch.")
    judged_on: Literal["test", "val"] | None
    found: Found | None = Field(description="What a cross-validation came to, once it has ended.")


class RunList(BaseModel):
    runs: list[RunShort]


class Judged(BaseModel):
    """What a run's predictions are worth; shares of 1, null where nothing could be measured."""

    miou: float | None = Field(description="Mean IoU over the foreground classes.")
    miou_on_foreground: float | None = Field(description="The same where the truth is foreground only.")
    miou_all: float | None = Field(description="Mean IoU, background as a class.")
    accuracy: float | None
    dice: float | None
    foreground_precision: float | None
    foreground_recall: float | None
    background_accuracy: float | None = Field(description="Share of given background that is predicted background.")
    loss: float | None
    boundary_f: float | None
    calibration_error: float | None
    confusion: list[list[int]] = Field(description="Pixels by given (row) and predicted (column) class.")
    classes: list[dict[str, Any]] = Field(description="name, iou, precision, recall, pixels.")


class WorstSample(BaseModel):
    key: str
    miou: float | None
    sample: SampleRow


class Pseudo(BaseModel):
    """What the model of the round before said of samples without a mask."""

    pool: int = Field(description="Samples that it was asked about.")
    samples: int = Field(description="Those that it labelled.")
    share: float = Field(description="Of all pixels of the pool, how many it was believed in.")
    precision: float | None = Field(description="Of such pixels of validation, how many are right.")
    classes: list[str] = Field(description="Those that it was believed in.")


class RoundOut(BaseModel):
    """One round of self-training; round 0 learns from people's masks alone."""

    number: int
    state: Literal["waiting", "labelling", "training", "done", "left out"]
    miou: float | None = Field(description="Mean IoU on validation, of its best epoch so far.")
    test: float | None = Field(description="Mean IoU on test: of round 0 and of the one that is kept, at the end.")
    pseudo: Pseudo | None
    kept: bool


class RunFull(RunShort):
    """A run with all that is known of it so far."""

    classes: list[dict[str, Any]]
    config: dict[str, Any] = Field(description="As the trainer resolved it; before that, as asked for.")
    changed: list[str] = Field(description="Keys that aren't at their default.")
    snapshot: dict[str, Any] | None = Field(description="id, hash, and counts by split.")
    start: dict[str, Any] | None = Field(
        description="What the trainer said when it began: device, size of the network."
    )
    rate: dict[str, Any] | None = Field(description="The last word on its speed.")
    warnings: list[str]
    history: list[dict[str, Any]] = Field(description="One entry an epoch.")
    val: Judged | None = Field(description="Of the best epoch.")
    test: Judged | None = Field(description="Once, at the end.")
    worst: list[WorstSample] = Field(description="Validation samples, the worst first; at the end.")
    strips: list[dict[str, Any]] = Field(description="Film strips by epoch: image, given, predicted.")
    files: list[str]
    folds: list[dict[str, Any]] = Field(description="Of a cross-validation: fold, state, epochs, miou of each model.")
    rounds: list[RoundOut] = Field(description="Of self-training; empty for a run without.")
    precision: float | None = Field(description="That was asked for with the rounds.")
    round: int | None = Field(description="The round that history, val and strips are of.")
    sentence: str | None = Field(description="What came of the rounds.")
    lines: int = Field(description="Lines of the trainer so far: the `after` to follow from.")


class Lines(BaseModel):
    """What the trainer said."""

    events: list[dict[str, Any]]
    next: int = Field(description="The `after` of the next request.")


class Confused(BaseModel):
    key: str
    pixels: int
    sample: SampleRow


class ConfusedList(BaseModel):
    samples: list[Confused]


class TrainingOptions(BaseModel):
    """What a training can be told."""

    presets: list[dict[str, Any]]
    arms: list[dict[str, Any]]
    keys: list[dict[str, Any]] = Field(
        description="key, group, type, default, value (suggested), bounds, choices, help."
    )
    reasons: list[str] = Field(description="Why suggested values differ from the defaults.")
    paces: list[dict[str, Any]] = Field(description="Seconds an epoch took in earlier runs here; run null: in a trial.")


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
