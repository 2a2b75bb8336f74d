"""Runs as the API takes and gives them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.flows.rounds import PRECISION
from app.web.api.models import Asked, SampleRow, Started


class RunIn(Asked):
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
