"""Segments: connected regions of one given class, with what speaks for and against the class they are given."""

from dataclasses import dataclass

import numpy as np

from app.domain.detector.disagreements import LEAST_PIXELS, MOST, away_from
from app.domain.detector.expect import Expected
from app.domain.detector.ground import Ground, Laid, colours_of
from app.domain.detector.predicted import F32, F64, I64, Bool
from app.domain.detector.sums import Kept

NAMES = (
    "log_area", "mean", "excess", "excess_root", "excess_inside", "excess_rim", "disagreement", "best_other", "pair",
    "share_other", "share", "void", "edge", "roughness", "extent", "aspect", "colour_own", "colour_other",
    "moved_gain", "moved_rise", "entropy", "border", "image_surprise", "image_disagreement", "seen_elsewhere",
)  # fmt: skip
_SHAPE = ("log_area", "edge", "roughness", "extent", "aspect")


@dataclass(frozen=True)
class Segments:
    """``labels`` (H, W): 1.. for the segments kept, 0 elsewhere. Of each: ``rows``, its label among all components of
    the mask; features (n, len(NAMES)); the channel given; the likeliest other one (never void); and ``evidence``
    (n, m), what a reader of segments looks at: mean log p, share seen and share of the neighbourhood for every
    channel, then mean colour and shape."""

    labels: I64
    features: F32
    given: I64
    other: I64
    pixels: F64
    evidence: F32
    rows: I64

    def column(self, name: str) -> F32:
        return self.features[:, NAMES.index(name)]


def segments_of(
    ground: Ground, laid: Laid, found: tuple[I64, int], expected: Expected, void: tuple[bool, ...]
) -> Segments:
    """The segments of at least LEAST_PIXELS, the MOST largest; ``found`` are the components of the mask."""
    log, mask = ground.scene.log, laid.mask
    channels = log.shape[2]
    labels, count = found
    pixels = np.bincount(labels.ravel(), minlength=count)
    some = np.empty(count, np.int64)
    some[labels.ravel()] = np.arange(labels.size)
    rows = np.flatnonzero(pixels >= LEAST_PIXELS)
    if rows.size > MOST:
        rows = np.sort(rows[np.argsort(-pixels[rows], kind="stable")[:MOST]])
    kept = Kept(labels, count, rows)
    given = mask.ravel()[some[rows]]
    here = np.arange(rows.size)
    by_class = np.stack([kept.mean(log[:, :, c]) for c in range(channels)], axis=1)
    own = by_class[here, given]
    rivals = by_class.copy()
    rivals[here, given] = -np.inf
    is_void = np.array(void)
    if not is_void.all():
        rivals[:, is_void] = -np.inf  # void is no alternative: it says nothing of what there is
    other = rivals.argmax(axis=1)
    best_other = np.where(np.isfinite(rivals[here, other]), rivals[here, other] - own, 0.0)
    pairs = np.bincount((kept.labels * channels + ground.scene.top).ravel(), minlength=kept.count * channels)
    seen = pairs.reshape(kept.count, channels)[1:] / kept.pixels[1:, None]
    around = _around(kept, labels, mask, channels)
    area = kept.pixels[1:]
    extent, aspect, border = kept.shape()
    colour = colours_of(ground, kept.labels, kept.count, kept.pixels)[1:]
    gain, rise = _moved(log, kept, given, own, ground.unit)
    rim = laid.distance < 2.5
    columns = {
        "log_area": np.log(area),
        "mean": kept.mean(laid.surprise),
        "excess": kept.mean(laid.excess),
        "excess_root": kept.mean(laid.scaled) * np.sqrt(area),
        "excess_inside": kept.mean_where(laid.scaled, ~rim),
        "excess_rim": kept.mean_where(laid.scaled, rim),
        "disagreement": kept.mean(laid.differs),
        "best_other": best_other,
        "pair": expected.pairs[given, other],
        "share_other": expected.share[other],
        "share": expected.share[given],
        "void": is_void[given],
        "edge": kept.mean_where(ground.edge, laid.edge),
        "roughness": kept.mean(laid.edge) * np.sqrt(area),
        "extent": extent,
        "aspect": aspect,
        "colour_own": away_from(colour, laid.colours, given),
        "colour_other": away_from(colour, laid.colours, other),
        "moved_gain": gain,
        "moved_rise": rise,
        "entropy": kept.mean(ground.entropy),
        "border": border,
        "image_surprise": np.full(rows.size, laid.scaled.mean()),
        "image_disagreement": np.full(rows.size, laid.differs.mean()),
        "seen_elsewhere": np.log((laid.agreed[other] + 1) / mask.size),
    }
    features = np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)
    shape = np.nan_to_num(np.stack([columns[name] for name in _SHAPE], axis=1))
    evidence = np.concatenate([by_class, seen, around, colour, shape], axis=1).astype(np.float32)
    return Segments(kept.labels, features, given, other, area, evidence, rows)


def _around(kept: Kept, labels: I64, mask: I64, channels: int) -> F64:
    """(n, channels): which classes lie on the other side of each segment's boundary, as shares."""
    beside = np.zeros(kept.count * channels)
    for axis in (0, 1):
        one, two = (slice(1, None), slice(None)), (slice(None, -1), slice(None))
        if axis:
            one, two = one[::-1], two[::-1]
        crossing: Bool = labels[one] != labels[two]
        for near, far in ((one, two), (two, one)):
            key = (kept.labels[near] * channels + mask[far])[crossing]
            beside += np.bincount(key, minlength=beside.size)
    table = beside.reshape(kept.count, channels)[1:]
    out: F64 = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return out


def _moved(log: F32, kept: Kept, given: I64, own: F64, unit: float) -> tuple[F64, F64]:
    """How much better each segment would fit (mean log p of its class) a few pixels off, at best and over the mean."""
    place = np.concatenate(([0], given))[kept.labels]
    height, width = place.shape
    best = np.full(kept.count - 1, -np.inf)
    mean = np.zeros(kept.count - 1)
    steps = [(y, x) for far in (3, 7) for y in (-far, 0, far) for x in (-far, 0, far) if y or x]
    for down, right in steps:
        rows = np.clip(np.arange(height) + round(down * unit), 0, height - 1)
        columns = np.clip(np.arange(width) + round(right * unit), 0, width - 1)
        fit = kept.mean(log[rows[:, None], columns[None, :], place]) - own
        best = np.maximum(best, fit)
        mean += fit / len(steps)
    return best, best - mean
