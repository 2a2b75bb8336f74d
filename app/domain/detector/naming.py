"""From scored disagreements and segments to regions with a reason, none of them told twice."""

import numpy as np
from scipy import ndimage

from app.domain.detector.disagreements import Disagreements
from app.domain.detector.ground import Ground
from app.domain.detector.predicted import F64, Bool, Channels
from app.domain.detector.region import Reason, Region, region_of
from app.domain.detector.segments import Segments
from app.domain.detector.trial import Trial

MOST = 50
_THIN = 2.5  # units: a disagreement no thicker on either side is about a boundary


def regions_of(
    ground: Ground, trial: Trial, chances: tuple[F64, F64], channels: Channels, least: float
) -> list[Region]:
    """Regions of probability ``least`` or more, likeliest first, at most MOST; ``chances`` of the disagreements and of
    the segments. A candidate that lies by half in likelier ones is left out."""
    found, segments = trial.disagreements, trial.segments
    ranked = [(-float(p), 0, i) for i, p in enumerate(chances[0]) if p >= least]
    ranked += [(-float(p), 1, i) for i, p in enumerate(chances[1]) if p >= least]
    taken: Bool = np.zeros(found.labels.shape, np.bool_)
    boxes = ndimage.find_objects(found.labels), ndimage.find_objects(segments.labels)
    out: list[Region] = []
    for negative, kind, i in sorted(ranked):
        if len(out) == MOST:
            break
        box = boxes[kind][i]
        inside: Bool = (segments.labels if kind else found.labels)[box] == i + 1
        if 2 * int((inside & taken[box]).sum()) >= int(inside.sum()):
            continue
        taken[box] |= inside
        if kind:
            reason, given, seen = segment_reason(segments, i, channels), segments.given[i], segments.other[i]
        else:
            reason, given, seen = disagreement_reason(found, i, ground.unit, channels), found.given[i], found.seen[i]
        corner, frame = (box[0].start, box[1].start), found.labels.shape
        out.append(region_of(inside, reason, channels.ids[given], channels.ids[seen], -negative, corner, frame))
    return out


def disagreement_reason(found: Disagreements, i: int, unit: float, channels: Channels) -> Reason:
    def value(name: str) -> float:
        return float(found.column(name)[i])

    if channels.void[found.given[i]]:
        return Reason.MISSING
    if value("thickness") <= _THIN * unit and value("of_segment") < 0.5:
        return Reason.BOUNDARY
    if value("of_segment") >= 0.5:
        # Seen as what it lies in, which goes on around it: there is nothing there.
        return Reason.EXTRA if value("of_part") < 0.5 else Reason.SWAPPED
    return Reason.MISSING if value("of_part") >= 0.5 else Reason.BOUNDARY


def segment_reason(segments: Segments, i: int, channels: Channels) -> Reason:
    if channels.void[segments.given[i]]:
        return Reason.MISSING
    gain, better = float(segments.column("moved_gain")[i]), float(segments.column("best_other")[i])
    if gain > max(0.3, better):
        return Reason.MOVED
    count = channels.count
    around = float(segments.evidence[i, 2 * count + segments.other[i]])
    if better <= 0:
        return Reason.BOUNDARY
    return Reason.EXTRA if around >= 0.5 else Reason.SWAPPED
