"""Tokens and their roles: every route has one, who asks for more is told so, and names come from tokens."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from app.settings import Settings
from app.web import access
from app.web.roles import OPEN, SAFE, Role, needed
from app.web.tokens import BadTokens, Tokens
from tests.web.conftest import ORIGIN, open_client

A = "/api/v1"
NAMES = {Role.VIEWER: "Vera", Role.REVIEWER: "Rita Reviewer", Role.ADMIN: "Adam"}
SECRETS = {role: f"{role.word}-0123456789abcdef" for role in Role}
Enter = Callable[[Role], TestClient]


def token_file(folder: Path, text: str | None = None, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    lines = [f"{NAMES[role]} {role.word} {SECRETS[role]}" for role in Role]
    path.write_text("\n".join(["# who may do what", "", *lines]) if text is None else text)
    path.chmod(mode)
    return path


@pytest.fixture
def enter(serve: Callable[..., TestClient], tmp_path: Path) -> Enter:
    """A client that carries the token of a role, all on one application."""
    app = serve(tokens=token_file(tmp_path)).app

    def client(role: Role) -> TestClient:
        headers = ORIGIN | {"Authorization": f"Bearer {SECRETS[role]}"}
        return TestClient(
            app, base_url=ORIGIN["Origin"], headers=headers, client=("127.0.0.1", 50000), follow_redirects=False
        )

    return client


def all_routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the application answers."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in context.methods or ():
                yield method, str(context.path)


def test_every_route_asks_for_its_role(enter: Enter) -> None:
    """Whoever has less than a route's role is refused before anything is looked at; safe routes are for viewers."""
    clients = {role: enter(role) for role in Role}
    seen = 0
    for method, template in all_routes(clients[Role.ADMIN].app):  # type: ignore[arg-type]  # it is the application
        if OPEN.fullmatch(template):
            continue
        least = needed(method, template)
        if method in SAFE:
            assert least == Role.VIEWER, template
            continue
        seen += 1
        path = re.sub(r"{[^}]+}", "1", template)
        assert needed(method, path) == least
        for role, client in clients.items():
            answer = client.request(method, path, content=b"[]", headers={"Content-Type": "application/json"})
            assert (answer.status_code == 403) == (role < least), (method, template, role, answer.text)
            if role < least:
                assert answer.headers["content-type"] == "application/problem+json"
                assert f"needs the role {least.word}" in answer.json()["detail"]
    assert seen >= 14


@pytest.mark.parametrize(
    ("request_line", "role"),
    [
        ("POST /api/v1/samples/1/decisions", Role.REVIEWER),
        ("DELETE /api/v1/samples/1/draft", Role.REVIEWER),
        ("POST /api/v1/datasets/mars/decisions", Role.REVIEWER),
        ("POST /api/v1/batches/1/undo", Role.REVIEWER),
        ("POST /api/v1/datasets/mars/status", Role.VIEWER),
        ("PUT /api/v1/me", Role.REVIEWER),
        ("POST /api/v1/datasets/mars/imports", Role.ADMIN),
        ("POST /api/v1/datasets/mars/exports", Role.ADMIN),
        ("PUT /api/v1/datasets/mars/classes", Role.ADMIN),
        ("POST /api/v1/datasets/mars/runs", Role.ADMIN),
        ("POST /api/v1/jobs/1/cancel", Role.ADMIN),
        ("POST /api/v1/something/new", Role.ADMIN),
        ("POST /api/v1/datasets/mars/status/../imports", Role.ADMIN),
        ("POST /api/v1//samples/1", Role.ADMIN),
        ("TRACE /", Role.ADMIN),
    ],
)
def test_the_table(request_line: str, role: Role) -> None:
    assert needed(*request_line.split()) == role


def test_decisions_carry_the_tokens_name(enter: Enter) -> None:
    client = enter(Role.REVIEWER)
    assert client.get(f"{A}/me", headers={"X-Reviewer": "Eve", "Cookie": "reviewer=Eve"}).json() == {
        "name": "Rita Reviewer"
    }
    refused = client.put(f"{A}/me", json={"name": "Eve"})
    assert (refused.status_code, "comes from your token" in refused.json()["detail"]) == (403, True)
    sample = client.get(f"{A}/datasets/mars/samples?limit=1").json()["samples"][0]["id"]
    client.post(f"{A}/samples/{sample}/decisions", json={"verb": "keep"}, headers={"X-Reviewer": "Eve"})
    assert client.get(f"{A}/samples/{sample}").json()["decisions"][0]["actor"] == "Rita Reviewer"


