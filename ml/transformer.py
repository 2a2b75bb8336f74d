"""A small transformer segmenter after SegFormer (Xie et al. 2021).

Four stages of attention over ever coarser patches that overlap, without position codes, so that any size works; all
levels are brought to one width and one size and mixed by 1x1 convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.layers import PixelAttention, conv, heads_for, resized


class Transformer(nn.Module):
    """(B, channels, H, W) -> (B, classes, H, W) logits; sides are multiples of 32."""

    def __init__(self, config: Config, channels: int, classes: int) -> None:
        super().__init__()
        width = config.width
        widths = [width, 2 * width, 4 * width, 8 * width]
        stages: list[nn.Module] = []
        before = channels
        for level, (after, reduction) in enumerate(zip(widths, (8, 4, 2, 1), strict=True)):
            kernel, stride = (7, 4) if level == 0 else (3, 2)
            patches = nn.Conv2d(before, after, kernel, stride, kernel // 2)
            blocks = [
                PixelAttention(after, heads_for(after), reduction=reduction, dropout=config.dropout) for _ in range(2)
            ]
            stages.append(nn.Sequential(patches, nn.GroupNorm(1, after), *blocks))
            before = after
        self.stages = nn.ModuleList(stages)
        mixed = 4 * width
        self.to_one_width = nn.ModuleList(nn.Conv2d(one, mixed, 1) for one in widths)
        self.mix = nn.Sequential(conv(4 * mixed, mixed, config.norm, kernel=1), nn.Dropout2d(config.dropout))
        self.head = nn.Conv2d(mixed, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        levels: list[Tensor] = []
        for stage, bring in zip(self.stages, self.to_one_width, strict=True):
            x = stage(x)
            level = bring(x)
            levels.append(resized(level, levels[0]) if levels else level)
        logits: Tensor = self.head(self.mix(torch.cat(levels, 1)))
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
