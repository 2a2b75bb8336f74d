"""Strangers: foreign hosts and origins, missing tokens, hostile names and numbers."""

import logging
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from app.web import access
from app.web.access import CSP, Exposed, check_exposure
from app.web.tokens import cookie_value
from tests.web.conftest import HOSTILE, ORIGIN

A = "/api/v1"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/", "/docs", f"{A}/datasets", "/static/app.css", "/nowhere", f"{A}/nowhere"])
def test_every_answer_is_strict(reader: TestClient, path: str) -> None:
    headers = reader.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "cache-control" in headers or not path.startswith(A)


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1:9", "localhost", "", "127.0.0.1:8000.evil.example", "[::1"]
)
def test_other_hosts_are_refused(reader: TestClient, host: str) -> None:
    answer = reader.get(f"{A}/datasets", headers={"Host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
    assert "127.0.0.1:8000" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"])
def test_its_own_names_are_served(reader: TestClient, host: str) -> None:
    assert reader.get(f"{A}/datasets", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000", ""]
)
def test_other_origins_change_nothing(reader: TestClient, origin: str) -> None:
    answer = reader.put(f"{A}/me", json={"name": "Eve"}, headers={"Origin": origin})
    assert answer.status_code == 403, answer.text
    assert reader.get(f"{A}/me").json() == {"name": "Test"}
    assert reader.get(f"{A}/me", headers={"Origin": origin}).status_code == 200


def test_without_origin_only_json_from_here(serve: Callable[..., TestClient]) -> None:
    client = serve(headers={})
    assert client.put(f"{A}/me", json={"name": "Ada"}).status_code == 200
    assert client.post(f"{A}/demo").status_code == 202
    form = client.post(f"{A}/datasets/new/imports", files=[("files", ("a.png", b"1"))])
    assert (form.status_code, "send Origin" in form.json()["detail"]) == (403, True)
    plain = client.put(f"{A}/me", content='{"name": "Eve"}', headers={"Content-Type": "text/plain"})
    assert plain.status_code == 403


def test_off_loopback_a_token_is_needed_to_start() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):  # noqa: S104
        with pytest.raises(Exposed, match="REMASK_TOKEN"):
            check_exposure(Settings(host=host, token=None))
        check_exposure(Settings(host=host, token="s3cret"))  # noqa: S106
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        check_exposure(Settings(host=host, token=None))


def test_a_token_opens_by_header_or_by_login(serve: Callable[..., TestClient]) -> None:
    client = serve(headers={}, token="s3crét")  # noqa: S106
    closed = client.get(f"{A}/datasets")
    assert (closed.status_code, closed.headers["www-authenticate"]) == (401, "Bearer")
    page = client.get("/")
    assert (page.status_code, "/login" in page.text) == (401, True)
    assert client.get("/static/app.css").status_code == 200
    assert client.get(f"{A}/datasets", headers={"Authorization": "Bearer wrong"}).status_code == 401
    bearer = {"Authorization": "Bearer s3crét".encode()}
    assert client.get(f"{A}/datasets", headers=bearer).status_code == 200
    assert client.get("/login?token=wrong").status_code == 401
    assert (client.get("/login").status_code, client.get("/login?token=").status_code) == (200, 200)
    login = client.get("/login", params={"token": "s3crét"})
    assert (login.status_code, login.headers["location"]) == (303, "/")
    cookie = login.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "s3cr" not in cookie
    assert client.get(f"{A}/datasets").status_code == 200
    client.cookies.set(access.COOKIE, "0" * 64)
    assert client.get(f"{A}/datasets", headers={"Cookie": f"{access.COOKIE}=bad"}).status_code == 401


def test_a_program_elsewhere_needs_the_header_to_write(serve: Callable[..., TestClient]) -> None:
    client = serve(headers={"Authorization": "Bearer secret"}, host="0.0.0.0", token="secret")  # noqa: S104, S106
    client._transport.client = ("10.0.0.9", 5)
    host = {"Host": "remask.lan:80"}
    assert client.put(f"{A}/me", json={"name": "Ada"}, headers=host).status_code == 200
    by_cookie = {"Cookie": f"{access.COOKIE}={cookie_value('secret')}", "Authorization": ""} | host
    assert client.get(f"{A}/me", headers=by_cookie).status_code == 200
    assert client.put(f"{A}/me", json={"name": "Eve"}, headers=by_cookie).status_code == 403
    assert (
        client.put(f"{A}/me", json={"name": "A"}, headers=by_cookie | {"Origin": "http://remask.lan:80"}).status_code
        == 200
    )


def test_login_without_a_token_leads_home(reader: TestClient) -> None:
    assert reader.get("/login?token=x").headers["location"] == "/"


def test_unknown_routes_and_methods(reader: TestClient) -> None:
    for answer in (reader.get(f"{A}/nowhere"), reader.get("/media/nowhere"), reader.delete(f"{A}/datasets")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].endswith(".")
    assert reader.get(f"{A}/nowhere").status_code == 404
    assert reader.delete(f"{A}/datasets").status_code == 405
    page = reader.get(f"/{HOSTILE}")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<img src=x" not in page.text


def test_our_own_faults_show_no_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.web.shapes.all_datasets", lambda _: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = client.get(f"{A}/datasets")
        page = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert page.status_code == 500
    assert "ZeroDivision" not in answer.text + page.text
    assert answer.headers["content-security-policy"] == CSP
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        f"samples/{1 << 63}",
        f"samples/{10**400}",
        "samples/0",
        "samples/-1",
        "samples/abc",
        f"groups/{1 << 64}",
        f"jobs/{1 << 63}",
        f"imports/{1 << 63}",
        f"exports/{1 << 63}/file",
        "datasets/mars/samples?limit=0",
        "datasets/mars/samples?limit=501",
        f"datasets/mars/samples?limit={10**30}",
        "datasets/mars/samples?after=%FF",
        "datasets/mars/samples?after=bm9wZQ",
        "datasets/mars/samples?after=WzEsMl0x",
        "datasets/mars/samples?after=W25hbiwgMV0",
        "datasets/mars/samples?after=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAsIDFd",
        f"datasets/mars/samples?after={'W1tbW1tb' * 2000}",
        "datasets/mars/samples?status=nice",
        "datasets/mars/samples?min=0.5",
        "datasets/mars/samples?check=a&min=nan",
        "datasets/mars/samples?check=a&min=-1",
        "datasets/mars/samples?check=a&max=1e9",
        f"datasets/mars/samples?class={1 << 63}",
        f"datasets/mars/samples?group={'9' * 5000}",
        f"datasets/mars/batches?after={1 << 63}",
        f"datasets/mars/flags?after={1 << 63}",
        "datasets/mars/flags?limit=0",
        "datasets/mars/flags?check=no_such",
        "datasets/mars/groups?check=no_such",
        "datasets/mars/histogram?check=shared_mask&bins=0",
        "datasets/mars/samples?sort=%27;drop%20table%20sample",
        "datasets/mars/samples?split=%F0%28",
        "datasets/mars/samples?check=no_such",
    ],
)
def test_senseless_numbers_and_cursors_are_refused_in_words(reader: TestClient, path: str) -> None:
    answer = reader.get(f"{A}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert re.fullmatch(r".+\.", answer.json()["detail"])


@pytest.mark.parametrize("path", ["samples", "groups", "imports", "runs", "cvat/batches"])
def test_pages_of_numbers_that_no_row_can_have_say_so(reader: TestClient, path: str) -> None:
    answer = reader.get(f"/d/mars/{path}/{'9' * 30}")
    assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize(
    "path",
    [
        "datasets/mars/samples?q=%25_%5C",
    ],
)
def test_strange_text_finds_nothing(reader: TestClient, path: str) -> None:
    answer = reader.get(f"{A}/{path}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["samples"] if isinstance(found, dict) else found) == []


@pytest.mark.parametrize("path", ["decisions", "status"])
def test_half_a_surrogate_pair_is_no_key(reader: TestClient, path: str) -> None:
    answer = reader.post(
        f"{A}/datasets/mars/{path}",
        content=b'{"verb": "keep", "keys": ["\\ud800"]}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, "Unicode" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "path", ["samples/1%00", "datasets/mars/samples?q=%00", "datasets/%00", "datasets/mars/flags?check=a%00"]
)
def test_nul_is_refused(reader: TestClient, path: str) -> None:
    answer = reader.get(f"{A}/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (400, "A URL can't hold the character NUL.")


def test_keys_are_text_everywhere(reader: TestClient) -> None:
    [row] = reader.get(f"{A}/datasets/files/samples", params={"q": "onerror"}).json()["samples"]
    assert HOSTILE in row["key"]
    for page in ("/d/files/samples", f"/d/files/samples/{row['id']}", "/d/files"):
        text = reader.get(page).text
        assert "<img src=x" not in text, page
    status = reader.get(f"{A}/datasets/files/samples/{row['key']}/status")
    assert status.json()["sample"] == row["key"]


def test_a_body_that_is_no_json(reader: TestClient) -> None:
    for body in (b"{", b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 100_000, b"null"):
        answer = reader.put(f"{A}/me", content=body, headers=JSON | ORIGIN)
        assert answer.status_code in (400, 422), body[:20]
        assert answer.headers["content-type"] == "application/problem+json"
