"""Layers that several networks share: convolution with its norm, and attention over the pixels of a small map."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normalisation(kind: str, channels: int) -> nn.Module:
    """Batch norm (Ioffe and Szegedy 2015) or group norm (Wu and He 2018), which doesn't depend on the batch."""
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(math.gcd(8, channels), channels)


def conv(before: int, after: int, norm: str, *, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size (at stride 1), norm, ReLU."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding, dilation, bias=False),
        normalisation(norm, after),
        nn.ReLU(inplace=True),
    )


def resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class PixelAttention(nn.Module):
    """Pre-norm transformer block over the pixels of a map (Vaswani et al. 2017; Dosovitskiy et al. 2021).

    Keys and values are taken from a map that is ``reduction`` times smaller by side, and the feed-forward part holds a
    depthwise convolution that tells pixels where they stand, as in SegFormer (Xie et al. 2021).
    """

    def __init__(
        self, channels: int, heads: int, *, reduction: int = 1, widening: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.GroupNorm(1, channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.reduce = nn.Conv2d(channels, channels, reduction, reduction) if reduction > 1 else nn.Identity()
        self.key_value = nn.Conv2d(channels, 2 * channels, 1)
        self.join = nn.Conv2d(channels, channels, 1)
        self.before_mixing = nn.GroupNorm(1, channels)
        hidden = widening * channels
        self.mixing = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.GELU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        normal = self.before_attention(x)
        query = self._split(self.query(normal))
        key, value = (self._split(one) for one in self.key_value(self.reduce(normal)).chunk(2, 1))
        attended = F.scaled_dot_product_attention(query, key, value)
        x = x + self.join(attended.transpose(2, 3).reshape(x.shape))
        out: Tensor = x + self.mixing(self.before_mixing(x))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, heads, H * W, C / heads)."""
        count, channels, height, width = x.shape
        return x.reshape(count, self.heads, channels // self.heads, height * width).transpose(2, 3)


def heads_for(channels: int, size: int = 32) -> int:
    """As many heads of about ``size`` channels as divide ``channels``."""
    return math.gcd(channels, max(1, 2 ** round(math.log2(max(1, channels / size)))))


class SqueezeExcitation(nn.Module):
    """Each channel is scaled by what the whole map says (Hu, Shen and Sun 2018)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.scale(x)
        return out


class PyramidPooling(nn.Module):
    """Means over grids of 1, 2, 3 and 6 cells by side are laid beside the map (Zhao et al. 2017)."""

    def __init__(self, channels: int, norm: str, grids: tuple[int, ...] = (1, 2, 3, 6)) -> None:
        super().__init__()
        each = max(channels // len(grids), 1)
        # No norm after pooling: one cell of one picture has no spread to be divided by.
        self.grids = grids
        self.levels = nn.ModuleList(nn.Sequential(nn.Conv2d(channels, each, 1), nn.ReLU()) for _ in grids)
        self.join = conv(channels + each * len(grids), channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        levels = [resized(level(cell_means(x, grid)), x) for grid, level in zip(self.grids, self.levels, strict=True)]
        out: Tensor = self.join(torch.cat([x, *levels], 1))
        return out


def cell_means(x: Tensor, grid: int) -> Tensor:
    """(B, C, H, W) -> (B, C, grid, grid): adaptive average pooling as two products, which ONNX takes at any size."""
    rows, columns = (_shares(side, grid, x) for side in x.shape[2:])
    return rows @ x @ columns.T


def _shares(side: int, grid: int, like: Tensor) -> Tensor:
    """(grid, side): what each pixel contributes to each cell; cells overlap where ``grid`` doesn't divide ``side``."""
    cells, pixels = torch.arange(grid, device=like.device).unsqueeze(1), torch.arange(side, device=like.device)
    begin, end = cells * side // grid, ((cells + 1) * side + grid - 1) // grid
    inside = ((pixels >= begin) & (pixels < end)).to(like.dtype)
    return inside / inside.sum(1, keepdim=True)
