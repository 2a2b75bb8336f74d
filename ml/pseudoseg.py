"""Probabilities fused from a network's logits and where its own features say that each class lies.

After PseudoSeg (Zou et al. 2021, arXiv 2010.09713): a Grad-CAM map of each class (Selvaraju et al. 2017), spread over
the picture by self-attention between its features, is normalised together with the decoder's logits, both are turned
into probabilities, averaged, and sharpened by a temperature. There a classifier of the picture and the attention's
weights are learned for it; here nothing is: the gradient is that of the pixels predicted as the class (as for
segmentation networks, Vinogradova et al. 2020), and the attention is the likeness of features as they are. So it works
on a network that is trained already.

What comes out ranks pixels; it is flatter than a softmax, so its height means nothing before it is calibrated.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.errors import Refused
from ml.infer import autocast, in_layout
from ml.unet import UNet

# Share of the decoder, and the temperature: the paper's. Sharpness of the attention over cosines.
SHARE, TEMPERATURE, SHARPNESS = 0.5, 0.5, 10.0
_POSITIONS = 64  # attention looks at no more than so many rows and columns


def fused(network: nn.Module, image: Tensor, config: Config) -> Tensor:
    """(B, C, H, W) -> (B, classes, H, W) float32 that sum to 1 over the classes. Raises Refused for another network
    than a U-Net."""
    if not isinstance(network, UNet):
        raise Refused("Method pseudoseg reads the features of a U-Net; take softmax or ensemble for this network.")
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % config.multiple, 0, -height % config.multiple))
    network.requires_grad_(False)
    levels: list[Tensor] = []

    def cut(_module: nn.Module, _given: Any, out: Tensor) -> Tensor:
        levels.append(out.detach().requires_grad_())
        return levels[-1]

    def keep(_module: nn.Module, _given: Any, out: Tensor) -> None:
        levels.append(out.detach())

    hooks = [one.register_forward_hook(keep) for one in network.encoder[-2:]]
    hooks.append(network.context.register_forward_hook(cut))
    try:
        with torch.enable_grad(), autocast(config, image.device):
            logits = network(in_layout(padded, config)).float()
        deep = levels[-1]
        maps = activation(logits, deep)
    finally:
        for hook in hooks:
            hook.remove()
    grid = (min(_POSITIONS, deep.shape[2]), min(_POSITIONS, deep.shape[3]))
    spread = attend(
        F.adaptive_avg_pool2d(maps, grid), [F.adaptive_avg_pool2d(one.detach().float(), grid) for one in levels]
    )
    spread = F.interpolate(spread, size=padded.shape[2:], mode="bilinear", align_corners=False)
    return fuse(logits.detach(), spread)[:, :, :height, :width]


def activation(logits: Tensor, deep: Tensor) -> Tensor:
    """Grad-CAM: (B, classes, h, w) of 0..1, each class's map scaled to its largest; 0 for one that no pixel shows.

    ``logits`` (B, classes, H, W) have to follow from ``deep`` (B, features, h, w) with a gradient.
    """
    shown = logits.argmax(1)
    maps = torch.zeros(len(deep), logits.shape[1], *deep.shape[2:], device=deep.device)
    for at in torch.bincount(shown.flatten()).nonzero().flatten().tolist():
        told = logits[:, at][shown == at].sum()
        (slope,) = torch.autograd.grad(told, deep, retain_graph=True)
        weights = slope.mean((2, 3), keepdim=True)
        one = F.relu((weights * deep.detach()).sum(1).float())
        maps[:, at] = one / one.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return maps


def attend(maps: Tensor, levels: list[Tensor]) -> Tensor:
    """(B, classes, h, w) maps, half as they are and half as the places alike in ``levels`` (B, features, h, w) have
    them."""
    features = torch.cat([F.normalize(one.flatten(2), dim=1) for one in levels], 1) / len(levels) ** 0.5
    alike = torch.softmax(SHARPNESS * features.transpose(1, 2) @ features, dim=2)  # (B, place, other place)
    there = maps.flatten(2) @ alike.transpose(1, 2)
    return (maps + there.reshape(maps.shape)) / 2


def fuse(logits: Tensor, maps: Tensor) -> Tensor:
    """(B, classes, H, W) probabilities of both. Maps are first brought to the size of the logits, picture by picture:
    nothing was trained to make them alike."""
    logits = logits - logits.mean(1, keepdim=True)
    maps = maps * (_size(logits) / _size(maps).clamp(min=1e-12))
    together = (logits.square().sum(1, keepdim=True) + maps.square().sum(1, keepdim=True)).sqrt().clamp(min=1e-12)
    both = SHARE * torch.softmax(logits / together, 1) + (1 - SHARE) * torch.softmax(maps / together, 1)
    sharp = both ** (1 / TEMPERATURE)
    out: Tensor = sharp / sharp.sum(1, keepdim=True)
    return out


def _size(values: Tensor) -> Tensor:
    return values.square().mean((1, 2, 3), keepdim=True).sqrt()
