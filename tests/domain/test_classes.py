"""Class lists: parsing, guessing, and what contradicts itself."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.classes import Class, ClassList, InvalidClasses, Role, guess_role, named, parse_classes, unnamed

_NAMES = st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1, max_size=12).map(str.strip).filter(bool)
_CLASSES = st.lists(
    st.builds(
        Class,
        id=st.integers(0, 65535),
        name=_NAMES,
        role=st.sampled_from(Role),
        colour=st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}"),
    ),
    min_size=1,
    max_size=8,
    unique_by=(lambda one: one.id, lambda one: one.name),
).map(lambda classes: ClassList(tuple(classes), guessed=False))


@given(_CLASSES)
def test_a_class_list_comes_back_from_json_and_csv(classes: ClassList) -> None:
    assert parse_classes(json.dumps(classes.as_json())) == classes
    assert parse_classes(json.dumps({"classes": classes.as_json()})) == classes
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "name", "role", "colour"])
    writer.writeheader()
    writer.writerows(classes.as_json())
    assert parse_classes(out.getvalue()) == classes


@given(_CLASSES, st.sets(st.integers(0, 65535), max_size=6))
def test_with_ids_adds_just_what_is_missing(classes: ClassList, ids: set[int]) -> None:
    grown = classes.with_ids(ids)
    assert grown.ids == classes.ids | ids
    assert set(classes.classes) <= set(grown.classes)


def test_with_ids_keeps_names_apart() -> None:
    grown = ClassList((named(11, "void"), named(3, "class 7"))).with_ids([255, 7])
    assert [one.name for one in grown.classes] == ["class 7", "class 7 (2)", "void", "class 255"]
    assert grown.void_ids == {11, 255}


@pytest.mark.parametrize(
    ("id", "name", "role"),
    [
        (0, None, Role.BACKGROUND),
        (255, None, Role.VOID),
        (7, None, Role.FOREGROUND),
        (0, "Sky", Role.FOREGROUND),
        (11, " VOID ", Role.VOID),
        (3, "_background_", Role.BACKGROUND),
    ],
)
def test_roles_are_guessed(id: int, name: str | None, role: Role) -> None:
    assert guess_role(id, name) is role


def test_role_and_colour_may_be_left_out() -> None:
    classes = parse_classes("ID,Name\n0,background\n1,rock\n255,void\n")
    assert [one.role for one in classes.classes] == [Role.BACKGROUND, Role.FOREGROUND, Role.VOID]
    assert not classes.guessed
    assert classes.by_name("rock") == classes.by_id(1)
    assert classes.by_name("tree") is None
    assert named(1, "rock", (1, 2, 255)).rgb == (1, 2, 255)
    assert unnamed(5).name == "class 5"


def test_semicolons_and_a_byte_order_mark_are_a_spreadsheets_csv() -> None:
    classes = parse_classes("\ufeffid;name;role;colour\r\n0;soil, loose;background;#000000\r\n1;rock;;#FF0000\r\n")
    assert [(one.id, one.name, one.role, one.colour) for one in classes.classes] == [
        (0, "soil, loose", Role.BACKGROUND, "#000000"),
        (1, "rock", Role.FOREGROUND, "#ff0000"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("[", "not valid JSON"),
        ('{"classes": 3}', "has to be a list"),
        ("[3]", "Entry 1"),
        ("id,name\nx,rock\n", "Entry 1"),
        ("id,name\n1,\n", "no name"),
        ("id,name,role\n1,rock,front\n", "'front'"),
        ("id,name\n1,a\n1,b\n", "twice"),
        ("id,name\n1,a\n2,a\n", "twice"),
        ("id,name\n70000,a\n", "70000"),
        ("id,name,colour\n1,a,red\n", "#rrggbb"),
        ('[{"id": 1, "name": "\\ud800"}]', "not valid"),
        ('[{"id": 1, "name": "a\\u0000"}]', "not valid"),
        ("[" * 100_000, "nested too deeply"),
        ("id,name\n1," + "a" * 200_000, "not valid CSV"),
    ],
)
def test_a_list_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidClasses, match=said):
        parse_classes(text)
