import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.domain.bootstrap import Paired, paired

Counts = NDArray[np.int64]


def arm(hits: NDArray[np.floating], size: int = 100) -> Counts:
    """Confusions of two classes from the share of each sample's class-1 pixels that are found: (seeds, samples, 2, 2).

    Background is always found, so the IoU of class 1 is the pooled share.
    """
    right = np.round(np.asarray(hits) * size).astype(np.int64)
    out = np.zeros((*right.shape, 2, 2), np.int64)
    out[..., 0, 0], out[..., 1, 1], out[..., 1, 0] = size, right, size - right
    return out


def names(count: int) -> list[str]:
    return [f"g{at}" for at in range(count)]


def counts(seeds: int, samples: int, classes: int) -> st.SearchStrategy[tuple[Counts, Counts]]:
    """Two arms on the same given pixels, from random shares."""

    def make(seed: int) -> tuple[Counts, Counts]:
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 60, (samples, classes))
        truth[:, 0] += 1
        shares = rng.dirichlet(np.ones(classes), (2, seeds, samples, classes))
        found = np.floor(shares * truth[..., None]).astype(np.int64)
        found[..., 0] += truth - found.sum(-1)
        return found[0], found[1]

    return st.integers(0, 2**32 - 1).map(make)


def test_known_answer_of_one_class() -> None:
    before, after = arm(np.array([[0.5] * 30, [0.52] * 30])), arm(np.array([[0.6] * 30, [0.66] * 30]))
    found = paired(before, after, names(30), [1])
    assert found.overall.before == (0.5, 0.52)
    assert found.overall.after == (0.6, 0.66)
    assert found.overall.difference == pytest.approx(0.12)
    assert found.overall.spread == pytest.approx(np.std([0.1, 0.14], ddof=1))
    assert found.classes[0].difference == pytest.approx(((100 / 140) + (100 / 134) - (100 / 150) - (100 / 148)) / 2)
    assert (found.samples, found.groups) == (30, 30)


def test_the_interval_of_one_seed_is_that_of_a_mean_over_groups() -> None:
    """Equal truths: the difference of IoU is the mean of the samples' differences, whose standard error is known."""
    rng = np.random.default_rng(3)
    shares = rng.uniform(0.3, 0.7, (1, 400))
    gain = rng.normal(0.05, 0.1, (1, 400)).clip(-0.3, 0.3)
    before, after = arm(shares, 1000), arm(shares + gain, 1000)
    found = paired(before, after, names(400), [1], draws=4000).overall
    error = gain.std(ddof=1) / 20
    assert found.low == pytest.approx(gain.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(gain.mean() + 1.96 * error, abs=0.1 * error)
    assert found.smallest == pytest.approx(2.8 * error, rel=0.06)
    assert found.spread is None
    assert found.clear


@settings(max_examples=20, deadline=None)
@given(counts(2, 12, 3))
def test_identical_arms_differ_by_nothing(both: tuple[Counts, Counts]) -> None:
    found = paired(both[0], both[0], names(12), [1, 2], draws=100)
    for one in (found.overall, *found.classes):
        if one.difference is not None:
            assert (one.difference, one.low, one.high, one.spread, one.smallest) == (0, 0, 0, 0, 0)
            assert not one.clear


@settings(max_examples=20, deadline=None)
@given(counts(3, 12, 3))
def test_swapped_arms_turn_the_sign(both: tuple[Counts, Counts]) -> None:
    there, back = (paired(a, b, names(12), [1, 2], draws=100) for a, b in (both, both[::-1]))
    for one, other in zip((there.overall, *there.classes), (back.overall, *back.classes), strict=True):
        if one.difference is None:
            assert other.difference is None
            continue
        pairs = ((one.low, other.high), (one.high, other.low), (one.difference, other.difference))
        assert all(a is not None and b is not None and a == pytest.approx(-b) for a, b in pairs)
        assert one.smallest == pytest.approx(other.smallest)


@settings(max_examples=20, deadline=None)
@given(counts(2, 10, 3), st.permutations(range(10)))
def test_relatives_and_order_are_no_news(both: tuple[Counts, Counts], order: list[int]) -> None:
    """Samples of a group count as one however they are cut up, and in whatever order they come."""
    before, after = both
    whole = paired(before, after, names(10), [1, 2], draws=100)
    twice = [name for name in names(10) for _ in range(2)]
    doubled = paired(np.repeat(before, 2, axis=1), np.repeat(after, 2, axis=1), twice, [1, 2], draws=100)
    mixed = paired(before[:, order], after[:, order], [names(10)[at] for at in order], [1, 2], draws=100)
    for other in (doubled, mixed):
        assert_same(whole, other)
    assert (doubled.samples, doubled.groups) == (20, 10)


def assert_same(one: Paired, other: Paired) -> None:
    for a, b in zip((one.overall, *one.classes), (other.overall, *other.classes), strict=True):
        for name in ("difference", "low", "high"):
            assert getattr(a, name) == pytest.approx(getattr(b, name))


def test_the_interval_covers_what_is_true_about_as_often_as_it_says() -> None:
    """Test samples and seeds both vary; the truth is a gain of 0.05."""
    covered, rounds = 0, 120
    for round in range(rounds):
        rng = np.random.default_rng(round)
        hard = rng.uniform(0.3, 0.7, (1, 60))
        gain = 0.05 + rng.normal(0, 0.06, (1, 60)) + rng.normal(0, 0.02, (3, 1))
        noise = rng.normal(0, 0.02, (3, 1))
        before, after = arm((hard + noise).clip(0, 1), 1000), arm((hard + noise + gain).clip(0, 1), 1000)
        found = paired(before, after, names(60), [1], draws=300).overall
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.05 <= found.high
    assert covered / rounds >= 0.9


def test_a_class_that_no_one_gave_is_left_out_of_both() -> None:
    before, after = arm(np.full((1, 5), 0.5)), arm(np.full((1, 5), 0.7))
    before[..., 1, :] = after[..., 1, :] = 0
    after[..., 0, 1] = 10
    after[..., 0, 0] -= 10
    found = paired(before, after, names(5), [1])
    assert found.overall.difference is None
    assert found.classes[1].before == (None,)
    assert not found.overall.clear
    assert found.classes[0].difference == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("before", "after", "groups", "sentence"),
    [
        (arm(np.full((1, 3), 0.5)), arm(np.full((2, 3), 0.5)), names(3), "same seeds"),
        (arm(np.full((1, 3), 0.5)), arm(np.full((1, 3), 0.5)), names(4), "same seeds"),
        (arm(np.full((1, 0), 0.5)), arm(np.full((1, 0), 0.5)), [], "same seeds"),
        (arm(np.full((1, 3), 0.5)), arm(np.full((1, 3), 0.5), 200), names(3), "different masks"),
    ],
)
def test_arms_that_cannot_be_paired_are_refused(
    before: Counts, after: Counts, groups: list[str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        paired(before, after, groups, [1])
