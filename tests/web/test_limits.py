"""What is sent without end is refused in words."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from app.web import limits
from app.web.limits import GUESSES, MAX_BODY, MAX_RAW, WINDOW, Guesses
from tests.web.conftest import ORIGIN

A = "/api/v1"
JSON = {"Content-Type": "application/json"}


def test_a_url_and_headers_without_end(reader: TestClient) -> None:
    long = reader.get(f"{A}/datasets?x={'y' * limits.MAX_URL}")
    assert (long.status_code, long.json()["detail"].startswith("The URL is longer than")) == (414, True)
    heavy = reader.get(f"{A}/datasets", headers={f"X-{n}": "z" * 8000 for n in range(7)})
    assert (heavy.status_code, "headers" in heavy.json()["detail"]) == (431, True)
    page = reader.get("/" + "a" * limits.MAX_URL)
    assert (page.status_code, page.headers["content-type"]) == (414, "text/html; charset=utf-8")


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 30])
def test_an_announced_body_is_refused_unread(reader: TestClient, length: str) -> None:
    answer = reader.put(f"{A}/me", content=b"{}", headers=JSON | {"Content-Length": length})
    assert (answer.status_code, answer.json()["detail"]) == (413, "The body is larger than 32 MiB; send less at once.")


def test_a_body_that_is_not_announced_is_read_up_to_the_bound(reader: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent <= MAX_BODY:
            sent += 1 << 20
            yield b"[" * (1 << 20)

    for path in (f"{A}/datasets/mars/status", f"{A}/datasets/mars/decisions", "/login"):
        sent = 0
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/login" else JSON
        answer = reader.post(path, content=endless(), headers=kind | ORIGIN)
        assert answer.status_code == 413, answer.text
        assert "32 MiB" in answer.text


def test_pixels_may_be_larger() -> None:
    def most(kind: bytes) -> int | None:
        head = {"path": f"{A}/samples/1/masks", "headers": [(b"content-type", kind)]}
        return limits._most(head)

    assert most(b"application/octet-stream") == MAX_RAW
    assert most(b"application/json; charset=utf-8") == MAX_BODY


def test_wrong_tokens_are_forgotten_after_a_while() -> None:
    at = 0.0
    guesses = Guesses(clock=lambda: at)
    for n in range(GUESSES):
        assert guesses.wait("10.0.0.1", str(n)) == 0
        guesses.note("10.0.0.1", str(n), right=False)
        at += 1
    assert guesses.wait("10.0.0.1", "another") == int(WINDOW) - GUESSES + 1
    assert guesses.wait("10.0.0.2", "another") == 0
    at = WINDOW + 0.5
    assert guesses.wait("10.0.0.1", "another") == 0


def test_a_network_of_ipv6_is_one_address_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 50)
    guesses = Guesses()
    for n in range(GUESSES):
        guesses.note(f"2001:db8::{n + 1}", str(n), right=False)
    assert guesses.wait("2001:db8::ffff", "x") > 0
    for n in range(500):
        guesses.note(f"10.0.{n // 250}.{n % 250}", "x", right=bool(n % 2))
    assert max(len(guesses._wrong), len(guesses._right)) <= 50


def test_the_upload_has_a_bound_of_its_own(serve: Callable[..., TestClient]) -> None:
    client = serve(max_upload=1000)
    answer = client.post(f"{A}/datasets/new/imports", files=[("files", ("a.png", b"1" * 2000))])
    assert (answer.status_code, "remask import" in answer.json()["detail"]) == (413, True)
