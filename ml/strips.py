"""Film strips of sample predictions: image | given | predicted, of the same validation samples every time."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from ml.data import Item
from ml.evaluate import Judge
from ml.infer import softmax
from ml.models import replace_file
from ml.snapshot import Class, Row

_GAP = 2
_VOID_COLOUR = (27, 29, 32)


def draw(judge: Judge, network: nn.Module, rows: Sequence[Row], folder: Path, epoch: int) -> list[dict[str, str]]:
    """Draws ``config.samples`` evenly spaced ``rows`` into ``folder``/samples; returns key and path of each strip.

    Of a picture larger than a cut, what lies in its middle."""
    count = min(judge.config.samples, len(rows))
    strips = []
    network.eval()
    for at in range(count):
        row = rows[at * len(rows) // count]
        size = judge.pictures.size
        height, width = min(row.shape[0], size), min(row.shape[1], size)
        middle = Item(row, (row.shape[0] - height) // 2, (row.shape[1] - width) // 2)
        batch = judge.pictures.gather([middle]).to(judge.world.device)
        unit = judge.scaling.unit(batch.image)
        predicted = softmax(network, judge.scaling.standard(unit), judge.config).argmax(1)
        path = folder / "samples" / f"epoch_{epoch:04d}_{at:02d}.png"
        film_strip(
            path,
            unit[0, :, :height, :width].permute(1, 2, 0).cpu().numpy(),
            batch.target[0, :height, :width].cpu().numpy(),
            predicted[0, :height, :width].cpu().numpy(),
            judge.classes,
        )
        strips.append({"key": row.key, "path": str(path)})
    return strips


def film_strip(
    path: Path, unit: NDArray[np.float32], given: NDArray[Any], predicted: NDArray[Any], classes: Sequence[Class]
) -> None:
    """Writes image | given | predicted as a PNG. ``unit``: (H, W, C) of 0..1; the others (H, W) of class indices."""
    colours = np.array([_rgb(one.colour) for one in classes] + [_VOID_COLOUR], dtype=np.uint8)
    shown = unit[:, :, :3] if unit.shape[2] >= 3 else unit[:, :, :1].repeat(3, axis=2)
    picture = (shown.clip(0, 1) * 255).round().astype(np.uint8)
    gap = np.full((picture.shape[0], _GAP, 3), 255, dtype=np.uint8)
    # VOID is -1: the last colour.
    strip = np.concatenate([picture, gap, colours[given], gap, colours[predicted]], axis=1)
    buffer = BytesIO()
    Image.fromarray(strip).save(buffer, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def _rgb(colour: str) -> tuple[int, int, int]:
    value = int(colour[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255
