import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.detector.region import Reason
from app.domain.detector.sentence import place, sentence

FRAME = (90, 120)


@pytest.mark.parametrize(
    ("box", "where"),
    [
        ((0, 40, 20, 10), "at the left edge"),
        ((5, 40, 20, 10), "towards the left"),
        ((100, 0, 20, 10), "in the top right corner"),
        ((90, 70, 20, 10), "at the bottom right"),
        ((50, 40, 20, 10), "in the middle"),
        ((0, 80, 120, 10), "at the bottom edge"),
        ((0, 0, 120, 90), "in the middle"),
    ],
)
def test_places_have_names(box: tuple[int, int, int, int], where: str) -> None:
    assert place(box, FRAME) == where


def test_the_worst_region_is_told_in_a_sentence() -> None:
    left = (0, 40, 20, 20)
    told = {one: sentence(one, "soil", "rock", 312, left, FRAME, 0.7) for one in Reason}
    assert told[Reason.MISSING] == "rock is probably missing at the left edge: 312 pixels."
    assert told[Reason.SWAPPED] == "soil at the left edge is probably rock: 312 pixels."
    assert told[Reason.BOUNDARY] == "soil at the left edge is probably drawn too far into rock: 312 pixels."
    assert sentence(Reason.MISSING, "soil", "rock", 1, left, FRAME, 0.3).endswith(
        "may be missing at the left edge: 1 pixel."
    )


@given(st.sampled_from(Reason), st.floats(0, 1), st.integers(1, 10**7))
def test_every_reason_is_one_sentence(reason: Reason, probability: float, pixels: int) -> None:
    told = sentence(reason, "a", "b", pixels, (3, 4, 5, 6), FRAME, probability)
    assert told.endswith(".")
    assert told.count(". ") == 0
