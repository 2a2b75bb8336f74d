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
        for index in self._background:
            target = target.masked_fill(target == index, VOID)
        logits = logits.float()
        nothing = logits.sum() * 0
        sums, counts = [nothing, nothing, nothing], [nothing.detach()] * 3
        cross_entropy, focal, dice = self._shares
        if cross_entropy or focal:
            counted = torch.where(target == VOID, 0.0, 1.0) if weight is None else weight * (target != VOID)
            if self._weights is not None:
                counted = counted * self._weights.to(target.device)[target.clamp_min(0)]
            surprise = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
            total = counted.sum()
            sums[0], counts[0] = cross_entropy * (surprise * counted).sum(), total
            if focal:
                easy = 1 - torch.exp(-surprise)
                sums[1], counts[1] = focal * (easy**self._gamma * surprise * counted).sum(), total
        if dice:
            overlap, present = _dice(logits, target, weight)
            sums[2], counts[2] = dice * ((1 - overlap) * present).sum(), present.sum()
        return torch.stack(sums), torch.stack(counts)


def _dice(logits: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Soft Dice coefficient of each picture and class, and 1.0 where the class is present: both (B, C)."""
    counted = (target != VOID).float() if weight is None else weight * (target != VOID)
    counted = counted.unsqueeze(1)
    given = F.one_hot(target.clamp_min(0), logits.shape[1]).permute(0, 3, 1, 2) * counted
    believed = logits.softmax(1) * counted
    both = (believed * given).sum((2, 3))
    size = believed.sum((2, 3)) + given.sum((2, 3))
    return (2 * both + 1e-6) / (size + 1e-6), (given.sum((2, 3)) > 0).float()
