"""What the features need of a scene, whatever mask is laid over it: computed once, used for every practice copy."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.domain.detector.components import components
from app.domain.detector.expect import boundary_of, distance_to
from app.domain.detector.predicted import F32, F64, I64, Bool, Scene, unit_of
from app.domain.detector.sums import total


@dataclass(frozen=True)
class Ground:
    """``edge``: gradient of brightness over its mean; ``margin``: log p of the best less the second best channel;
    ``parts``: connected components of the likeliest channel with their areas; ``outline``: their boundary."""

    scene: Scene
    edge: F32
    entropy: F32
    margin: F32
    parts: I64
    part_areas: I64
    outline: Bool
    outline_distance: F32

    @property
    def unit(self) -> float:
        return unit_of(self.parts.shape)


def ground_of(scene: Scene) -> Ground:
    grey = scene.image.mean(axis=2)
    edge = ndimage.gaussian_gradient_magnitude(grey, 1.0, truncate=2.5)
    channels = scene.log.shape[2]
    second = np.partition(scene.log, channels - 2, axis=2)[:, :, channels - 2] if channels > 1 else scene.best
    parts, count = components(scene.top)
    outline = boundary_of(scene.top)
    return Ground(
        scene,
        (edge / max(float(edge.mean()), 1e-3)).astype(np.float32),
        -np.einsum("hwc,hwc->hw", scene.chance, scene.log),
        scene.best - second,
        parts,
        np.bincount(parts.ravel(), minlength=count),
        outline,
        distance_to(outline),
    )


@dataclass(frozen=True)
class Laid:
    """A mask laid over a scene: ``surprise``, its ``excess`` over what is usual there and the same ``scaled`` by its
    spread; ``distance`` to the given boundary; colours (channels + 1, 3) of each class where mask and model agree,
    NaN where they hardly do; ``agreed``: how many pixels those are."""

    mask: I64
    surprise: F32
    excess: F32
    scaled: F32
    edge: Bool
    distance: F32
    differs: Bool
    colours: F64
    agreed: F64


def colours_of(ground: Ground, labels: I64, count: int, pixels: F64) -> F64:
    """Mean colour of each label, (count, 3)."""
    image = ground.scene.image
    held = np.maximum(pixels, 1)
    return np.stack([total(labels, count, image[:, :, c]) / held for c in range(image.shape[2])], axis=1)
