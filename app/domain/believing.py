"""Whether a model's suggestions are worth having, and the sentences that say so."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.calibrate import Calibration

# With fewer flagged pixels that the model is sure of than this, what changes are worth can't be told.
_TOO_FEW = 1000


@dataclass(frozen=True)
class Changes:
    """Pixels that the model is sure of, and those of them that differ from the given mask: in held-out masks that
    nothing is said against (``usual``), and in flagged ones (``flagged``)."""

    usual_sure: int
    usual_differ: int
    flagged_sure: int
    flagged_differ: int

    @property
    def right(self) -> float | None:
        """The share of changes to flagged masks that should be right: what differs there beyond the usual. In masks
        that nothing is said against the model is taken to be wrong wherever it differs. None where it can't be told."""
        if self.flagged_sure < _TOO_FEW or not self.usual_sure or not self.flagged_differ:
            return None
        usual, here = self.usual_differ / self.usual_sure, self.flagged_differ / self.flagged_sure
        return max(0.0, 1 - usual / here)

    @property
    def help(self) -> bool:
        """Whether accepting would mend more pixels than it breaks."""
        return self.right is not None and self.right > 0.5


def promise(calibration: Calibration, names: Mapping[int, str]) -> str:
    """What to expect of suggested pixels, or why there are none; ``names``: of the classes."""
    held_out = f"{calibration.samples} held-out samples"
    believed = [one for one in calibration.thresholds if one.confidence is not None]
    if not believed:
        best = max(calibration.thresholds, key=lambda one: one.best or 0.0)
        nearest = f" at best {_percent(best.best)} ({names[best.class_id]})" if best.best is not None else " too little"
        return (
            f"The model is too weak to be believed: on {held_out} no class is right at {_percent(calibration.wished)} "
            f"with 95 % confidence, {nearest.strip()}. Fix more masks and train again, or ask for less precision."
        )
    without = [names[one.class_id] for one in calibration.thresholds if one.confidence is None]
    never = f" Never proposed, for want of precision: {', '.join(without)}." if without else ""
    if calibration.reached is None:
        return f"Too few held-out samples ({calibration.samples}) to try the thresholds on others.{never}"
    return (
        f"{_percent(calibration.reached)} of these pixels are expected right ({_percent(calibration.wished)} were "
        f"asked for), and {_percent(calibration.share)} of all pixels are proposed: measured on {held_out}.{never}"
    )


def judgement(changes: Changes) -> str:
    """What changes to flagged masks are worth."""
    if changes.right is None:
        return "What changes to flagged masks are worth can't be told: the model is sure of too little in them."
    usual, here = changes.usual_differ / changes.usual_sure, changes.flagged_differ / changes.flagged_sure
    seen = (
        f"Where it is sure, the model differs from {_percent(here)} of flagged pixels and from {_percent(usual)} of "
        f"others, so {_percent(changes.right)} of the changes should be right"
    )
    if changes.help:
        return f"{seen}: accepting them leaves fewer wrong pixels than there are."
    return f"{seen}: accepting them would make masks worse, so none are proposed."


def _percent(share: float | None) -> str:
    return "nothing" if share is None else f"{100 * share:.1f} %"
