"""Losses as sums over what counts, each over its own total: so that processes that share a batch agree exactly.

Cross-entropy; focal loss (Lin et al. 2017): cross-entropy times (1 - p)^gamma; soft Dice (Milletari, Navab and Ahmadi
2016), by picture over the classes that are present in it. Class weights are 1/sqrt(frequency), of mean 1.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.config import Config
from ml.data import VOID
from ml.errors import Broken
from ml.snapshot import Class


def class_weights(classes: Sequence[Class], pixels: Mapping[int, int]) -> Tensor:
    """1/sqrt(frequency) of each class, mean 1 over the classes that occur; 0 for one that doesn't."""
    counts = torch.tensor([float(pixels.get(one.id, 0)) for one in classes])
    weights = torch.where(counts > 0, counts.clamp_min(1).rsqrt(), 0.0)
    return weights * (counts > 0).sum() / weights.sum()


def insist_on_number(loss: Tensor, epoch: int) -> None:
    """Raises Broken where ``loss`` is infinite or NaN."""
    if not bool(torch.isfinite(loss)):
        raise Broken(
            f"The loss is no number in epoch {epoch}; the checkpoint of the epoch before stands. "
            "Lower learning_rate, or set precision to fp32."
        )


class Loss:
    """The weighted sum of a config. ``weights``: (classes,) or None; ``background``: indices that teach nothing."""

    def __init__(self, config: Config, weights: Tensor | None, background: Sequence[int] = ()) -> None:
        self._shares = (config.cross_entropy, config.focal, config.dice)
        self._gamma = config.focal_gamma
        self._weights = weights
        self._background = tuple(background) if config.ignore_background else ()

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        total: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The loss of (B, C, H, W) logits against (B, H, W) targets with VOID, as a scalar.

        ``weight``: (B, H, W), what each pixel counts. ``total``: turns the sums of this process into the mean over all
        processes. A batch in which nothing counts has loss 0.
        """
        sums, counts = self.parts(logits, target, weight)
        return (sums / (counts if total is None else total(counts)).clamp_min(1e-8)).sum()

    def parts(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighted sums of cross-entropy, focal and Dice loss, and what each is divided by: two of shape (3,)."""
        return self.settled(*self.sums(logits, target, weight))

    def sums(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What ``parts`` follow from, to be added up over the bands of a large picture: (3,) cross-entropy, focal loss
        and what both are divided by; (3, B, C) what Dice is made of, zeros without it."""
        for index in self._background:
            target = target.masked_fill(target == index, VOID)
        logits = logits.float()
        nothing = logits.sum() * 0
        pixels = [nothing, nothing, nothing.detach()]
        cross_entropy, focal, dice = self._shares
        if cross_entropy or focal:
            counted = torch.where(target == VOID, 0.0, 1.0) if weight is None else weight * (target != VOID)
            if self._weights is not None:
                counted = counted * self._weights.to(target.device)[target.clamp_min(0)]
            surprise = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
            pixels[0], pixels[2] = (surprise * counted).sum(), counted.sum()
            if focal:
                easy = 1 - torch.exp(-surprise)
                pixels[1] = (easy**self._gamma * surprise * counted).sum()
        overlaps = _overlaps(logits, target, weight) if dice else logits.new_zeros(3, *logits.shape[:2])
        return torch.stack(pixels), overlaps

    def settled(self, pixels: Tensor, overlaps: Tensor) -> tuple[Tensor, Tensor]:
        """``parts`` from ``sums``."""
        cross_entropy, focal, dice = self._shares
        both, size, given = overlaps
        present = (given > 0).float()
        overlap = (2 * both + 1e-6) / (size + 1e-6)
        sums = [cross_entropy * pixels[0], focal * pixels[1], dice * ((1 - overlap) * present).sum()]
        total = pixels[2].detach()
        return torch.stack(sums), torch.stack([total, total if focal else total * 0, present.sum()])


def _overlaps(logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """Of each picture and class what believed and given have in common, both together, and what is given: (3, B, C)."""
    counted = (target != VOID).float() if weight is None else weight * (target != VOID)
    counted = counted.unsqueeze(1)
    given = F.one_hot(target.clamp_min(0), logits.shape[1]).permute(0, 3, 1, 2) * counted
    believed = logits.softmax(1) * counted
    present = given.sum((2, 3))
    return torch.stack([(believed * given).sum((2, 3)), believed.sum((2, 3)) + present, present])
