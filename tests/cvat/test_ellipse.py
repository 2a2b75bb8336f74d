import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cvat.ellipse import drawn
from app.domain.formats.rle import mask_of

NEAR = st.floats(-60, 60)
RADIUS = st.floats(0, 40)


def text(x: float, y: float, a: float, b: float, degrees: float, height: int, width: int) -> list[str]:
    mask = mask_of(drawn(x, y, a, b, degrees, height, width), height, width)
    return ["".join(".#"[int(one)] for one in row) for row in mask]


def test_known_pixels() -> None:
    """As OpenCV 4 and 5 draw them."""
    assert text(3, 2, 2, 1, 0, 5, 7) == [".......", "...##..", ".#####.", "...##..", "......."]
    assert text(1, 1, 0, 0, 0, 3, 3) == ["...", ".#.", "..."]


@settings(max_examples=60, deadline=None)
@given(NEAR, NEAR, RADIUS, RADIUS, st.floats(-400, 800))
def test_it_stays_near_the_exact_ellipse(x: float, y: float, a: float, b: float, degrees: float) -> None:
    """Rounding, the outline and the corners move an edge by less than three pixels."""
    got = mask_of(drawn(x, y, a, b, degrees, 40, 50), 40, 50)
    rows, columns = np.mgrid[:40, :50]
    angle = np.radians(degrees)
    along = np.cos(angle) * (columns - x) + np.sin(angle) * (rows - y)
    across = -np.sin(angle) * (columns - x) + np.cos(angle) * (rows - y)
    assert not (got & ((along / (a + 3)) ** 2 + (across / (b + 3)) ** 2 > 1)).any()
    if min(a, b) > 4:
        assert got[(along / (a - 3)) ** 2 + (across / (b - 3)) ** 2 < 1].all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_absurd_numbers_are_refused(value: float) -> None:
    with pytest.raises(Exception, match="beyond any picture"):
        drawn(value, 1, 1, 1, 0, 5, 5)