def test_a_page_says_who_and_hides_what_the_role_lacks(enter: Enter) -> None:
    for role in Role:
        page = enter(role).get("/d/mars").text
        assert f'data-role="{role.word}"' in page
        assert f"You are here as {NAMES[role]}, {role.word}." in page
        assert SECRETS[role] not in page


def test_both_kinds_of_tokens_together(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    client = serve(tokens=token_file(tmp_path), token="the admin's own")  # noqa: S106
    bearer = {"Authorization": "Bearer the admin's own"}
    assert client.get(f"{A}/me", headers=bearer | {"X-Reviewer": "Zed"}).json() == {"name": "Zed"}
    assert client.get(f"{A}/me").status_code == 401


def test_a_form_takes_the_token_and_no_page_or_log_shows_it(
    serve: Callable[..., TestClient], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(tokens=token_file(tmp_path))
    form = client.get("/login")
    assert (form.status_code, 'type="password"' in form.text) == (200, True)
    with caplog.at_level(0):
        wrong = client.post("/login", data={"token": "wrong-0123456789abcdef"})
        entered = client.post("/login", data={"token": SECRETS[Role.VIEWER]})
        by_url = client.get("/login", params={"token": SECRETS[Role.VIEWER]})
    assert (wrong.status_code, "wrong-0123" in wrong.text) == (401, False)
    for answer in (entered, by_url):
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert SECRETS[Role.VIEWER] not in str(answer.headers)
    assert SECRETS[Role.VIEWER] not in "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert client.get("/d/mars").status_code == 200
    assert client.post("/login", data={"token": "x"}, headers={"Origin": "http://evil.example"}).status_code == 403


def test_ten_wrong_tokens_and_no_more(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    client = serve(tokens=token_file(tmp_path))
    known = {"Authorization": f"Bearer {SECRETS[Role.VIEWER]}"}
    assert client.get(f"{A}/me", headers=known).status_code == 200
    stale = {"Cookie": f"{access.COOKIE}=stale"}
    assert {client.get(f"{A}/me", headers=stale).status_code for _ in range(20)} == {401}
    tries = [client.get(f"{A}/me", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(12)]
    assert tries == [401] * 9 + [429] * 3
    late = client.post("/login", data={"token": SECRETS[Role.ADMIN]})
    assert (late.status_code, 1 <= int(late.headers["retry-after"]) <= 61) == (429, True)
    assert client.get(f"{A}/me", headers=known).status_code == 200, "who is in stays in"
    assert client.get(f"{A}/me").status_code == 401
    assert client.get("/static/app.css", headers={"Authorization": "Bearer 99"}).status_code == 200
    client._transport.client = ("10.1.1.1", 5)
    assert client.get(f"{A}/me", headers={"Authorization": f"Bearer {SECRETS[Role.ADMIN]}"}).status_code == 200


def test_who_is_struck_out_is_out_with_the_next_request(enter: Enter, tmp_path: Path) -> None:
    viewer, admin = enter(Role.VIEWER), enter(Role.ADMIN)
    assert viewer.get(f"{A}/me").status_code == 200
    token_file(tmp_path, f"Ada admin {SECRETS[Role.ADMIN]}")
    assert viewer.get(f"{A}/me").status_code == 401
    assert admin.get(f"{A}/me").json()["name"] == "Ada"
    token_file(tmp_path, "half a line")
    assert admin.get(f"{A}/me").status_code == 200, "what was read before stays in force"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadTokens, match="chmod 600"):
        Tokens(Settings(tokens=token_file(tmp_path, mode=mode)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no token"),
        ("Ada king 0123456789abcdef", "Line 1 of"),
        ("\nreviewer 0123456789abcdef", "Line 2 of"),
        ("Ada reviewer short", "shorter than 16"),
        ("Ada reviewer 0123456789abcdef\nBo viewer 0123456789abcdef", "one token to two"),
    ],
)
def test_a_token_file_that_says_nothing_sensible_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadTokens, match=says) as caught:
        Tokens(Settings(tokens=token_file(tmp_path, text)))
    assert "0123456789abcdef" not in str(caught.value)


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadTokens, match="can't be read: No such file"):
        open_client(Settings(home=tmp_path, tokens=tmp_path / "none"), {})
