"""A network judged on samples: figures over all of them, and the confusion of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ml.config import Config
from ml.data import Item, Pictures, Scaling
from ml.infer import of_pictures
from ml.losses import Loss
from ml.machine import World
from ml.metrics import Tally, from_confusion
from ml.snapshot import Class, Row


@dataclass(frozen=True)
class Judge:
    """What judging needs besides a network and samples."""

    pictures: Pictures
    scaling: Scaling
    classes: tuple[Class, ...]
    loss: Loss
    config: Config
    world: World

    def figures(self, network: nn.Module, rows: Sequence[Row]) -> dict[str, Any]:
        """Loss and metrics over ``rows``, which all processes share out among themselves."""
        tally = Tally(self.classes, self.world.device)
        self._run(network, rows[self.world.rank :: self.world.size], tally, flips=False)
        if self.world.size > 1:
            tally.reduce()
        return {"loss": tally.mean_loss(), **tally.summary()}

    def each(
        self, network: nn.Module, rows: Sequence[Row], *, flips: bool
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Figures by this process alone, and key, group, mean IoU and confusion of each sample, worst first."""
        tally = Tally(self.classes, self.world.device)
        samples = [
            {
                "key": row.key,
                "group": row.group,
                "miou": from_confusion(matrix, self.classes)["miou"],
                "confusion": matrix.tolist(),
            }
            for row, matrix in self._run(network, rows, tally, flips=flips)
        ]
        samples.sort(key=lambda one: (one["miou"] is None, one["miou"], one["key"]))
        return {"loss": tally.mean_loss(), **tally.summary()}, samples

    def _run(
        self, network: nn.Module, rows: Sequence[Row], tally: Tally, *, flips: bool
    ) -> list[tuple[Row, torch.Tensor]]:
        network.eval()
        found: list[tuple[Row, torch.Tensor]] = []
        device = self.world.device
        for some in alike(rows, self.config):
            batch = self.pictures.gather([Item(row) for row in some], whole=True)
            stored, given, weights = batch.image.to(device), batch.target.to(device), batch.weight
            del batch
            likeliest = torch.empty_like(given)
            each, losses = [], []
            for top, believed in of_pictures(network, stored, self.scaling, self.config, flips=flips):
                here = slice(top, top + believed.shape[2])
                target = given[:, here].long()
                weight = None if weights is None else weights[:, here].to(device)
                losses.append(self.loss.sums(believed.clamp_min(1e-12).log(), target, weight))
                matrices, likeliest[:, here] = tally.add(believed, target)
                each.append(matrices)
            del stored  # of a large picture the boundaries take as much room
            tally.add_boundaries(likeliest, given)
            pixels, overlaps = (torch.stack(parts).sum(0) for parts in zip(*losses, strict=True))
            tally.loss += torch.stack(self.loss.settled(pixels, overlaps)).to(tally.loss.device).double()
            found += zip(some, torch.stack(each).sum(0).cpu(), strict=True)
        return found


def alike(rows: Sequence[Row], config: Config) -> Iterator[list[Row]]:
    """Rows of one size together, in batches; those larger than a cut one by one."""
    waiting: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        size = row.shape[:2]
        some = waiting.setdefault(size, [])
        some.append(row)
        if len(some) == config.batch or max(size) > config.crop:
            yield waiting.pop(size)
    yield from waiting.values()
