"""Disagreements: connected regions of one given class in which the model sees one other class, and their features.

Every feature is blind to which class is which (only how common it is), to flips and to transposition.
"""

from dataclasses import dataclass

import numpy as np

from app.domain.detector.components import components
from app.domain.detector.expect import Expected
from app.domain.detector.ground import Ground, Laid, colours_of
from app.domain.detector.predicted import F32, F64, I64
from app.domain.detector.sums import Kept, total

LEAST_PIXELS = 5
MOST = 300
NAMES = (
    "log_area", "log_sum", "mean", "peak", "excess", "excess_root", "entropy", "margin", "thickness", "distance",
    "on_boundary", "extent", "aspect", "of_segment", "of_part", "part_log_area", "segment_log_area", "pair",
    "share_given", "share_seen", "void_given", "void_seen", "edge_given", "edge_seen", "colour_given", "colour_seen",
    "seen_elsewhere", "image_surprise", "image_disagreement", "border",
)  # fmt: skip


@dataclass(frozen=True)
class Disagreements:
    """``labels`` (H, W): 1.. for the disagreements kept, 0 elsewhere; of each: features (n, len(NAMES)), the channel
    given, the one seen, and the
    label of the segment that it lies in."""

    labels: I64
    features: F32
    given: I64
    seen: I64
    pixels: F64
    segment: I64

    def column(self, name: str) -> F32:
        return self.features[:, NAMES.index(name)]


def away_from(colours: F64, of_class: F64, place: I64) -> F64:
    """How far each colour lies from that of its class in this picture; NaN where the class has none."""
    away: F64 = np.sqrt(((colours - of_class[place]) ** 2).sum(axis=1))
    return away


def disagreements_of(
    ground: Ground, laid: Laid, segments: I64, segment_areas: F64, expected: Expected, void: tuple[bool, ...]
) -> Disagreements:
    """At most MOST of at least LEAST_PIXELS, those of the greatest summed surprise."""
    top, mask = ground.scene.top, laid.mask
    channels = ground.scene.log.shape[2]
    labels, count = components(np.where(laid.differs, mask * channels + top, -1))
    pixels = np.bincount(labels.ravel(), minlength=count)
    some = np.empty(count, np.int64)
    some[labels.ravel()] = np.arange(labels.size)
    sums = total(labels, count, laid.surprise)
    rows = np.flatnonzero(laid.differs.ravel()[some] & (pixels >= LEAST_PIXELS))
    if rows.size > MOST:
        rows = np.sort(rows[np.argsort(-sums[rows], kind="stable")[:MOST]])
    kept = Kept(labels, count, rows)
    pixel = some[rows]
    given, seen = mask.ravel()[pixel], top.ravel()[pixel]
    segment_area = segment_areas[segments.ravel()[pixel]]
    part_area = ground.part_areas[ground.parts.ravel()[pixel]]
    if not rows.size:
        return Disagreements(kept.labels, np.zeros((0, len(NAMES)), np.float32), given, seen, kept.pixels[1:], rows)
    area = kept.pixels[1:]
    extent, aspect, border = kept.shape()
    colour = colours_of(ground, kept.labels, kept.count, kept.pixels)[1:]
    is_void = np.array(void)
    columns: dict[str, F64 | F32 | np.ndarray[tuple[int, ...], np.dtype[np.bool_]]] = {
        "log_area": np.log(area),
        "log_sum": np.log1p(sums[rows]),
        "mean": kept.mean(laid.surprise),
        "peak": kept.peak(laid.surprise),
        "excess": kept.mean(laid.excess),
        "excess_root": kept.mean(laid.scaled) * np.sqrt(area),
        "entropy": kept.mean(ground.entropy),
        "margin": kept.mean(ground.margin),
        "thickness": kept.peak(np.minimum(laid.distance, ground.outline_distance)),
        "distance": kept.mean(laid.distance),
        "on_boundary": kept.mean(laid.edge),
        "extent": extent,
        "aspect": aspect,
        "of_segment": area / segment_area,
        "of_part": area / part_area,
        "part_log_area": np.log(part_area),
        "segment_log_area": np.log(segment_area),
        "pair": expected.pairs[given, seen],
        "share_given": expected.share[given],
        "share_seen": expected.share[seen],
        "void_given": is_void[given],
        "void_seen": is_void[seen],
        "edge_given": kept.mean_where(ground.edge, laid.edge),
        "edge_seen": kept.mean_where(ground.edge, ground.outline),
        "colour_given": away_from(colour, laid.colours, given),
        "colour_seen": away_from(colour, laid.colours, seen),
        "seen_elsewhere": np.log((laid.agreed[seen] + 1) / mask.size),
        "image_surprise": np.full(rows.size, laid.scaled.mean()),
        "image_disagreement": np.full(rows.size, laid.differs.mean()),
        "border": border,
    }
    features = np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)
    return Disagreements(kept.labels, features, given, seen, area, segments.ravel()[pixel])
