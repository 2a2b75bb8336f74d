"""Probabilities of whole pictures: in one piece where they fit, else in tiles that overlap and fade into each other."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.data import Scaling

# (B, C, H, W) of at most a cut's size -> (B, classes, H, W) probabilities.
Reading = Callable[[nn.Module, Tensor, Config], Tensor]


def of_pictures(
    network: nn.Module,
    stored: Tensor,
    scaling: Scaling,
    config: Config,
    *,
    flips: bool | None = None,
    reading: Reading | None = None,
) -> Tensor:
    """As ``probabilities``, of (B, H, W, C) as stored, made ready a cut at a time: a large picture is never held
    otherwise than it is stored."""

    def ready(network: nn.Module, cut: Tensor, config: Config) -> Tensor:
        return (reading or softmax)(network, scaling.seen(cut.permute(0, 2, 3, 1)), config)

    return probabilities(network, stored.permute(0, 3, 1, 2), config, flips=flips, reading=ready)


def probabilities(
    network: nn.Module, image: Tensor, config: Config, *, flips: bool | None = None, reading: Reading | None = None
) -> Tensor:
    """(B, C, H, W) standardised pictures of any size -> (B, classes, H, W) float32 that sum to 1 over the classes.

    ``flips``: average over the flips that the training drew (test-time augmentation); as configured by default. Runs in
    the precision and memory layout of ``config``. ``reading``: what each cut is read by; by default the softmax.
    """
    views: list[list[int]] = [[]]
    if config.tta if flips is None else flips:
        for name, axis in (("hflip", 3), ("vflip", 2)):
            if name in config.augment:
                views += [[*view, axis] for view in views]
    total: Tensor | None = None
    for view in views:
        one = _tiled(network, image.flip(view) if view else image, config, reading or softmax)
        one = one.flip(view) if view else one
        total = one if total is None else total.add_(one)
    assert total is not None  # noqa: S101 - there is always the unflipped view
    return total.div_(len(views))


def _tiled(network: nn.Module, image: Tensor, config: Config, reading: Reading) -> Tensor:
    multiple = config.multiple
    size = -(-config.crop // multiple) * multiple
    height, width = image.shape[2:]
    if height <= size and width <= size:
        return reading(network, image, config)
    total: Tensor | None = None
    weights = torch.zeros(1, 1, height, width, device=image.device)
    for top in _starts(height, size, config.overlap):
        for left in _starts(width, size, config.overlap):
            tile = image[:, :, top : top + size, left : left + size]
            part = reading(network, tile, config)
            window = _window(tile.shape[2], tile.shape[3], config.overlap, image.device)
            if total is None:
                total = part.new_zeros(len(image), part.shape[1], height, width)
            total[:, :, top : top + size, left : left + size] += part * window
            weights[:, :, top : top + size, left : left + size] += window
    assert total is not None  # noqa: S101 - a picture has at least one tile
    return total.div_(weights)


def softmax(network: nn.Module, image: Tensor, config: Config) -> Tensor:
    """(B, C, H, W) -> (B, classes, H, W) float32 in one forward pass, padded to what the network takes."""
    height, width = image.shape[2:]
    multiple = config.multiple
    # Zero is the mean of the training pictures: the same padding as in training.
    padded = F.pad(image, (0, -width % multiple, 0, -height % multiple))
    with torch.no_grad(), autocast(config, image.device):
        logits = network(in_layout(padded, config))
    out: Tensor = logits[:, :, :height, :width].float().softmax(1)
    return out


def autocast(config: Config, device: torch.device) -> torch.autocast:
    """The precision of ``config``; weights stay float32."""
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(config.precision)
    return torch.autocast(device.type, dtype=half, enabled=half is not None)


def in_layout(image: Tensor, config: Config) -> Tensor:
    if config.layout == "channels_last":
        return image.contiguous(memory_format=torch.channels_last)
    return image.contiguous()


def _starts(side: int, size: int, overlap: int) -> list[int]:
    """Where tiles begin, so that they overlap by at least ``overlap`` and end with the picture."""
    if side <= size:
        return [0]
    count = -(-(side - overlap) // (size - overlap))
    return [round(at * (side - size) / (count - 1)) for at in range(count)]


def _window(height: int, width: int, overlap: int, device: torch.device) -> Tensor:
    """Weights that fall linearly towards the borders of a tile over the overlap, never to 0."""
    edges = []
    for side in (height, width):
        distance = torch.minimum(torch.arange(side), torch.arange(side).flip(0)).float() + 1
        edges.append((distance / (overlap + 1)).clamp(max=1))
    return (edges[0].view(1, 1, -1, 1) * edges[1].view(1, 1, 1, -1)).to(device)
