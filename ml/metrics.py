"""What a prediction is worth: everything but the boundary score and the calibration comes from one confusion matrix.

Void pixels never count. The headline ``miou`` is the mean IoU over the foreground classes, false alarms on background
included. ``miou_on_foreground`` looks only at pixels whose truth is foreground (background treated as void), as the
founding course scored; it says nothing of false alarms. ``miou_all`` counts background as a class.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from ml.data import VOID
from ml.snapshot import Class

BINS = 15
_STRIP = 1 << 23  # pixels, counted once for each class, that are looked at together
REACH = 0.0075  # of the diagonal: how far a boundary may be off (Csurka, Larlus and Perronnin 2013)


class Tally:
    """Running counts over batches; ``reduce`` adds those of all processes."""

    def __init__(self, classes: Sequence[Class], device: torch.device) -> None:
        self._classes = tuple(classes)
        count = len(self._classes)
        if device.type == "mps":  # it has no float64
            device = torch.device("cpu")
        self.confusion = torch.zeros(count, count, dtype=torch.int64, device=device)
        self._calibration = torch.zeros(3, BINS, dtype=torch.float64, device=device)
        self._boundary = torch.zeros(4, count, dtype=torch.int64, device=device)
        self.loss = torch.zeros(2, 3, dtype=torch.float64, device=device)

    def add(self, probabilities: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Counts (B, C, H, W) probabilities against (B, H, W) targets, some rows of a picture or all, but for their
        boundaries; returns the confusion of each (B, C, C) and the likeliest classes (B, H, W)."""
        target = target.to(self.confusion.device)
        believed, predicted = probabilities.to(self.confusion.device).max(1)
        each = confusion(predicted, target, len(self._classes))
        self.confusion += each.sum(0)
        counted = target != VOID
        sure, right = believed[counted].double(), (predicted == target)[counted].double()
        bins = (sure * BINS).long().clamp(0, BINS - 1)
        for at, values in enumerate((torch.ones_like(sure), sure, right)):
            self._calibration[at].index_add_(0, bins, values)
        return each, predicted

    def add_boundaries(self, predicted: Tensor, target: Tensor) -> None:
        """Counts the boundaries of whole pictures: (B, H, W) of any whole dtype."""
        counts = boundary_counts(predicted, target, len(self._classes))
        self._boundary += counts.to(self._boundary.device)

    def reduce(self) -> None:
        for one in (self.confusion, self._calibration, self._boundary, self.loss):
            dist.all_reduce(one)

    def mean_loss(self) -> float:
        return float((self.loss[0] / self.loss[1].clamp_min(1e-12)).sum())

    def summary(self) -> dict[str, Any]:
        """All figures as plain numbers, ``None`` where a class never occurred."""
        figures = from_confusion(self.confusion.cpu(), self._classes)
        count, sure, right = self._calibration.cpu()
        figures["calibration_error"] = float((sure - right).abs().sum() / count.sum().clamp_min(1))
        figures["calibration"] = [
            {"count": int(n), "confidence": float(s / n), "accuracy": float(r / n)}
            for n, s, r in zip(count.tolist(), sure.tolist(), right.tolist(), strict=True)
            if n
        ]
        near, said, found, given = self._boundary.cpu().double()
        precision, recall = near / said, found / given
        score = (2 * precision * recall / (precision + recall)).nan_to_num(0.0)
        occurs = (said + given) > 0
        figures["boundary_f"] = _mean(
            [
                float(score[at]) if occurs[at] else None
                for at, one in enumerate(self._classes)
                if one.role == "foreground"
            ]
        )
        return figures


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """(B, C, C) pixels by truth (row) and prediction (column) of each picture; void left out."""
    count = len(target)
    cell = (torch.arange(count, device=target.device).view(-1, 1, 1) * classes + target) * classes + predicted
    return torch.bincount(cell[target != VOID], minlength=count * classes**2).view(count, classes, classes)


