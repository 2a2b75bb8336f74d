"""U-Net (Ronneberger, Fischer and Brox 2015), with batch norm and same-size convolutions, and what is built onto it.

An encoder halves the picture ``depth`` times and doubles the channels, a bottleneck sees the most context, a decoder
upsamples and joins what the encoder saw at the same size. Options: residual blocks (He et al. 2016),
squeeze-and-excitation (Hu et al. 2018), attention gates (Oktay et al. 2018), a pyramid pooling module (Zhao et al.
2017) and transformer blocks (Vaswani et al. 2017) at the bottleneck.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import Config
from ml.layers import PixelAttention, PyramidPooling, SqueezeExcitation, conv, heads_for, normalisation


class Block(nn.Module):
    """Two convolutions; with ``residual`` what came in is added, with ``squeeze`` the channels are weighed."""

    def __init__(self, before: int, after: int, config: Config) -> None:
        super().__init__()
        self.first = conv(before, after, config.norm)
        self.second = nn.Sequential(
            nn.Conv2d(after, after, 3, padding=1, bias=False), normalisation(config.norm, after)
        )
        self.squeeze = SqueezeExcitation(after) if config.squeeze_excitation else nn.Identity()
        self.around = nn.Conv2d(before, after, 1, bias=False) if config.residual else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.squeeze(self.second(self.first(x)))
        return F.relu(out if self.around is None else out + self.around(x), inplace=True)


class AttentionGate(nn.Module):
    """A skip connection is dimmed where the coarser map sees nothing of interest."""

    def __init__(self, skip: int, coarse: int) -> None:
        super().__init__()
        self.of_skip = nn.Conv2d(skip, skip, 1)
        self.of_coarse = nn.Conv2d(coarse, skip, 1, bias=False)
        self.open = nn.Conv2d(skip, 1, 1)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        return skip * torch.sigmoid(self.open(F.relu(self.of_skip(skip) + self.of_coarse(coarse))))


class UNet(nn.Module):
    """(B, channels, H, W) -> (B, classes, H, W) logits; sides are multiples of 2**depth."""

    def __init__(self, config: Config, channels: int, classes: int) -> None:
        super().__init__()
        widths = [config.width * 2**level for level in range(config.depth + 1)]
        self.encoder = nn.ModuleList(
            Block(before, after, config) for before, after in zip([channels, *widths], widths, strict=False)
        )
        deepest = widths[-1]
        context: list[nn.Module] = []
        if config.pyramid_pooling:
            context.append(PyramidPooling(deepest, config.norm))
        if config.transformer_bottleneck:
            heads = heads_for(deepest)
            context += [PixelAttention(deepest, heads, widening=2, dropout=config.dropout) for _ in range(2)]
        self.context = nn.Sequential(*context, nn.Dropout2d(config.dropout))
        self.gates = nn.ModuleList(
            AttentionGate(width, 2 * width) if config.attention_gates else nn.Identity()
            for width in reversed(widths[:-1])
        )
        self.decoder = nn.ModuleList(Block(3 * width, width, config) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(config.width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        x = self.context(skips.pop())
        for gate, block in zip(self.gates, self.decoder, strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            skip = skips.pop()
            if isinstance(gate, AttentionGate):
                skip = gate(skip, x)
            x = block(torch.cat([skip, x], 1))
        out: Tensor = self.head(x)
        return out
