"""Augmentation of a whole batch: image and mask together.

All that moves pixels (affine, flips, elastic, grid distortion) is composed into one sampling grid, so that image, mask
and weights are moved by the same numbers and resampled once; what comes from outside the picture is void. Classes are
resampled by the nearest pixel. Colour operations are kornia's (Riba et al. 2020) or one line each. Every operation
touches a picture with probability 1/2; ``strength`` scales how far it goes. What is drawn comes from torch's generator
on the CPU (noise from the device's), what is computed from it is computed where the batch is. kornia takes a third of a
second to load, and only some operations ask for it.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.config import GEOMETRIC
from ml.data import VOID

Arrays = tuple[Tensor, Tensor, Tensor | None]


def augment(
    image: Tensor, target: Tensor, weight: Tensor | None, which: Tensor, names: tuple[str, ...], strength: float
) -> Arrays:
    """Augments the pictures of ``which``.

    ``image``: (B, C, H, W) float of 0..1; ``target``: (B, H, W) long with VOID; ``weight``: (B, H, W) float or None;
    ``which``: (B,) bool on the CPU; ``names``: operations of ``ml.config.AUGMENTATIONS``. Returns new tensors.
    """
    if not bool(which.any()) or not names:
        return image, target, weight
    if any(name in GEOMETRIC for name in names):
        grid = sampling_grid(image.shape[2], image.shape[3], which, names, strength, image.device)
        image, target, weight = warp(image, target, weight, grid)
    for name in names:
        if name in PHOTOMETRIC:
            chosen = which & _coin(len(which))
            at = chosen.nonzero().flatten().to(image.device)
            if len(at):
                changed = PHOTOMETRIC[name](image[at], strength).clamp(0, 1)
                image = image.index_copy(0, at, changed)
    if "cutmix" in names and len(which) > 1:
        image, target, weight = cutmix(image, target, weight, which & _coin(len(which)))
    return image, target, weight


def sampling_grid(
    height: int, width: int, which: Tensor, names: tuple[str, ...], strength: float, device: torch.device | None = None
) -> Tensor:
    """Where each pixel of the result is taken from: (B, H, W, 2) of x, y in -1..1, as ``grid_sample`` reads them."""
    count = len(which)
    matrix = torch.eye(2).repeat(count, 1, 1)
    shift = torch.zeros(count, 2)
    if "affine" in names:
        on = (which & _coin(count)).float() * strength
        turn = _spread(count) * math.radians(15) * on
        shear = _spread(count) * math.radians(5) * on
        zoom = torch.exp(_spread(count) * 0.15 * on)
        rotation = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(-1, 2, 2)
        sheared = torch.eye(2).repeat(count, 1, 1)
        sheared[:, 0, 1] = shear.tan()
        matrix = rotation @ sheared * zoom.view(-1, 1, 1)
        shift = torch.stack([_spread(count), _spread(count)], 1) * 0.1 * on.view(-1, 1)
    for name, axis in (("hflip", 0), ("vflip", 1)):
        if name in names:
            sign = 1 - 2 * (which & _coin(count)).float()
            matrix[:, :, axis] *= sign.view(-1, 1)
    # Turning happens in pixels, not in a square of -1..1: the sides are not alike.
    sides = torch.tensor([width / 2, height / 2])
    theta = torch.cat([matrix * sides.view(1, 1, 2) / sides.view(1, 2, 1), shift.unsqueeze(2)], 2)
    grid = F.affine_grid(theta.to(device), [count, 1, height, width], align_corners=False)
    if "elastic" in names:
        on = (which & _coin(count)).view(-1, 1, 1, 1).to(grid.device)
        grid = grid + _elastic(grid, strength) * on
    if "grid_distortion" in names:
        on = (which & _coin(count)).view(-1, 1, 1, 1).to(grid.device)
        grid = grid + _grid_distortion(grid, strength) * on
    return grid


def warp(image: Tensor, target: Tensor, weight: Tensor | None, grid: Tensor) -> Arrays:
    """Takes image (bilinear), target and weight (nearest) from ``grid``; from outside: the picture's mean, and void."""
    mean = image.mean((2, 3), keepdim=True)
    moved = F.grid_sample(image - mean, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + mean
    # One up, so that the zeros from outside are void.
    labels = [(target - VOID).float()] if weight is None else [(target - VOID).float(), weight]
    taken = F.grid_sample(torch.stack(labels, 1), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved, taken[:, 0].long() + VOID, None if weight is None else taken[:, 1]


def cutmix(image: Tensor, target: Tensor, weight: Tensor | None, which: Tensor) -> Arrays:
    """CutMix (Yun et al. 2019): a box of each chosen picture is replaced by that of its neighbour in the batch."""
    count, height, width = target.shape
    share = torch.rand(count).sqrt().to(image.device)
    centre = torch.rand(count, 2).to(image.device)
    rows = (torch.arange(height, device=image.device) / height).view(1, -1, 1)
    columns = (torch.arange(width, device=image.device) / width).view(1, 1, -1)
    half = share.view(-1, 1, 1) / 2
    inside = ((rows - centre[:, 0].view(-1, 1, 1)).abs() < half) & (
        (columns - centre[:, 1].view(-1, 1, 1)).abs() < half
    )
    box = inside & which.view(-1, 1, 1).to(image.device)
    mixed = torch.where(box.unsqueeze(1), image.roll(1, 0), image)
    weights = None if weight is None else torch.where(box, weight.roll(1, 0), weight)
    return mixed, torch.where(box, target.roll(1, 0), target), weights


def _elastic(grid: Tensor, strength: float) -> Tensor:
    """Smoothed random displacements (Simard, Steinkraus and Platt 2003): 4 % of the shorter side at strength 1."""
    from kornia.filters import gaussian_blur2d

    count, height, width, _ = grid.shape
    sigma = max(min(height, width) / 16, 1.0)
    kernel = 2 * round(2 * sigma) + 1
    border = kernel // 2
    noise = torch.rand(count, 2, height + 2 * border, width + 2 * border) * 2 - 1
    field = gaussian_blur2d(noise.to(grid.device), kernel, (sigma, sigma), border_type="constant")
    field = field[:, :, border : border + height, border : border + width]
    field = field / field.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    reach = 0.04 * min(height, width) * strength
    sides = torch.tensor([width / 2, height / 2], device=grid.device).view(1, 2, 1, 1)
    return (field * reach / sides).permute(0, 2, 3, 1)


def _grid_distortion(grid: Tensor, strength: float, steps: int = 5) -> Tensor:
    """Columns and rows of a coarse grid grow and shrink by random factors, the picture's frame stays in place."""
    count, height, width, _ = grid.shape
    shifts = []
    for side in (width, height):
        steps_wide = (_spread(count * steps).view(count, steps) * 0.3 * min(strength, 3.0)).exp()
        edges = F.pad(steps_wide.cumsum(1), (1, 0)) / steps_wide.sum(1, keepdim=True)
        even = torch.linspace(0, 1, steps + 1)
        moved = F.interpolate((edges - even).unsqueeze(1) * 2, size=side, mode="linear", align_corners=True)
        shifts.append(moved.squeeze(1).to(grid.device))
    x = shifts[0].unsqueeze(1).expand(count, height, width)
    y = shifts[1].unsqueeze(2).expand(count, height, width)
    return torch.stack([x, y], 3)


def _brightness_contrast(image: Tensor, strength: float) -> Tensor:
    count = len(image)
    contrast, brightness = (
        _each(1 + 0.2 * strength * _spread(count), image),
        _each(0.2 * strength * _spread(count), image),
    )
    mean = image.mean((1, 2, 3), keepdim=True)
    return (image - mean) * contrast + mean + brightness


def _gamma(image: Tensor, strength: float) -> Tensor:
    exponent = _each((0.25 * strength * _spread(len(image))).exp(), image)
    return image.clamp(0, 1) ** exponent


def _clahe(image: Tensor, strength: float) -> Tensor:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), each channel by itself."""
    from kornia.enhance import equalize_clahe

    return equalize_clahe(image.clamp(0, 1), clip_limit=1 + 3 * strength, grid_size=(4, 4))


def _gray(image: Tensor, strength: float) -> Tensor:
    from kornia.color import rgb_to_grayscale

    gray = rgb_to_grayscale(image) if image.shape[1] == 3 else image.mean(1, keepdim=True)
    return torch.lerp(image, gray.expand_as(image), min(strength, 1.0))


def _noise(image: Tensor, strength: float) -> Tensor:
    deviation = _each(0.05 * strength * torch.rand(len(image)), image)
    return image + torch.randn_like(image) * deviation


def _blur(image: Tensor, strength: float) -> Tensor:
    from kornia.filters import gaussian_blur2d

    sigma = float(torch.rand(1)) * 1.5 * strength + 0.1
    kernel = min(2 * math.ceil(2 * sigma) + 1, 2 * ((min(image.shape[2:]) - 1) // 2) + 1)
    return gaussian_blur2d(image, kernel, (sigma, sigma))


PHOTOMETRIC: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness_contrast": _brightness_contrast,
    "clahe": _clahe,
    "gamma": _gamma,
    "gray": _gray,
    "noise": _noise,
    "blur": _blur,
}


def _coin(count: int) -> Tensor:
    return torch.rand(count) < 0.5


def _spread(count: int) -> Tensor:
    return torch.rand(count) * 2 - 1


def _each(values: Tensor, image: Tensor) -> Tensor:
    return values.to(image.device).view(-1, 1, 1, 1)
