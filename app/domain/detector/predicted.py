"""What the detector is given of one sample, and the same brought into one order and one scale."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.classes import ClassList, Role
from app.domain.errors import Invalid
from app.domain.mask import Mask
from app.domain.picture import Pixels, to_display

Bool = npt.NDArray[np.bool_]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

# No probability is believed below this: 8 bit and half precision end about there.
LEAST = 1e-3


def unit_of(shape: tuple[int, ...]) -> float:
    """What lengths are measured in, in pixels: a 96th of the shorter side, at least 1."""
    return max(1.0, min(shape[0], shape[1]) / 96)


class BadPrediction(Invalid):
    """Probabilities that don't fit their mask, their image or the class list."""


@dataclass(frozen=True)
class Predicted:
    """One sample with the probabilities of a model that never saw it.

    ``image`` (H, W) or (H, W, C); ``given`` (H, W) class ids; ``probabilities`` (H, W, K), float16/32/64 in [0, 1] or
    uint8 (255 = 1), normalised here; ``fold``: which fold's model it was, where known.
    """

    key: str
    image: Pixels
    given: Mask
    probabilities: npt.NDArray[np.generic]
    fold: int | None = None


@dataclass(frozen=True)
class Channels:
    """Which class id each channel stands for, and which channels are void.

    ``ids`` of the channels in the detector's own order; ``order[i]`` is the prediction's channel for place i, or -1 for
    a void class that the model has no channel for: its probability is then 1 - max over the others.
    """

    ids: tuple[int, ...]
    order: tuple[int, ...]
    void: tuple[bool, ...]

    @property
    def count(self) -> int:
        return len(self.ids)

    def reordered(self, places: I64) -> "Channels":
        return Channels(
            tuple(self.ids[i] for i in places),
            tuple(self.order[i] for i in places),
            tuple(self.void[i] for i in places),
        )


def channels_of(classes: ClassList, count: int) -> Channels:
    """Channels in the order of class ids: all classes, or all but void where the model has just those.

    Raises BadPrediction where ``count`` fits neither.
    """
    real = [one for one in classes.classes if one.role is not Role.VOID]
    void = [one for one in classes.classes if one.role is Role.VOID]
    if count == len(classes.classes):
        listed, order = list(classes.classes), list(range(count))
    elif count == len(real):
        # Void ids share one place: the detector has no use for telling them apart.
        listed, order = real + void[:1], [*range(count), *([-1] if void else [])]
    else:
        raise BadPrediction(
            f"The predictions have {count} channels; the class list has {len(classes.classes)} classes, "
            f"{len(void)} of them void. Predict with the same classes."
        )
    return Channels(tuple(one.id for one in listed), tuple(order), tuple(one.role is Role.VOID for one in listed))


@dataclass(frozen=True)
class Scene:
    """What stays the same of a sample while its mask is tried in many forms.

    ``chance`` (H, W, C) float32, normalised, at least LEAST; ``log`` its logarithm; ``top`` the likeliest channel;
    ``image`` (H, W, 3) float32 in [0, 1].
    """

    chance: F32
    log: F32
    top: I64
    best: F32
    image: F32


def scene_of(predicted: Predicted, channels: Channels) -> Scene:
    """Raises BadPrediction for shapes that don't fit each other, or probabilities that are no numbers."""
    raw = predicted.probabilities
    if raw.ndim != 3 or raw.shape[:2] != predicted.given.shape or predicted.image.shape[:2] != raw.shape[:2]:
        raise BadPrediction(
            f"Sample {predicted.key}: image {predicted.image.shape[:2]}, mask {predicted.given.shape} and "
            f"probabilities {raw.shape} have to have one height and width."
        )
    if raw.shape[2] != sum(one >= 0 for one in channels.order):
        raise BadPrediction(f"Sample {predicted.key} has {raw.shape[2]} channels; the others had another number.")
    real = np.ascontiguousarray(raw[:, :, [one for one in channels.order if one >= 0]], dtype=np.float32)
    if not np.isfinite(real).all() or real.min() < 0:
        raise BadPrediction(f"The probabilities of sample {predicted.key} hold numbers below 0 or none at all.")
    real /= np.maximum(real.sum(axis=2, keepdims=True), 1e-6)
    if -1 in channels.order:
        place = channels.order.index(-1)
        real = np.insert(real, place, 1 - real.max(axis=2), axis=2)
    chance = np.maximum(real, np.float32(LEAST))
    log = np.log(chance)
    top = chance.argmax(axis=2)
    best = np.take_along_axis(log, top[:, :, None], axis=2)[:, :, 0]
    shown = to_display(predicted.image)
    image = shown[:, :, :3] if shown.ndim == 3 else np.repeat(shown[:, :, None], 3, axis=2)
    return Scene(chance, log, top, best, image.astype(np.float32) / np.float32(255))


def places_of(given: Mask, channels: Channels) -> I64:
    """The mask with each id replaced by its place among the channels.

    Ids without one take void's; raises BadPrediction where there is no void to take.
    """
    table = np.full(65536, -1, np.int64)
    table[list(channels.ids)] = np.arange(channels.count)
    places = table[given]
    if (places < 0).any():
        if True not in channels.void:
            unknown = int(given[places < 0][0])
            raise BadPrediction(f"The mask holds id {unknown}, which no channel of the predictions stands for.")
        places[places < 0] = channels.void.index(True)
    return places
