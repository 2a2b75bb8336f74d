"""A mask as a whole, laid over its scene: the features of an image, and the scores of an image that assume nothing
about the kind of error."""

import numpy as np

from app.domain.detector.expect import NEAR, Expected, boundary_of, distance_to, surprise_of
from app.domain.detector.ground import Ground, Laid, colours_of
from app.domain.detector.predicted import F32, I64

SMALL = 30
FAR = 15.0
NAMES = (
    "boundary_excess", "far_excess", "surprise", "softmin", "surprised", "disagreement", "excess_median",
    "boundary_excess_75", "boundary_excess_90", "given_boundary", "seen_boundary", "plainness", "edge_given",
    "edge_seen", "seen_to_given", "given_to_seen", "given_to_seen_median", "edge_far", "entropy", "entropy_far",
    "segments", "parts", "small_segments", "small_parts", "straight_most", "straight_least", "moved_gain", "moved_rise",
    "mix", "lost",
)  # fmt: skip


def laid_over(ground: Ground, mask: I64, expected: Expected) -> Laid:
    channels = ground.scene.log.shape[2]
    edge = boundary_of(mask)
    distance = distance_to(edge)
    surprise = surprise_of(ground.scene, mask)
    excess, scaled = expected.excess(surprise, mask, distance)
    differs = mask != ground.scene.top
    agreeing = np.where(differs, channels, mask)
    agreed = np.bincount(agreeing.ravel(), minlength=channels + 1).astype(np.float64)
    colours = colours_of(ground, agreeing, channels + 1, agreed)
    colours[agreed < 9] = np.nan
    return Laid(mask, surprise, excess, scaled, edge, distance, differs, colours, agreed)


def softmin(ground: Ground, mask: I64) -> float:
    """1 - the soft minimum (temperature 0.1) of p(given class) over the pixels: Lad and Mueller, arXiv 2307.05080."""
    return softmin_of(np.take_along_axis(ground.scene.chance, mask[:, :, None], axis=2))


def softmin_of(own: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]") -> float:
    """As ``softmin``, from the probability of the given class at each pixel."""
    weight = np.exp((1 - own) * 10)
    return float(1 - (weight * own).sum() / weight.sum())


def _over(values: F32, where: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", empty: float) -> float:
    return float(values[where].mean()) if where.any() else empty


def overview_of(ground: Ground, laid: Laid, segment_areas: I64) -> F32:
    """(len(NAMES),): the features of one mask on its scene."""
    scene, mask = ground.scene, laid.mask
    near, far = laid.distance <= NEAR, laid.distance > 4
    at_boundary = laid.excess[laid.edge] if laid.edge.any() else np.zeros(1, np.float32)
    to_seen = np.minimum(ground.outline_distance, FAR)
    given_share, seen_share = float(laid.edge.mean()), float(ground.outline.mean())
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    straight = (
        float((across[1:] & across[:-1]).sum() / max(1, across.sum())),
        float((down[:, 1:] & down[:, :-1]).sum() / max(1, down.sum())),
    )
    gain, rise = _moved(ground, mask)
    given_mix = np.bincount(mask.ravel(), minlength=scene.log.shape[2]) / mask.size
    seen_mix = scene.chance.mean(axis=(0, 1))
    values = {
        "boundary_excess": _over(laid.excess, near, 0.0),
        "far_excess": _over(laid.excess, ~near, 0.0),
        "surprise": laid.surprise.mean(),
        "softmin": softmin(ground, mask),
        "surprised": (laid.surprise > 1).mean(),
        "disagreement": laid.differs.mean(),
        "excess_median": np.quantile(at_boundary, 0.5),
        "boundary_excess_75": np.quantile(at_boundary, 0.75),
        "boundary_excess_90": np.quantile(at_boundary, 0.9),
        "given_boundary": given_share,
        "seen_boundary": seen_share,
        "plainness": np.log((seen_share + 0.01) / (given_share + 0.01)),
        "edge_given": _over(ground.edge, laid.edge, np.nan),
        "edge_seen": _over(ground.edge, ground.outline, np.nan),
        "seen_to_given": _over(np.minimum(laid.distance, np.float32(FAR)), ground.outline, np.nan),
        "given_to_seen": _over(to_seen, laid.edge, np.nan),
        "given_to_seen_median": np.median(to_seen[laid.edge]) if laid.edge.any() else np.nan,
        "edge_far": _over(ground.edge, far, np.nan),
        "entropy": ground.entropy.mean(),
        "entropy_far": _over(ground.entropy, far, np.nan),
        "segments": np.log(segment_areas.size),
        "parts": np.log(ground.part_areas.size),
        "small_segments": (segment_areas <= SMALL).sum(),
        "small_parts": (ground.part_areas <= SMALL).sum(),
        "straight_most": max(straight),
        "straight_least": min(straight),
        "moved_gain": gain,
        "moved_rise": rise,
        "mix": np.abs(given_mix - seen_mix).sum(),
        "lost": seen_mix[given_mix == 0].sum(),
    }
    return np.array([values[name] for name in NAMES], np.float32)


def _moved(ground: Ground, mask: I64) -> tuple[float, float]:
    """How much better the whole mask would fit (mean log p) a few pixels off, at best and over the mean."""
    log = ground.scene.log
    height, width = mask.shape
    fits = []
    for y in (-3, 0, 3):
        for x in (-3, 0, 3):
            rows = np.clip(np.arange(height) + round(y * ground.unit), 0, height - 1)
            columns = np.clip(np.arange(width) + round(x * ground.unit), 0, width - 1)
            fits.append(float(log[rows[:, None], columns[None, :], mask].mean()))
    own = fits[4]
    others = np.array(fits) - own
    return float(others.max()), float(others.max() - others.mean())
