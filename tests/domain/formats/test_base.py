"""What formats yield can be stored and shown, whatever the files hold."""

from app.domain.formats.base import Refused


def test_a_refusal_takes_any_text() -> None:
    one = Refused("a\0\udcff.png", "a label \ud800")
    assert (one.file, one.reason) == ("a\\x00\\udcff.png", "a label \\ud800")


def test_a_name_without_end_is_shortened() -> None:
    assert Refused("a" * 300, "").file == "a" * 300
    assert Refused("a" * 301, "").file == "a" * 299 + "…"
