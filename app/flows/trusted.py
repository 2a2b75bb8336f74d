"""What held-out samples say of a model's predictions: how far it can be believed, and which method does best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.believing import Changes
from app.domain.calibrate import Calibration, Tally
from app.domain.classes import ClassList
from app.flows.imprecise import Confusion
from ml.predictions import Predictions
from ml.snapshot import Snapshot


@dataclass(frozen=True)
class Measured:
    """A method on held-out samples: share of right pixels, mean IoU over foreground classes, and how many pixels are
    believed at the wished precision and how many of these are right, by thresholds of other samples."""

    method: str
    accuracy: float | None
    miou: float | None
    share: float
    reached: float | None


def tally_of(snapshot: Snapshot, predicted: Predictions, keys: Sequence[str]) -> Tally:
    """Predictions of these samples against their masks."""
    tally = Tally(predicted.classes)
    rows = {row.key: row for row in snapshot.rows}
    for key in keys:
        tally.add(rows[key].group, snapshot.mask(rows[key]), predicted.bands(key))
    return tally


def measured(
    snapshot: Snapshot, predicted: Predictions, method: str, keys: Sequence[str], classes: ClassList, wished: float
) -> Measured:
    """What a method is worth on these samples."""
    confusion = Confusion(predicted.classes)
    rows = {row.key: row for row in snapshot.rows}
    for key in keys:
        confusion.add(snapshot.mask(rows[key]), np.moveaxis(predicted.stored(key), 0, -1))
    found = tally_of(snapshot, predicted, keys).calibrate(wished)
    return Measured(method, confusion.accuracy(), confusion.mean_iou(classes), found.share, found.reached)


def changes(
    snapshot: Snapshot, predicted: Predictions, calibration: Calibration, usual: Sequence[str], flagged: Sequence[str]
) -> Changes:
    """How often what the model is sure of differs from given masks, void left out."""
    return Changes(
        *_differ(snapshot, predicted, calibration, usual), *_differ(snapshot, predicted, calibration, flagged)
    )


def _differ(
    snapshot: Snapshot, predicted: Predictions, calibration: Calibration, keys: Sequence[str]
) -> tuple[int, int]:
    """Pixels that the model is sure of, and those of them that differ."""
    rows = {row.key: row for row in snapshot.rows}
    sure = differ = 0
    for key in keys:
        given = snapshot.mask(rows[key])
        seen, believed = calibration.read(predicted.bands(key))
        counts = (believed > 0) & np.isin(given, predicted.classes)
        sure += int(counts.sum())
        differ += int((counts & (seen != given)).sum())
    return sure, differ
