"""Probabilities of whole pictures: in one piece where they fit, else in tiles that overlap and fade into each other."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.data import Scaling

BAND = 64  # rows of a large picture that are given at a time
# (B, C, H, W) of at most a cut's size -> (B, classes, H, W) probabilities.
Reading = Callable[[nn.Module, Tensor, Config], Tensor]
Bands = Iterator[tuple[int, Tensor]]


def of_pictures(
    network: nn.Module,
    stored: Tensor,
    scaling: Scaling,
    config: Config,
    *,
    flips: bool | None = None,
    reading: Reading | None = None,
) -> Bands:
    """As ``probabilities``, of (B, H, W, C) as stored, made ready a cut at a time: a large picture is never held
    otherwise than it is stored."""

    def ready(network: nn.Module, cut: Tensor, config: Config) -> Tensor:
        return (reading or softmax)(network, scaling.seen(cut.permute(0, 2, 3, 1)), config)

    return probabilities(network, stored.permute(0, 3, 1, 2), config, flips=flips, reading=ready)


def probabilities(
    network: nn.Module, image: Tensor, config: Config, *, flips: bool | None = None, reading: Reading | None = None
) -> Bands:
    """(B, C, H, W) standardised pictures -> (B, classes, rows, W) float32 that sum to 1 over the classes, with the
    first of their rows, from top to bottom: all rows at once of pictures that fit into a cut, BAND at a time of others.

    ``flips``: average over the flips that the training drew (test-time augmentation); as configured by default. Runs in
    the precision and memory layout of ``config``. ``reading``: what each cut is read by; by default the softmax.
    """
    views: list[list[int]] = [[]]
    if config.tta if flips is None else flips:
        for name, axis in (("hflip", 3), ("vflip", 2)):
            if name in config.augment:
                views += [[*view, axis] for view in views]
    size = -(-config.crop // config.multiple) * config.multiple
    if max(image.shape[2:]) > size:
        yield from _tiled(network, image, config, reading or softmax, views, size)
        return
    total: Tensor | None = None
    for view in views:
        one = (reading or softmax)(network, image.flip(view), config).flip(view)
        total = one if total is None else total.add_(one)
    assert total is not None  # noqa: S101 - there is always the unflipped view
    yield 0, total.div_(len(views))


def within(bands: Bands, height: int, width: int) -> Iterator[Tensor]:
    """The bands without what pictures of this size were padded by, none of more than BAND rows."""
    for top, band in bands:
        kept = band[:, :, : max(height - top, 0), :width]
        yield from (kept[:, :, at : at + BAND] for at in range(0, kept.shape[2], BAND))


def _tiled(
    network: nn.Module, image: Tensor, config: Config, reading: Reading, views: list[list[int]], size: int
) -> Bands:
    height, width = image.shape[2:]
    down = _shares(height, size, config.overlap, image.device)
    across = _shares(width, size, config.overlap, image.device)
    # Where each tile lies in the picture as it stands, whichever way it is turned for the network.
    rows = [(*one, view) for view in views for one in (_mirrored(down, height) if 2 in view else down)]
    rows.sort(key=lambda one: one[0])
    # One piece of memory for all that isn't done: pieces that come and go leave holes between them.
    held: Tensor | None = None
    base = 0  # the row of the picture that its first one is
    for place, (top, falling, view) in enumerate(rows):
        bottom = top + len(falling)
        for left, fading in _mirrored(across, width) if 3 in view else across:
            cut = image[:, :, top:bottom, left : left + len(fading)].flip(view)
            part = reading(network, cut, config).flip(view)
            part *= falling[:, None] * fading / len(views)
            if held is None:
                held = part.new_zeros(len(image), part.shape[1], min(height, size + BAND), width)
            held[:, :, top - base : bottom - base, left : left + len(fading)] += part
        assert held is not None  # noqa: S101 - a picture has at least one tile
        done = rows[place + 1][0] // BAND * BAND if place + 1 < len(rows) else height
        for first in range(base, done, BAND):
            yield first, held[:, :, first - base : min(first + BAND, done) - base].clone()
        _move_up(held, done - base)
        base = done


def _move_up(held: Tensor, by: int) -> None:
    """Lets go of the first ``by`` rows; the others take their place, zeros come after them."""
    kept = held.shape[2] - by
    for at in range(0, kept, by) if by else ():
        held[:, :, at : min(at + by, kept)] = held[:, :, at + by : min(at + by, kept) + by]
    held[:, :, kept:].zero_()


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


def _shares(side: int, size: int, overlap: int, device: torch.device) -> list[tuple[int, Tensor]]:
    """Along one axis, where each tile begins and how much each of its pixels counts: falling linearly towards the
    borders of the tile over the overlap, never to 0, and 1 over all tiles together."""
    size = min(side, size)
    distance = torch.minimum(torch.arange(size), torch.arange(size).flip(0)).float() + 1
    edge = (distance / (overlap + 1)).clamp(max=1)
    total = torch.zeros(side)
    starts = _starts(side, size, overlap)
    for start in starts:
        total[start : start + size] += edge
    return [(start, (edge / total[start : start + size]).to(device)) for start in starts]


def _mirrored(shares: list[tuple[int, Tensor]], side: int) -> list[tuple[int, Tensor]]:
    return [(side - start - len(share), share.flip(0)) for start, share in shares]
