import numpy as np
import pytest

from app.domain.seeds import Luck, pooled


def test_the_deviation_is_pooled_over_experiments() -> None:
    assert pooled([[0.3], [], [0.2]]) is None
    assert pooled([[1.0, 3.0]]) == Luck(2**0.5, 1)
    rng = np.random.default_rng(0)
    many = pooled([rng.normal(mean, 0.02, 3).tolist() for mean in rng.random(400)])
    assert many is not None
    assert many.deviation == pytest.approx(0.02, rel=0.05)
    assert many.freedom == 800


def test_an_interval_grows_by_what_seeds_do() -> None:
    assert Luck(0.0, 5).widened(0.1, 0.05, 0.2) == pytest.approx((0.05, 0.2))
    low, high = Luck(1.0, 10**9).widened(0.0, 0.0, 0.0)
    assert (low, high) == pytest.approx((-1.96 * 2**0.5, 1.96 * 2**0.5), abs=1e-3)
    low, high = Luck(0.01, 2).widened(0.1, 0.07, 0.13)
    assert low < 0.07 < 0.13 < high
    assert high - 0.1 == pytest.approx(0.1 - low)
    assert high - 0.1 == pytest.approx(np.hypot(0.03, 4.302653 * 0.01 * 2**0.5))


def test_the_interval_holds_what_it_promises() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        luck = pooled(rng.normal(0, 0.02, (3, 4)).tolist())
        assert luck is not None
        found = rng.normal(0, 0.02) - rng.normal(0, 0.02)
        low, high = luck.widened(found, found, found)
        held.append(low <= 0 <= high)
    assert 0.92 <= np.mean(held) <= 0.98
