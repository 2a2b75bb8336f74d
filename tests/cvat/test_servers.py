from pathlib import Path

import pytest

from app.cvat.errors import BadServer
from app.cvat.servers import Server, choose, load_servers
from app.domain.errors import NotFound

TEXT = """
[servers.lab]
url = "https://cvat.example.org/"
token = "secret-token"
organization = "mars"
ca = "lab.pem"

[servers.test]
url = "http://localhost:8080"
user = "ann"
password_env = "ANN"
verify = false
"""


def file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "cvat.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_servers_of_a_file_and_of_the_environment(tmp_path: Path) -> None:
    environ = {"ANN": "pass\n", "REMASK_CVAT_URL": "http://c:1", "REMASK_CVAT_TOKEN": "t", "REMASK_CVAT_VERIFY": "no"}
    got = load_servers(file(tmp_path, TEXT), environ)
    assert sorted(got) == ["default", "lab", "test"]
    lab, test, default = got["lab"], got["test"], got["default"]
    assert (lab.url, lab.organization, lab.ca, lab.verify) == (
        "https://cvat.example.org", "mars", tmp_path / "lab.pem", True
    )  # fmt: skip
    assert lab.secrets == ("secret-token",) and test.secrets == ("pass",) and default.secrets == ("t",)
    assert (test.user, test.verify, default.verify, default.organization) == ("ann", False, False, None)
    assert "secret-token" not in repr(got) and "pass" not in repr(test).replace("password", "")
    assert choose(got, None) is default and choose(got, "lab") is lab
    with pytest.raises(NotFound, match="configured are default, lab, test"):
        choose(got, "nowhere")


def test_no_servers(tmp_path: Path) -> None:
    assert load_servers(tmp_path / "none.toml", {}) == {}
    with pytest.raises(NotFound, match="REMASK_CVAT_URL"):
        choose({}, None)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadServer, match="chmod 600"):
        load_servers(file(tmp_path, TEXT, mode), {"ANN": "x"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[servers", "TOML"),
        ("servers = 3", r"\[servers.NAME\]"),
        ('[servers.a]\nurl="http://h"\ntokn="x"', "tokn is not a setting"),
        ('[servers.a]\nurl="http://h"', "has no login"),
        ('[servers.a]\nurl="http://h"\nuser="x"', "has no login"),
        ('[servers.a]\nurl="h:8080"\ntoken="x"', "begin with http"),
        ('[servers.a]\nurl="http://me:pw@h"\ntoken="x"', "holds a login"),
        ('[servers.a]\nurl="http://h"\ntoken_env="NOPE"', "NOPE is not set"),
        ('[servers.a]\nurl="http://h"\ntoken=3', "settings are texts"),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadServer, match=reason) as caught:
        load_servers(file(tmp_path, text), {})
    assert "pw" not in str(caught.value)


def test_a_server_needs_an_address() -> None:
    with pytest.raises(BadServer):
        Server("x", "")
