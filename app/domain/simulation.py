"""What reviewing in an order removes: wrong pixels by number of reviews, with intervals, and a drawing of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
LEVEL, DRAWS = 0.95, 2000
WIDTH, HEIGHT, LEFT, BELOW = 640, 320, 56, 44
EARLY = (0.1, 0.2, 0.3)
COLOURS = ("#0b6bcb", "#c2410c", "#6b7280", "#15803d")


@dataclass(frozen=True)
class Share:
    """A share of the wrong pixels, or of the bad masks, and its bootstrap interval over masks."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Early:
    """How early an order shows the bad masks, each counted alike: ``median`` is the place of the middle one as a share
    of all masks, ``found`` the share of the bad masks in the first 10, 20 and 30 % of the order."""

    median: float
    found: dict[str, float]


def early(bad: npt.NDArray[np.bool_], order: Sequence[int]) -> Early | None:
    """``bad`` (N,) of each mask, ``order`` their indices; None where no mask is bad."""
    places = (1 + np.flatnonzero(bad[list(order)])) / bad.size
    if not places.size:
        return None
    found = {f"{share:.0%}": float((places <= share + 1e-9).mean()) for share in EARLY}
    return Early(float(np.median(places)), found)


def left_after(wrong: I64, order: Sequence[int]) -> list[int]:
    """Wrong pixels left after 0, 1, ... reviews: ``wrong`` (N,) of each mask, ``order`` their indices."""
    return [int(wrong.sum()), *(int(wrong.sum()) - np.cumsum(wrong[list(order)])).tolist()]


def removed(wrong: I64, ranks: Mapping[str, I64], budget: int) -> tuple[dict[str, Share], dict[str, Share]]:
    """The share of wrong pixels that ``budget`` reviews remove in each order, and how much more the first order removes
    than each other. ``wrong`` (N,) may as well be 1 for each bad mask and 0 for others, for the share of these.
    ``ranks``: the place of each mask in an order, from 0. Intervals are percentiles over resampled
    masks (Efron 1979), the same resamples for all orders, so the second kind is paired."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, wrong.size, (DRAWS, wrong.size))
    share = budget / wrong.size
    values: dict[str, tuple[float, npt.NDArray[np.float64]]] = {}
    for name, rank in ranks.items():
        total = wrong[drawn].sum(1)
        # In a resample the budget reaches as far as so many of its masks lie.
        reach = np.quantile(rank[drawn], share, axis=1, method="inverted_cdf")
        found = np.where(rank[drawn] <= reach[:, None], wrong[drawn], 0).sum(1)
        whole = float(wrong[rank < budget].sum() / max(1, wrong.sum()))
        values[name] = whole, found / np.maximum(1, total)
    first = next(iter(values.values()))
    others = {name: (first[0] - one[0], first[1] - one[1]) for name, one in list(values.items())[1:]}
    return {name: _share(*one) for name, one in values.items()}, {name: _share(*one) for name, one in others.items()}


def _share(value: float, drawn: npt.NDArray[np.float64]) -> Share:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Share(value, float(low), float(high))


def drawing(title: str, curves: Mapping[str, Sequence[int]], budget: int) -> str:
    """An SVG of the share of wrong pixels left (0 to 100 %) by reviews, a line for each order, the budget marked."""
    most = max(len(one) for one in curves.values()) - 1

    def at(reviews: float, share: float) -> str:
        across = LEFT + (WIDTH - LEFT - 90) * reviews / max(1, most)
        return f"{across:.1f},{12 + (HEIGHT - BELOW - 12) * (1 - share):.1f}"

    def text(x: float, y: float, words: str, anchor: str = "middle", colour: str = "#374151") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'

    def line(start: str, end: str, dash: str = "") -> str:
        (x1, y1), (x2, y2) = start.split(","), end.split(",")
        return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#9ca3af" stroke-dasharray="{dash}"/>'

    parts = [line(at(0, 0), at(most, 0)), line(at(0, 0), at(0, 1)), line(at(budget, 0), at(budget, 1), "4 3")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(text(LEFT - 6, float(at(0, share).split(",")[1]) + 4, f"{100 * share:.0f} %", "end"))
    for reviews in sorted({0, budget, most}):
        parts.append(text(float(at(reviews, 0).split(",")[0]), HEIGHT - BELOW + 18, str(reviews)))
    parts.append(text((WIDTH - 90 + LEFT) / 2, HEIGHT - 6, "reviews"))
    for place, ((name, left), colour) in enumerate(zip(curves.items(), COLOURS, strict=False)):
        points = " ".join(at(reviews, pixels / max(1, left[0])) for reviews, pixels in enumerate(left))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(WIDTH - 82, 28 + 20 * place, name, "start", colour))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return f'{head}font-size="13"><title>{escape(title)}</title>{ground}{"".join(parts)}</svg>\n'
