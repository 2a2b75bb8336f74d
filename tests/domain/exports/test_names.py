import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.exports.names import FileNames


@pytest.mark.parametrize("key", ["a", "training_set/00062", "sol 1/left/ä.b", "x.png", "a/b.v2/c", "~", "日本/火星"])
def test_a_safe_key_is_its_own_name(key: str) -> None:
    assert FileNames().take(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "..", "../../etc/passwd", "/etc/passwd", "a//b", "", ".hidden", "a/.git/b", "CON", "nul.txt/x", "com1",
        "a\x00b", "a\nb", "C:\\x", "a:b", "what?", "dot.", "space ", "x.png/y", "__MACOSX/a", "\ud800", "a\u2028b",
        "x" * 300, "ä" * 150, "/".join("y" * 100 for _ in range(20)),
    ],
)  # fmt: skip
def test_an_unsafe_key_gets_a_safe_name_with_a_mark(key: str) -> None:
    path = FileNames().take(key)
    assert path != key and "~" in path
    is_safe(path)


def test_keys_that_differ_only_in_case_or_form_get_two_names() -> None:
    names = FileNames()
    taken = [names.take(key) for key in ("Rock", "rock", "ROCK", "\u00e9", "e\u0301", "a/b", "A/b")]
    assert taken[0] == "Rock"
    assert len({folded(path) for path in taken}) == len(taken)


def test_a_name_does_not_depend_on_the_others() -> None:
    first = FileNames().take("a:b")
    names = FileNames()
    names.take("a?b")
    assert names.take("a:b") == first


@given(st.lists(st.text(max_size=40) | st.text("aA./:~", max_size=6), unique=True, max_size=12))
def test_any_keys_get_safe_and_distinct_names(keys: list[str]) -> None:
    names = FileNames()
    taken = [names.take(key) for key in keys]
    assert len({folded(path) for path in taken}) == len(keys)
    for path in taken:
        is_safe(path)


def test_a_key_that_looks_like_a_mark_takes_nothing_away() -> None:
    marked = FileNames().take("a:b")
    names = FileNames()
    assert names.take(marked) == marked
    assert names.take("a:b") not in ("a:b", marked)


def is_safe(path: str) -> None:
    assert len(path.encode()) < 1000
    parts = path.split("/")
    for part in parts:
        assert part and not part.startswith(".") and len(part.encode()) <= 245
        assert not set(part) & set('<>:"|?*\\')
        assert not any(unicodedata.category(one) in ("Cc", "Cs") for one in part)
    assert not any(part.lower().endswith((".png", ".jpg", ".tiff")) for part in parts[:-1])


def folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
