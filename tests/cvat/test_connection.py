import logging
import socket
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.cvat.connection import Connection, Patience
from app.cvat.errors import (
    BadServer,
    Busy,
    CvatError,
    Forbidden,
    Missing,
    NotCvat,
    Redirected,
    Rejected,
    ServerFailed,
    TlsFailed,
    Unreachable,
    WrongLogin,
)
from app.cvat.probe import probe
from tests.cvat.faults import Fault, Plan
from tests.cvat.journey import Clock, connected, server
from tests.cvat.standin import running
from tests.cvat.state import State

NAME: dict[str, object] = {"token": None, "user": "admin", "password": SecretStr("admin-password")}


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.E401, WrongLogin, "check the token or the password"),
        (Fault.E403, Forbidden, "access token must not be read-only"),
        (Fault.E404, Missing, "No Task matches"),
        (Fault.E409, Busy, "try again in a moment"),
        (Fault.E410, Rejected, "doesn't have GET /api/tasks any more"),
        (Fault.E429, Busy, "wants fewer requests"),
        (Fault.E500, ServerFailed, "its log says why"),
        (Fault.E502, ServerFailed, "502"),
        (Fault.RESET, Unreachable, "broke the connection off"),
        (Fault.CUT_DONE, Unreachable, "broke the connection off"),
        (Fault.HANG, Unreachable, "answers too slowly"),
        (Fault.HTML, NotCvat, "sign-in page"),
        (Fault.REDIRECT, Redirected, "leads on to https://127.0.0.1:1;"),
    ],
)
def test_every_failure_has_its_sentence(fault: Fault, kind: type[CvatError], words: str) -> None:
    with running() as standin, connected(standin.url) as connection:
        standin.plan = Plan(1, fault, times=9)
        with pytest.raises(kind) as caught:
            connection.get("/api/tasks")
        assert words in str(caught.value)
        assert "full.token" not in str(caught.value)


def test_tries_are_bounded_and_wait_longer_each_time() -> None:
    clock = Clock()
    with running() as standin:
        standin.plan = Plan(1, Fault.E502, times=99)
        connection = Connection(server(standin.url), Patience(tries=5), sleep=clock.sleep, clock=clock)
        with pytest.raises(ServerFailed):
            connection.get("/api/tasks")
        connection.close()
        assert clock.slept == [0.5, 1.0, 2.0, 4.0]
        assert len(standin.calls) == 5


def test_what_could_happen_twice_is_not_repeated() -> None:
    with running() as standin, connected(standin.url) as connection:
        for fault in (Fault.RESET_DONE, Fault.E502):
            standin.plan = Plan(len(standin.calls) + 1, fault)
            before = len(standin.calls)
            with pytest.raises(CvatError):
                connection.send("POST", "/api/projects", {"name": "mars"})
            assert len(standin.calls) == before + 1
        standin.plan = Plan(len(standin.calls) + 1, Fault.E429)
        connection.send("POST", "/api/projects", {"name": "later"})
        assert [one["name"] for one in standin.state.projects.values()] == ["mars", "later"]


def test_an_endless_answer_is_cut() -> None:
    with running() as standin:
        standin.plan = Plan(1, Fault.SLOW_DONE, times=9)
        ticks = iter(range(10_000))
        connection = Connection(
            server(standin.url), Patience(whole=3.0, tries=1), sleep=lambda _: None, clock=lambda: float(next(ticks))
        )
        with pytest.raises(Unreachable, match="took too long"):
            connection.get("/api/server/about")
        connection.close()


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with connected(f"http://127.0.0.1:{port}") as connection, pytest.raises(Unreachable, match="Nothing answers"):
        connection.send("POST", "/api/projects", {})


def test_a_password_logs_in_once_and_again_when_its_key_has_run_out() -> None:
    with running() as standin, connected(standin.url, **NAME) as connection:
        connection.get("/api/users/self")
        connection.get("/api/users/self")
        assert standin.calls.count("POST /api/auth/login") == 1
        standin.plan = Plan(len(standin.calls) + 1, Fault.E401)
        connection.get("/api/users/self")
        assert standin.calls.count("POST /api/auth/login") == 2


