"""What the newest cross-validation saw in a sample: the likeliest class of each pixel, and how suspect the mask is."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.domain.mask import Mask, as_mask
from app.flows.child import folder_of
from app.store import predictions, regions
from app.store.tables import Prediction, Raster, Sample
from app.store.windows import Box
from ml import predictions as files


class NotPredicted(NotFound):
    """A sample that no cross-validation has predicted, or whose mask none has judged."""


def prediction_of(session: Session, sample: Sample) -> Prediction:
    """The sample's prediction by the newest cross-validation that has ended. Raises NotPredicted."""
    found = predictions.newest(session, sample.id)
    if found is None:
        raise NotPredicted(f"{sample.key} has no prediction yet: no cross-validation has looked at it.")
    return found


def suggestion(session: Session, home: Path, sample: Sample) -> Mask:
    """As ``seen``, by the newest cross-validation. Raises NotPredicted."""
    return seen(home, prediction_of(session, sample).run_id, sample.key)


def seen(home: Path, run_id: int, key: str) -> Mask:
    """(H, W) class ids: each pixel's likeliest class, by the run's model that never saw the sample. Raises NotPredicted
    where the run's predictions are gone."""
    file, ids = _file(home, run_id)
    found: Mask = np.concatenate([ids[part.argmax(axis=0)] for _, part in file.bands(key)])
    return found


def seen_within(home: Path, run_id: int, key: str, box: Box, step: int) -> Mask:
    """As ``seen``, in ``box``, of each ``step`` x ``step`` pixels the first: (height / step, width / step)."""
    file, ids = _file(home, run_id)
    rows, columns = slice(box.y, box.y + box.height, step), slice(box.x, box.x + box.width, step)
    found: Mask = ids[file.stored(key)[:, rows, columns].argmax(axis=0)]
    return found


def _file(home: Path, run_id: int) -> tuple[files.Predictions, Mask]:
    """A run's predictions, and the ids of their classes."""
    path = folder_of(home, run_id) / "predictions"
    if not path.exists():
        raise NotPredicted(f"The predictions of run {run_id} are gone; find imprecise masks again.")
    file = _opened(path, path.stat().st_mtime_ns)
    return file, as_mask(np.array([file.classes]))[0]


def suspicion(session: Session, sample: Sample) -> Raster:
    """An 8-bit raster: how likely each pixel of the current mask is wrong (255: surely); where regions of it were
    accepted since, as it was before. Raises NotPredicted."""
    found = heat_map(session, sample, prediction_of(session, sample))
    if found is None:
        raise NotPredicted(f"The mask of {sample.key} has changed since it was judged; find imprecise masks again.")
    return found


def heat_map(session: Session, sample: Sample, prediction: Prediction) -> Raster | None:
    """As ``suspicion``, None where the prediction judged another mask."""
    known = prediction.revision_id == sample.current_id or regions.are_of(session, prediction.run_id, sample)
    return session.get_one(Raster, prediction.suspicion_id) if prediction.suspicion_id is not None and known else None


@lru_cache(maxsize=4)
def _opened(path: Path, _changed: int) -> files.Predictions:
    """The file was verified when it was judged by; reading its index for every picture would take longer than it."""
    return files.read(path, verify=False)