def from_confusion(matrix: Tensor, classes: Sequence[Class]) -> dict[str, Any]:
    """Figures of a (C, C) matrix of truth by prediction on the CPU."""
    names = [one.name for one in classes]
    foreground = [at for at, one in enumerate(classes) if one.role == "foreground"]
    counts = matrix.double()
    right, given, said = counts.diagonal(), counts.sum(1), counts.sum(0)
    iou = _ratios(right, given + said - right)
    dice = _ratios(2 * right, given + said)
    seen = counts[foreground]
    iou_seen = _ratios(seen[:, foreground].diagonal(), seen.sum(1) + seen.sum(0)[foreground] - right[foreground])
    return {
        "accuracy": float(right.sum() / counts.sum().clamp_min(1)),
        "miou": _mean([iou[at] for at in foreground]),
        "miou_on_foreground": _mean(iou_seen),
        "miou_all": _mean(iou),
        "dice": _mean([dice[at] for at in foreground]),
        "classes": {
            name: {"iou": iou[at], "precision": precision, "recall": recall, "pixels": int(given[at])}
            for at, (name, precision, recall) in enumerate(
                zip(names, _ratios(right, said), _ratios(right, given), strict=True)
            )
        },
        "confusion": matrix.tolist(),
    }


def boundary_counts(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """Boundary pixels of each class, (4, C): predicted ones near a given one, predicted, given near a predicted, given.

    Near is within 0.75 % of the diagonal, at least one pixel, by the larger of the two distances along the axes. Pixels
    within that reach of void don't count, as nobody said what is there. Of large pictures some rows are looked at a
    time, and those around them that say what is near.
    """
    height, width = target.shape[1:]
    reach = max(1, round(REACH * (height**2 + width**2) ** 0.5))
    rows = max(4 * reach, _STRIP // (width * classes))
    some = max(1, _STRIP // ((min(rows, height) + 4 * reach) * width))
    total = torch.zeros(4, classes, dtype=torch.int64, device=target.device)
    for top in range(0, height, rows):
        first = max(0, top - 2 * reach)
        here = slice(first, top + rows + 2 * reach)
        for least in range(0, classes, some):
            wanted = torch.arange(least, min(least + some, classes), device=target.device)
            found = _near(predicted[:, here], target[:, here], wanted, reach)
            total[:, wanted] += torch.stack(
                [one[:, :, top - first : top - first + rows].sum((0, 2, 3)) for one in found]
            )
    return total


def _near(predicted: Tensor, target: Tensor, wanted: Tensor, reach: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Which pixels ``boundary_counts`` counts of the ``wanted`` (C,) classes, (B, C, H, W) each."""
    counted = ~_grown((target == VOID).unsqueeze(1), reach)
    given = _boundaries(target, wanted) & counted
    said = _boundaries(predicted.masked_fill(target == VOID, VOID), wanted) & counted
    return said & _grown(given, reach), said, given & _grown(said, reach), given


def _boundaries(labels: Tensor, wanted: Tensor) -> Tensor:
    """(B, C, H, W): pixels of a class with a neighbour of another, below, above, left or right."""
    edge = torch.zeros_like(labels, dtype=torch.bool)
    below, beside = labels[:, 1:] != labels[:, :-1], labels[:, :, 1:] != labels[:, :, :-1]
    edge[:, 1:] |= below
    edge[:, :-1] |= below
    edge[:, :, 1:] |= beside
    edge[:, :, :-1] |= beside
    return (labels.unsqueeze(1) == wanted.view(1, -1, 1, 1)) & edge.unsqueeze(1)


def _grown(mask: Tensor, reach: int) -> Tensor:
    """(B, C, H, W): pixels with one of ``mask`` in the square around them, along each axis by stretches that double."""
    for axis in (2, 3):
        mask = F.pad(mask, (0, 0, reach, reach) if axis == 2 else (reach, reach))
        wanted, held = 2 * reach + 1, 1  # pixels of which each place says whether one is set, those from it on
        while held < wanted:
            by = min(held, wanted - held)
            mask = mask.narrow(axis, 0, mask.shape[axis] - by) | mask.narrow(axis, by, mask.shape[axis] - by)
            held += by
    return mask


def _ratios(above: Tensor, below: Tensor) -> list[float | None]:
    return [float(a / b) if b > 0 else None for a, b in zip(above.tolist(), below.tolist(), strict=True)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None
