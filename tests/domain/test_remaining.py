"""How many bad masks remain: the interval holds the truth, also where the detector is wrong. Random checks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import audit
from app.domain.remaining import BAD, F64, GOOD, UNDECIDED, Remaining, Span, estimate

SETS, MASKS, NEXT = 25, 300, 40


def told_by(detector: str, truth: F64, rng: np.random.Generator) -> F64:
    """The probabilities of a detector, where ``truth`` are the right ones."""
    match detector:
        case "calibrated":
            return truth
        case "twice":
            return np.minimum(2 * truth, 1)
        case "half":
            return truth / 2
        case "too sure":
            odds = np.log((truth + 1e-9) / (1 - truth + 1e-9))
            sure: F64 = 1 / (1 + np.exp(-2 * odds))
            return sure
        case _:
            return rng.beta(1, 4, truth.size)


def reviewed(detector: str, reviews: int, rng: np.random.Generator) -> tuple[Remaining, int, int]:
    """A set after so many reviews, worst first with random checks: the estimate, and how many bad masks are left, in
    all and among the next ones."""
    share = rng.choice([0.06, 0.12, 0.25])
    truth = np.full(MASKS, share) if detector == "useless" else rng.beta(2 * share, 2 * (1 - share), MASKS)
    bad = rng.random(MASKS) < truth
    chance = told_by(detector, truth, rng)
    worst_first = [int(one) for one in np.argsort(-chance, kind="stable")]
    checks = audit.drawn({one: f"{rng.integers(1 << 60)}" for one in range(MASKS)})
    walk, _ = audit.mixed(worst_first, checks, 0)
    outcome = np.full(MASKS, UNDECIDED)
    outcome[walk[:reviews]] = np.where(bad[walk[:reviews]], BAD, GOOD)
    left = np.array(walk[reviews:], np.int64)
    found = estimate(chance, outcome, np.zeros(MASKS, np.bool_), left, [NEXT])
    return found, int(bad[left].sum()), int(bad[left[:NEXT]].sum())


def holds(span: Span, truth: int) -> bool:
    return span.low <= truth <= span.high


def coverage(detector: str, reviews: int, sets: int) -> tuple[float, float, float]:
    """How often the intervals hold what remains, and what the next reviews find; the median width of the first."""
    rng = np.random.default_rng([reviews, len(detector)])
    every, next, widths = [], [], []
    for _ in range(sets):
        found, left, soon = reviewed(detector, reviews, rng)
        every.append(holds(found.bad, left))
        next.append(holds(span_of(found, NEXT), soon))
        widths.append(found.bad.high - found.bad.low)
    return float(np.mean(every)), float(np.mean(next)), float(np.median(widths))


def span_of(found: Remaining, reviews: int) -> Span:
    return next(one.found for one in found.curve if one.reviews == reviews)


@pytest.mark.parametrize("detector", ["calibrated", "twice", "half", "too sure", "useless"])
def test_the_interval_holds_the_truth(detector: str) -> None:
    every, next, _ = coverage(detector, 60, SETS)
    assert every >= 0.9
    assert next >= 0.9


@pytest.mark.long
@pytest.mark.parametrize("reviews", [20, 60, 120])
@pytest.mark.parametrize("detector", ["calibrated", "twice", "half", "too sure", "useless"])
def test_the_interval_holds_the_truth_in_many_sets(detector: str, reviews: int) -> None:
    every, next, width = coverage(detector, reviews, 200)
    assert every >= 0.9
    assert next >= 0.9
    assert width < MASKS / 2


def test_it_narrows_with_reviews() -> None:
    widths = [coverage("calibrated", reviews, 10)[2] for reviews in (10, 60, 150)]
    assert widths == sorted(widths, reverse=True)
    assert widths[2] < widths[0] / 3


def test_what_everybody_has_seen_leaves_nothing() -> None:
    outcome = np.array([BAD, GOOD, GOOD])
    found = estimate(np.full(3, 0.5), outcome, np.zeros(3, np.bool_), np.zeros(0, np.int64))
    assert found == Remaining(Span(0.0, 0, 0), ())


def test_masks_that_another_check_tells_are_counted_apart() -> None:
    """Thirty that a check told were all bad; that says little of the others, which were all good so far."""
    told = np.arange(200) < 60
    outcome = np.full(200, UNDECIDED)
    outcome[:30], outcome[60:120] = BAD, GOOD
    left = np.flatnonzero(outcome == UNDECIDED)
    found = estimate(np.full(200, 0.1), outcome, told, left, [30])
    soon = span_of(found, 30)
    assert soon.low >= 20
    assert found.bad.mean - soon.mean < 6


def test_certain_probabilities_are_taken() -> None:
    chance = np.array([0.0, 1.0] * 20)
    left = np.arange(40)
    found = estimate(chance, np.full(40, UNDECIDED), np.zeros(40, np.bool_), left)
    assert 0 <= found.bad.low <= found.bad.mean <= found.bad.high <= 40
    assert [one.reviews for one in found.curve] == list(range(1, 41))


def test_every_tenth_is_a_random_check() -> None:
    queue, checks = list(range(100, 150)), list(range(150))
    mixed, random = audit.mixed(queue, checks, 0)
    assert [place for place, one in enumerate(mixed) if one in random] == [9, 19, 29, 39, 49]
    assert random == {0, 1, 2, 3, 4}
    assert [one for one in mixed if one not in random] == queue
    later, again = audit.mixed(queue, checks, 7)
    assert later[2] in again  # seven were reviewed before


def test_the_order_of_random_checks_is_the_names_own() -> None:
    keys = {number: f"set/{number:05}" for number in range(500)}
    order = audit.drawn(keys)
    assert sorted(order) == list(keys)
    assert order == audit.drawn(dict(reversed(keys.items())))
    some = {number: keys[number] for number in range(0, 500, 3)}
    assert audit.drawn(some) == [one for one in order if one in some]
    assert abs(np.corrcoef(order, np.arange(500))[0, 1]) < 0.15


@given(st.lists(st.integers(0, 60), unique=True), st.lists(st.integers(0, 60), unique=True), st.integers(0, 40))
def test_nothing_is_lost_or_doubled(queue: list[int], checks: list[int], before: int) -> None:
    mixed, random = audit.mixed(queue, checks, before)
    assert len(mixed) == len(set(mixed))
    assert set(queue) <= set(mixed) <= set(queue) | set(checks)
    assert random <= set(checks)
    assert len(random) <= len(mixed) // audit.EVERY + 1
