"""Rounds of self-training: what each came to, which is kept, and the sentence that says so.

Round 0 learns from people's masks alone; each further one also from what the model of the round before was sure of in
samples without a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FIGURES = {"miou": "mean IoU", "miou_on_foreground": "mean IoU on foreground"}


@dataclass(frozen=True)
class Pseudo:
    """What a model said of samples without a mask. Of the ``pool`` it labelled ``samples``; it was believed in this
    ``share`` of all their pixels, those of ``classes``. ``precision``: how many such pixels are right on validation
    samples, by thresholds of other ones; None where there are too few to tell."""

    pool: int
    samples: int
    share: float
    precision: float | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """``miou`` and ``miou_on_foreground`` on validation, None where not measurable; ``test``: mean IoU there, of the
    rounds that were judged on it. ``pseudo``: what was learned from beside people's masks."""

    number: int
    miou: float | None
    miou_on_foreground: float | None
    best_epoch: int
    seconds: float
    pseudo: Pseudo | None = None
    test: float | None = None


def figure_of(monitor: str) -> str:
    """The figure that rounds are compared by: the one that picks epochs, but mean IoU in place of a loss. The loss of
    one round doesn't compare with that of another, since class weights follow what was learned from."""
    return monitor if monitor in FIGURES else "miou"


def best(rounds: Sequence[Round], figure: str) -> Round:
    """The round with the highest figure on validation; of equal ones the first."""
    return max(rounds, key=lambda one: (-1.0 if getattr(one, figure) is None else getattr(one, figure), -one.number))


def sentence(rounds: Sequence[Round], figure: str, reason: str = "") -> str:
    """What came of it. ``reason``: why there was no further round, where fewer were trained than were asked for."""
    kept, first = best(rounds, figure), rounds[0]
    told = []
    if len(rounds) > 1:
        told.append(_told(kept, first, figure))
        if kept.test is not None and first.test is not None and kept is not first:
            told.append(f"On the test samples, mean IoU {_percent(kept.test)} in place of {_percent(first.test)}.")
    return " ".join([*told, *([reason] if reason else [])])


def _told(kept: Round, first: Round, figure: str) -> str:
    if kept is first:
        return "No round did better on validation than people's masks alone, so the model of round 0 is kept."
    now, before = _percent(getattr(kept, figure)), _percent(getattr(first, figure))
    return f"Round {kept.number} did best on validation and is kept: {FIGURES[figure]} {now} in place of {before}."


def _percent(share: float | None) -> str:
    return "not measurable" if share is None else f"{100 * share:.1f} %"
