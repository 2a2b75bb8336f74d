"""Trains critics of masks: ``python -m ml.critic LESSONS --out FILE [--device auto] [--threads N]``.

A critic sees a picture, a mask on it and the class probabilities of a model that never saw the picture, and says
whether the mask was spoilt on purpose; on the way it has to point at the spoilt pixels. Two are trained, each on one
half of the lessons, to judge the other. What they have learned is written as plain arrays.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.config import Config, resolve
from ml.infer import autocast
from ml.lessons import Lessons, read_lessons, steps_for, write_critics
from ml.machine import enter, halves, in_config, timed
from ml.report import Emit, exit_status, silent, to_stdout

WIDTH, HIDDEN = 16, 32
PAIRS = 8  # of a batch: as many masks as given, and a spoilt copy of each
_RATE, _DECAY, _WARM = 3e-3, 1e-2, 0.1
_WHOLE = 0.3  # weight of the answer for the whole mask beside that for its pixels
SPOILT = 12  # cells of the mask; a copy that changed fewer is no spoilt mask


class Block(nn.Module):
    """A convolution of 3 x 3, batch norm, rectified."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)), inplace=True)

    def folded(self) -> list[Tensor]:
        """Weight and bias of the one convolution that, trained, does the same."""
        mean, variance = cast(Tensor, self.norm.running_mean), cast(Tensor, self.norm.running_var)
        scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
        return [self.convolution.weight * scale[:, None, None, None], self.norm.bias - mean * scale]


class Critic(nn.Module):
    """(B, 3 + 2 channels, h, w) -> logits of the cells (B, h / 2, w / 2) and of the masks (B,) to be spoilt."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = WIDTH
        self.blocks = nn.ModuleList(
            [
                *(Block(3 + 2 * channels, width, 2), Block(width, width)),
                *(Block(width, 2 * width, 2), Block(2 * width, 2 * width)),
                *(Block(2 * width, 4 * width, 2), Block(4 * width, 4 * width)),
            ]
        )
        self.up = nn.ModuleList([Block(6 * width, 2 * width), Block(3 * width, width)])
        self.cells = nn.Conv2d(width, 1, 1)
        self.whole = nn.Sequential(nn.Linear(8 * width, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        whole = self.whole(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))[:, 0]
        for up, skip in zip(self.up, (maps[3], maps[1]), strict=True):
            x = up(torch.cat([F.interpolate(x, size=skip.shape[2:]), skip], 1))
        return self.cells(x)[:, 0], whole

    def layers(self) -> list[NDArray[np.float32]]:
        """Weights and biases of what the answer for the whole mask needs, batch norms folded into convolutions."""
        dense = [cast(nn.Linear, self.whole[place]) for place in (0, 2)]
        out = [one for block in self.blocks for one in cast(Block, block).folded()]
        out += [one for layer in dense for one in (layer.weight, layer.bias)]
        return [one.detach().float().cpu().numpy().copy() for one in out]


def seen(pictures: Tensor, chances: Tensor, masks: Tensor) -> Tensor:
    """(B, 3, h, w), (B, channels, h / 2, w / 2) and (B, h, w), uint8, as the network takes them."""
    places = F.one_hot(masks.long(), chances.shape[1]).permute(0, 3, 1, 2).float()
    chance = F.interpolate(chances.float() / 255 * 2 - 1, scale_factor=2)
    x = torch.cat([(pictures.float() - 128) / 48, places * 2, chance], 1)
    return x.contiguous(memory_format=torch.channels_last)


def train(
    lessons: Lessons, config: Config, *, seed: int = 0, emit: Emit = silent
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """The layers of the critic for half 0 and of that for half 1, the precision measured where it is "auto"."""
    steps, out = steps_for(len(lessons.halves)), []
    for half in (0, 1):
        others = np.flatnonzero(lessons.halves != half)

        def say(done: int, before: int = half * steps) -> None:
            if done % 10 == 0:
                emit("critic", step=before + done, steps=2 * steps)

        out.append(_one(lessons, others, steps, config, seed + half, say))
    return out[0], out[1]


def _one(
    lessons: Lessons, chosen: NDArray[np.int64], steps: int, config: Config, seed: int, say: Callable[[int], None]
) -> list[NDArray[np.float32]]:
    device = enter(config).device
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    settled = resolve(config, layout="channels_last")
    network = in_config(Critic(lessons.chances.shape[1]).to(device), settled)
    if config.precision == "auto":
        settled = _quickest(deepcopy(network), _batch(lessons, chosen[:PAIRS], rng, device), settled, device)
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps, pct_start=_WARM)
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        _descend(network, _batch(lessons, rng.choice(chosen, PAIRS), rng, device), settled, device)
        optimizer.step()
        schedule.step()
        say(step + 1)
    return cast(Critic, network.eval()).layers()


def _descend(network: nn.Module, batch: tuple[Tensor, Tensor], config: Config, device: torch.device) -> None:
    """Gradients of the loss: of each cell the share that is spoilt, and of each mask whether it is."""
    x, wrong = batch
    with autocast(config, device):
        cells, whole = network(x)
    loss = F.binary_cross_entropy_with_logits(cells.float(), F.avg_pool2d(wrong[:, None], 2)[:, 0])
    spoilt = (wrong.sum((1, 2)) >= SPOILT).float()
    loss = loss + _WHOLE * F.binary_cross_entropy_with_logits(whole.float(), spoilt)
    loss.backward()  # type: ignore[no-untyped-call]


def _quickest(network: nn.Module, batch: tuple[Tensor, Tensor], config: Config, device: torch.device) -> Config:
    tried = [resolve(config, precision=one) for one in ("fp32", *halves(device))]
    seconds = []
    for one in tried:
        _descend(network, batch, one, device)
        seconds.append(min(timed(lambda how=one: _descend(network, batch, how, device), device) for _ in range(2)))  # type: ignore[misc]
    return tried[int(np.argmin(seconds))]


def _batch(
    lessons: Lessons, rows: NDArray[np.int64], rng: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Of each row the mask as given and a spoilt copy, half of the rows mirrored; and which cells are spoilt."""
    copies = rng.integers(1, lessons.masks.shape[1], rows.size)
    given, spoilt = lessons.masks[rows, 0], lessons.masks[rows, copies]
    mirrored = torch.from_numpy(np.tile(rng.random(rows.size) < 0.5, 2))

    def turned(values: NDArray[np.uint8]) -> Tensor:
        all = torch.from_numpy(np.ascontiguousarray(values))
        return torch.where(mirrored.view(-1, *[1] * (all.ndim - 1)), all.flip(-1), all).to(device)

    masks = turned(np.concatenate([given, spoilt]))
    wrong = turned(np.concatenate([np.zeros_like(given), (given != spoilt).astype(np.uint8)])).float()
    pictures, chances = (turned(np.concatenate([of[rows]] * 2)) for of in (lessons.pictures, lessons.chances))
    return seen(pictures, chances, masks), wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.critic", description="Trains critics of masks.")
    parser.add_argument("lessons", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)

    def work() -> int:
        lessons = read_lessons(given.lessons)
        config = Config(device=given.device, threads=given.threads)
        write_critics(given.out, train(lessons, config, seed=given.seed, emit=to_stdout), lessons.hash)
        to_stdout("end", critics=str(given.out))
        return 0

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
