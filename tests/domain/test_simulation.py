"""What an order of reviews removes: known answers, intervals, and the drawing."""

import numpy as np
from defusedxml import ElementTree

from app.domain.simulation import Early, drawing, early, left_after, removed

WRONG = np.array([0, 40, 0, 10, 0, 50, 0, 0, 0, 0])
BEST = [5, 1, 3, 0, 2, 4, 6, 7, 8, 9]


def ranks(order: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.argsort(order)


def test_what_is_left_after_each_review() -> None:
    assert left_after(WRONG, BEST)[:5] == [100, 50, 10, 0, 0]
    assert left_after(WRONG, [0, 1]) == [100, 100, 60]


def test_how_early_the_bad_masks_come() -> None:
    assert early(WRONG > 0, BEST) == Early(0.2, {"10%": 1 / 3, "20%": 2 / 3, "30%": 1.0})
    assert early(WRONG > 0, BEST[::-1]) == Early(0.9, {"10%": 0.0, "20%": 0.0, "30%": 0.0})
    assert early(WRONG > 99, BEST) is None


def test_the_share_that_a_budget_removes() -> None:
    shares, gains = removed(WRONG, {"ours": ranks(BEST), "other": ranks(BEST[::-1])}, 2)
    assert shares["ours"].value == 0.9
    assert shares["other"].value == 0
    assert gains["other"].value == 0.9
    assert set(gains) == {"other"}
    for one in (*shares.values(), *gains.values()):
        assert one.low <= one.high


def test_an_order_is_not_better_than_itself() -> None:
    _, gains = removed(WRONG, {"ours": ranks(BEST), "same": ranks(BEST)}, 3)
    assert (gains["same"].value, gains["same"].low, gains["same"].high) == (0, 0, 0)


def test_a_clear_difference_in_a_large_set_has_an_interval_above_nothing() -> None:
    rng = np.random.default_rng(0)
    wrong = np.where(rng.random(400) < 0.25, rng.integers(50, 500, 400), 0)
    good = np.argsort(-(wrong + rng.normal(0, 100, 400)), kind="stable")
    shares, gains = removed(wrong, {"ours": np.argsort(good), "random": np.argsort(rng.permutation(400))}, 60)
    assert gains["random"].low > 0.2
    assert shares["ours"].low < shares["ours"].value < shares["ours"].high
    assert abs(shares["random"].value - 60 / 400) < 0.1


def test_the_drawing_is_a_picture_that_names_its_lines() -> None:
    text = drawing("Left & right", {"ours": left_after(WRONG, BEST), "<random>": left_after(WRONG, BEST[::-1])}, 2)
    root = ElementTree.fromstring(text)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(one.get("points", "").split()) for one in lines] == [11, 11]
    words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ours", "<random>", "0 %", "100 %", "reviews", "10"} <= set(words)
