"""Pictures that are no use as they are: blank, too dark, too bright, clipped, blurred, tiny, or with broken pixels.

Blank, clipped and broken are told from the picture alone; dark, bright, blurred and tiny only count where the rest of
the set is otherwise, so that a set of night pictures has no flags.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import ndimage

from app.domain.checks.base import Finding, Group, Look, View
from app.domain.checks.luma import luma
from app.domain.checks.robust import Values, deviation, odd
from app.domain.classes import ClassList
from app.domain.picture import Pixels

# Fewer pictures than this don't tell what is usual in a set.
FEWEST = 8
_SIDE = 512
_TINY = 16


@dataclass(frozen=True)
class _Light:
    """``low``, ``middle``, ``high``: 2nd, 50th, 98th percentile in the picture's own units; ``black`` and ``white``:
    shares of pixels at the very ends; ``sharp``: log of fine over coarse grain; ``broken``: share that isn't finite."""

    kind: str
    low: float
    middle: float
    high: float
    black: float
    white: float
    sharp: float
    broken: float
    side: int
    pixels: int


class BadImage:
    name: ClassVar[str] = "bad_image"
    title: ClassVar[str] = "Picture of no use"
    subject: ClassVar[Literal["mask", "image"]] = "image"
    version: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def __init__(self, _classes: ClassList) -> None:
        self._seen: dict[int, _Light] = {}

    def see(self, view: View) -> None:
        """Keeps about 200 bytes."""
        self._seen[view.sample] = _light(view.image)

    def notes(self) -> list[Any]:
        return [(sample, *astuple(one)) for sample, one in self._seen.items()]

    def add(self, notes: list[Any]) -> None:
        self._seen.update((sample, _Light(*told)) for sample, *told in notes)

    def finish(self, look: Look) -> Iterator[Finding | Group]:  # noqa: ARG002  (has no need to look again)
        """A finding for every sample, told by its worst cue; no groups."""
        samples = sorted(self._seen)
        if not samples:
            return
        cues = _cues([self._seen[sample] for sample in samples])
        for i, sample in enumerate(samples):
            cue = max(cues, key=lambda cue: float(cues[cue][i]))
            score = float(cues[cue][i])
            flagged = score >= self.threshold
            yield Finding(sample, score, flagged, _reason(cue, self._seen[sample]) if flagged else "")


def _light(image: Pixels) -> _Light:
    broken = float(1 - np.isfinite(image).mean()) if image.dtype.kind == "f" and image.size else 0.0
    values = luma(image, _SIDE)
    low, middle, high = (float(v) for v in np.quantile(values, (0.02, 0.5, 0.98)))
    bottom, top = float(values.min()), float(values.max())
    fine = ndimage.gaussian_filter(values, 0.7)
    coarse = ndimage.gaussian_filter(values, 1.8)
    grain, form = float((values - fine).std()), float((fine - coarse).std())
    sharp = float(np.log((grain + 1e-3 * (form + 1e-9)) / (form + 1e-9)))
    # A picture that was clipped repeats its own smallest or largest value, whatever its dtype could hold.
    black, white = float((values <= bottom).mean()), float((values >= top).mean())
    kind = image.dtype.str if image.dtype.kind in "uib" else "float"
    height, width = image.shape[:2]
    return _Light(kind, low, middle, high, black, white, sharp, broken, int(min(height, width)), int(height * width))


def _cues(seen: list[_Light]) -> dict[str, Values]:
    tops: dict[str, float] = {}
    for one in seen:
        tops[one.kind] = max(tops.get(one.kind, 1e-9), one.high, 255.0 if one.kind.endswith("u1") else 0.0)
    top = np.array([tops[one.kind] for one in seen])
    low, middle, high = (np.array([getattr(one, name) for one in seen]) for name in ("low", "middle", "high"))
    black, white = np.array([one.black for one in seen]), np.array([one.white for one in seen])
    spread = (high - low) / top
    enough = len(seen) >= FEWEST
    zero = np.zeros(len(seen))
    blank = np.clip(1 - spread / 0.04, 0, 1)
    clipped = np.maximum(_beyond(black), _beyond(white)) * (blank < 0.5)
    lit, shade = np.log(np.maximum(high / top, 1e-3)), np.log(np.maximum(1 - low / top, 1e-3))
    pixels = np.log([one.pixels for one in seen])
    tiny = np.where(np.array([one.side for one in seen]) < _TINY, 0.75, 0.0)
    return {
        "broken": np.where(np.array([one.broken for one in seen]) > 0, 0.9, 0.0),
        "blank": blank,
        "clipped": clipped,
        "dark": np.where(middle / top < 0.2, odd(-deviation(lit, 0.15), 5.0), 0) if enough else zero,
        "bright": np.where(middle / top > 0.8, odd(-deviation(shade, 0.15), 5.0), 0) if enough else zero,
        "blurred": odd(-deviation(np.array([one.sharp for one in seen]), 0.1), 3.5) * (blank < 0.5) if enough else zero,
        "tiny": np.maximum(tiny, odd(-deviation(pixels, 0.35), 5.0)) if enough else tiny,
    }


def _beyond(share: Values) -> Values:
    """0.5 where half of the pixels more than usual lie at one end."""
    out: Values = np.clip(share - np.median(share), 0, 1) if len(share) >= FEWEST else share
    return out


def _reason(cue: str, one: _Light) -> str:
    if cue == "clipped":
        share, end = max((one.black, "darkest"), (one.white, "brightest"))
        return f"{100 * share:.0f} % of the pixels are clipped at the {end} value."
    return {
        "broken": f"{100 * one.broken:.2g} % of the pixels are not numbers.",
        "blank": "The picture is blank: its pixels hardly differ.",
        "dark": "The picture is far darker than the others of the set.",
        "bright": "The picture is far brighter than the others of the set.",
        "blurred": "The picture is far more blurred than the others of the set.",
        "tiny": f"The picture is tiny: {one.pixels:,} pixels, the shorter side {one.side}.",
    }[cue]
