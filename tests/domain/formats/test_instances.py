import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.classes import ClassList, Role, named
from app.domain.formats import rle
from app.domain.formats.instances import Category, NotInClasses, by_area, compose, composed, listed, numbered


def ids(legend_classes: ClassList) -> dict[int, str]:
    return {one.id: one.name for one in legend_classes.classes}


@given(st.lists(st.tuples(st.integers(1, 4), arrays(np.bool_, (5, 7))), max_size=5))
def test_later_over_earlier_and_contested_pixels(painted: list[tuple[int, rle.Bool]]) -> None:
    mask, overlapped = compose([(id, rle.bounds_of(part)) for id, part in painted], 5, 7, 0)
    expected = np.zeros((5, 7), np.uint8)
    claims: list[set[int]] = [set() for _ in range(35)]
    for id, part in painted:
        expected[part] = id
        for pixel in np.flatnonzero(part):
            claims[pixel].add(id)
    assert np.array_equal(mask, expected)
    assert overlapped == sum(len(claim) > 1 for claim in claims)


def test_ids_beyond_a_byte_are_kept() -> None:
    mask, _ = compose([(300, np.array([0, 2]))], 2, 2, 0)
    assert mask.dtype == np.uint16
    assert mask.tolist() == [[300, 0], [300, 0]]


def test_large_areas_come_first_and_equal_ones_stay_in_order() -> None:
    small, large, other = np.array([0, 1]), np.array([0, 9]), np.array([4, 5])
    assert [token for token, _ in by_area([("a", small), ("b", large), ("c", other)])] == ["b", "a", "c"]


def test_names_are_numbered_with_background_and_void_at_their_places() -> None:
    legend = numbered([Category(n, n) for n in ("soil", "background", "ignore", "rock")], None)
    assert ids(legend.classes) == {0: "background", 1: "soil", 2: "rock", 255: "ignore"}
    assert legend.background == 0
    assert legend.classes.by_id(255) == named(255, "ignore", role=Role.VOID)
    assert legend.classes.guessed


def test_more_names_than_a_byte_holds() -> None:
    legend = numbered([Category(n, f"c{n}") for n in range(400)] + [Category("v", "void")], None)
    assert legend.ids[399] == 400
    assert legend.ids["v"] == 401


def test_listed_ids_are_kept_where_they_can_be() -> None:
    kept = listed([Category(7, "a", (1, 2, 3)), Category(300, "b")], None)
    assert ids(kept.classes) == {0: "background", 7: "a", 300: "b"}
    assert kept.classes.classes[1].colour == "#010203"
    own_background = listed([Category(0, "_background_"), Category(3, "a")], None)
    assert ids(own_background.classes) == {0: "_background_", 3: "a"}
    high_background = listed([Category(5, "background"), Category(3, "a")], None)
    assert high_background.background == 5
    assert ids(high_background.classes) == {3: "a", 5: "background"}


@pytest.mark.parametrize("odd", [0, -1, 65_536])
def test_ids_that_cannot_be_kept_are_counted_anew(odd: int) -> None:
    legend = listed([Category(odd, "a"), Category(8, "b")], None)
    assert ids(legend.classes) == {0: "background", 1: "a", 2: "b"}
    assert legend.ids == {odd: 1, 8: 2}


def test_a_file_with_roles_keeps_every_id() -> None:
    """Our own exports say what each class is, so that class 0 may be sky."""
    legend = listed([Category(0, "sky", role=Role.FOREGROUND), Category(11, "other", role=Role.VOID)], None)
    assert ids(legend.classes) == {0: "sky", 11: "other"}
    assert legend.background is None
    covered = [(0, np.array([0, 4]))]
    assert composed(covered, 2, 2, None)[0].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(NotInClasses, match="1 pixels"):
        composed([(0, np.array([0, 3]))], 2, 2, None)


def test_a_repeated_name_gets_its_id_behind_it() -> None:
    legend = listed([Category(1, "a"), Category(2, "a"), Category(3, "")], None)
    assert ids(legend.classes) == {0: "background", 1: "a", 2: "a (2)", 3: "class 3"}


def test_a_given_list_decides_by_name_and_roles_match() -> None:
    given_list = ClassList(
        (named(9, "ground", role=Role.BACKGROUND), named(4, "rock"), named(77, "void")), guessed=False
    )
    legend = numbered([Category(n, n) for n in ("background", "rock", "ignore", "boat")], given_list)
    assert legend.id_of("rock") == 4
    assert legend.id_of("background") == 9
    assert legend.id_of("ignore") == 77
    assert legend.background == 9
    with pytest.raises(NotInClasses, match="class boat is not in the class list"):
        legend.id_of("boat")
    with pytest.raises(NotInClasses, match="'car' is not one that the file lists"):
        legend.id_of("car")
