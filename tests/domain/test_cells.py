import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cells import line, quoted, unquoted
from app.domain.classes import Class, ClassList, Role, parse_classes
from app.domain.exports.manifest import classes_csv

DANGEROUS = "=+-@\t\r\n＝＋－＠"


@pytest.mark.parametrize("first", DANGEROUS)
def test_nothing_begins_a_formula(first: str) -> None:
    assert quoted(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("text", ["", "a=1", "rock", "'quoted'", "0", " =1", "''"])
def test_what_is_none_stays(text: str) -> None:
    assert quoted(text) == unquoted(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n＝ab ,\";"), max_size=8))
def test_every_text_comes_back_through_a_file(text: str) -> None:
    assert quoted(text)[:1] not in tuple(DANGEROUS)
    for end in ("\n", "\r\n"):
        lines = line([text, 1, None], end) * 2
        rows = list(csv.reader(io.StringIO(lines, newline="")))
        assert [(unquoted(cell), *rest) for cell, *rest in rows] == [(text, "1", "")] * 2


@given(st.lists(st.text(alphabet="'=+-@a", min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
def test_class_names_come_back_through_their_file(names: list[str]) -> None:
    listed = ClassList(tuple(Class(id, name, Role.FOREGROUND, "#e69f00") for id, name in enumerate(names)), False)
    assert parse_classes(classes_csv(listed)) == listed
