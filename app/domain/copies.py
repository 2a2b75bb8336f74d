"""Augmented copies of a picture with its mask: the kind that people write to disk before they split their data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

DEGREES, ZOOM, SHIFT, LIGHT = 12.0, 0.1, 0.05, 0.1


def copy_of(image: NDArray[Any], mask: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """``image`` (H, W) or (H, W, channels) and ``mask`` (H, W) turned, zoomed, shifted, perhaps flipped, and lit anew.

    Shapes and dtypes stay; what comes in from beyond the edge is the mirrored picture, so every pixel has its class.
    """
    angle = np.deg2rad(rng.uniform(-DEGREES, DEGREES))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * rng.uniform(1 - ZOOM, 1 + ZOOM)
    if rng.random() < 0.5:
        turn[:, 1] *= -1
    centre = (np.array(mask.shape) - 1) / 2
    offset = centre - turn @ centre + rng.uniform(-SHIFT, SHIFT, 2) * mask.shape
    ids = ndimage.affine_transform(mask, turn, offset, order=0, mode="mirror")
    channels = image.reshape(*mask.shape, -1)
    moved = [
        ndimage.affine_transform(channels[..., one].astype(np.float32), turn, offset, order=1, mode="mirror")
        for one in range(channels.shape[2])
    ]
    pixels = np.stack(moved, axis=-1) * rng.uniform(1 - LIGHT, 1 + LIGHT)
    if image.dtype.kind in "ui":
        limits = np.iinfo(image.dtype)
        pixels = np.clip(np.rint(pixels), limits.min, limits.max)
    return pixels.astype(image.dtype).reshape(image.shape), ids
