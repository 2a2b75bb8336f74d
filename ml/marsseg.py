"""A network after the ideas of MarsSeg (Li, Chen, Tian, Li and Shi, arXiv 2404.04155), built from its description.

Mars terrain differs in texture rather than in shape, so the picture is halved three times only and detail is kept.
Several levels are extracted and each is enhanced before the decoder connects them: the shallow ones by a small bank of
dilated convolutions and polarised self-attention (Liu et al. 2021), the deep one by pooling along strips (Hou et al.
2020) together with pyramid pooling, for the kind of terrain as a whole. Left out: the paper's pretrained backbone, its
deep supervision and its loss weights that follow the IoU; the losses of this trainer are used.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.layers import PyramidPooling, conv, resized


class DilatedBank(nn.Module):
    """Views of a map at dilations 1, 2 and 4 and its mean, joined: the small sibling of ASPP (Chen et al. 2017)."""

    def __init__(self, channels: int, norm: str, dilations: tuple[int, ...] = (1, 2, 4)) -> None:
        super().__init__()
        self.views = nn.ModuleList(conv(channels, channels // 2, norm, dilation=one) for one in dilations)
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels // 2, 1), nn.ReLU())
        self.join = conv(channels // 2 * (len(dilations) + 1), channels, norm, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        whole = self.whole(x).expand(-1, -1, *x.shape[2:])
        out: Tensor = self.join(torch.cat([*(view(x) for view in self.views), whole], 1))
        return out


class PolarisedAttention(nn.Module):
    """Full resolution in one direction, collapsed in the other: first which channels matter, then which pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.channel_query, self.channel_value = nn.Conv2d(channels, 1, 1), nn.Conv2d(channels, half, 1)
        self.channel_out = nn.Conv2d(half, channels, 1)
        self.pixel_query, self.pixel_value = nn.Conv2d(channels, half, 1), nn.Conv2d(channels, half, 1)

    def forward(self, x: Tensor) -> Tensor:
        where = self.channel_query(x).flatten(2).softmax(2)
        summed = (self.channel_value(x).flatten(2) * where).sum(2)[..., None, None]
        x = x * torch.sigmoid(self.channel_out(summed))
        what = self.pixel_query(x).mean((2, 3), keepdim=True).softmax(1)
        return x * torch.sigmoid((self.pixel_value(x) * what).sum(1, keepdim=True))


class StripPyramid(nn.Module):
    """Means along whole rows and columns, and over coarse grids: context that reaches across the picture."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.along_rows = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)
        self.along_columns = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.pyramid = PyramidPooling(channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        strips = self.along_rows(x.mean(3, keepdim=True)) + self.along_columns(x.mean(2, keepdim=True))
        out: Tensor = self.pyramid(x * torch.sigmoid(self.gate(F.relu(strips))))
        return out


class Residual(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016)."""

    def __init__(self, before: int, after: int, norm: str, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(before, after, norm, stride=stride), conv(after, after, norm))
        self.around = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.around(x)
        return out


class MarsSeg(nn.Module):
    """(B, channels, H, W) -> (B, classes, H, W) logits; sides are multiples of 8."""

    def __init__(self, config: Config, channels: int, classes: int) -> None:
        super().__init__()
        width, norm = config.width, config.norm
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.extractor = nn.ModuleList(
            nn.Sequential(Residual(before, after, norm, 1 if level == 0 else 2), conv(after, after, norm))
            for level, (before, after) in enumerate(zip([channels, *widths], widths, strict=False))
        )
        self.connector = nn.ModuleList(
            nn.Sequential(DilatedBank(one, norm), PolarisedAttention(one)) for one in widths[:-1]
        )
        self.deep = nn.Sequential(StripPyramid(widths[-1], norm), nn.Dropout2d(config.dropout))
        self.decoder = nn.ModuleList(conv(3 * one, one, norm) for one in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = []
        for stage in self.extractor:
            x = stage(x)
            levels.append(x)
        x = self.deep(levels.pop())
        for connect, join in zip(reversed(self.connector), self.decoder, strict=True):
            fine = connect(levels.pop())
            x = join(torch.cat([fine, resized(x, fine)], 1))
        out: Tensor = self.head(x)
        return out