def test_secrets_stay_out_of_messages_logs_and_prints(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong: dict[str, object] = {"token": None, "user": "admin", "password": SecretStr("hunter2")}
    with running() as standin, connected(standin.url, **wrong) as connection:
        with pytest.raises(WrongLogin) as caught:
            connection.get("/api/users/self")
        standin.plan = Plan(len(standin.calls) + 1, Fault.E502)
        with pytest.raises(CvatError):
            connection.get("/api/users/self")
        shown = f"{caught.value!r} {connection.server!r} {connection.__dict__} {caplog.text}"
    assert "hunter2" not in shown
    with running() as standin, connected(standin.url) as connection:
        standin.plan = Plan(1, Fault.E502)
        connection.get("/api/users/self")
        assert "full.token" not in f"{connection.server!r} {caplog.text}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    paths = (str(folder / "cert.pem"), str(folder / "key.pem"))
    ask = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ask += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", *ask, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def test_tls(certificate: tuple[str, str]) -> None:
    with running(certificate=certificate) as standin:
        with connected(standin.url) as connection, pytest.raises(TlsFailed, match="isn't trusted"):
            connection.get("/api/server/about")
        with connected(standin.url, ca=Path(certificate[0])) as connection:
            assert connection.get("/api/server/about")["version"] == "2.54.1"
        with connected(standin.url, verify=False) as connection:
            assert connection.get("/api/server/about")["version"] == "2.54.1"
    with (
        running() as plain,
        connected(plain.url.replace("http:", "https:")) as connection,
        pytest.raises(TlsFailed, match="doesn't speak TLS"),
    ):
        connection.get("/api/server/about")
    with pytest.raises(BadServer, match="no file of certificates"):
        Connection(server("https://x", ca=Path(certificate[1]).parent / "none.pem"))


def test_a_redirect_to_tls_is_told_and_gets_no_login(certificate: tuple[str, str]) -> None:
    with running() as standin, running(certificate=certificate) as secured, connected(standin.url) as connection:
        standin.plan, standin.elsewhere = Plan(1, Fault.REDIRECT, times=9), secured.url
        with pytest.raises(Redirected, match=f"leads on to {secured.url}; put the address of CVAT itself"):
            connection.get("/api/users/self")
        assert secured.calls == []


@pytest.mark.parametrize(
    ("settings", "state", "good", "words"),
    [
        ({}, State(), True, "Connected to CVAT 2.54.1 as admin."),
        (NAME, State(), True, "Connected to CVAT 2.54.1 as admin."),
        ({}, State(version="2.17.0"), True, "2.17.0"),
        ({}, State(version="2.99.0"), True, "newer than any tested"),
        ({}, State(version="2.4.0"), False, "CVAT 2.4.0 is too old; 2.17 is the oldest"),
        ({}, State(version="3.0.0"), False, "too new"),
        ({"token": SecretStr("wrong")}, State(), False, "doesn't take this login (Invalid token.)"),
        ({**NAME, "password": SecretStr("x")}, State(), False, "doesn't take this user and password"),
        ({"token": SecretStr("reading.token")}, State(), False, "read-only: pulling works, pushing doesn't"),
        ({"organization": "venus"}, State(), False, "no organization of that name (venus organization"),
        ({"organization": "mars"}, State(), True, "Connected"),
        ({"organization": ""}, State(), True, "Connected"),
        ({}, State(group="user"), True, "Connected"),
        ({}, State(group="worker"), False, "admin may not make projects on CVAT lab; its administrator"),
        ({"organization": "mars"}, State(group="user", role="maintainer"), True, "Connected"),
        ({"organization": "mars"}, State(group="user", role="worker"), False, "in organization mars; its owner has to"),
    ],
)
def test_the_connection_test_says_it_in_one_sentence(
    settings: dict[str, object], state: State, good: bool, words: str
) -> None:
    with running(state) as standin, connected(standin.url, **settings) as connection:
        got = probe(connection)
    assert (got.good, words in got.sentence) == (good, True), got.sentence


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.HTML, "isn't CVAT"), (Fault.E404, "isn't CVAT"), (Fault.REDIRECT, "leads on to"), (Fault.E403, "isn't")],
)
def test_the_connection_test_of_something_else(fault: Fault, words: str) -> None:
    with running() as standin, connected(standin.url) as connection:
        standin.plan = Plan(1, fault, times=9)
        got = probe(connection)
        assert not got.good and words in got.sentence


def test_the_connection_test_without_rights() -> None:
    with running() as standin, connected(standin.url) as connection:
        standin.plan = Plan(3, Fault.E403)
        got = probe(connection)
        assert not got.good and "needs that right" in got.sentence


def test_a_server_below_a_path() -> None:
    with connected("http://127.0.0.1:1/cvat/") as connection:
        assert connection.server.url == "http://127.0.0.1:1/cvat"
        assert connection.local("http://inner:8080/cvat/api/tasks/1/data/1_x") == "/api/tasks/1/data/1_x"
