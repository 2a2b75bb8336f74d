"""What the containers are told fits the program: every command, setting, path and port. (They are not run here.)"""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from app.__main__ import COMMANDS, app
from app.settings import Settings
from app.web.roles import OPEN

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
BESIDE_CVAT = yaml.safe_load((ROOT / "docker-compose.cvat.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = {f"REMASK_{name.upper()}" for name in Settings.model_fields}
CVAT = {"REMASK_CVAT_URL", "REMASK_CVAT_TOKEN"}
OURS = ("web", "worker")
# Read by libraries of ours: psycopg and obstore.
LIBRARIES = {"PGPASSWORD", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def instructions(word: str) -> list[str]:
    """What follows each ``word`` in the Dockerfile, lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


def environment() -> dict[str, str]:
    pairs = [pair for line in instructions("ENV") for pair in shlex.split(line)]
    return dict(pair.split("=", 1) for pair in pairs)


def plain(value: str) -> str:
    """A value as compose fills it in: ``${NAME:-default}`` and ``${NAME:?why}``."""
    return re.sub(r"\$\{\w+:([-?])([^}]*)\}", lambda m: m[2] if m[1] == "-" else "a-long-secret-of-letters", value)


def check_command(words: list[str]) -> None:
    """That the program takes these words."""
    assert words[0] in COMMANDS
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]  # it is a group of commands
    command.make_context(words[0], words[1:]).close()


@pytest.mark.parametrize("name", OURS)
def test_services_run_commands_and_settings_that_exist(name: str, tmp_path: Path) -> None:
    service = COMPOSE["services"][name]
    check_command(service["command"])
    said = {key: plain(value) for key, value in service["environment"].items()}
    assert set(said) <= SETTINGS | LIBRARIES
    told = environment() | said
    values = {key.removeprefix("REMASK_").lower(): value for key, value in told.items() if key in SETTINGS}
    settings = Settings.model_validate(values)
    assert settings.database_url == "postgresql+psycopg://remask@database/remask"
    assert settings.token
    assert (settings.host, settings.log) == ("0.0.0.0", "json")  # noqa: S104
    assert (settings.blobs or "").startswith("s3://")


def test_the_bucket_and_the_hosts_are_those_that_are_made() -> None:
    services = COMPOSE["services"]
    ours = services["web"]["environment"]
    bucket = ours["REMASK_BLOBS"].removeprefix("s3://").split("/")[0]
    assert services["bucket"]["command"][-1] == f"store/{bucket}"
    assert "MC_HOST_store" in services["bucket"]["environment"]
    for url in (ours["REMASK_DATABASE_URL"].split("@")[1], ours["AWS_ENDPOINT_URL"].split("//")[1]):
        assert re.split("[:/]", url)[0] in services
    database = services["database"]["environment"]
    assert ours["REMASK_DATABASE_URL"].endswith(f"//{database['POSTGRES_USER']}@database/{database['POSTGRES_DB']}")
    assert ours["PGPASSWORD"] == database["POSTGRES_PASSWORD"]


def test_every_volume_and_every_service_that_is_waited_for_is_there() -> None:
    services: dict[str, dict[str, Any]] = COMPOSE["services"]
    used = {volume.split(":")[0] for one in services.values() for volume in one.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])
    for name, one in services.items():
        for other, how in one.get("depends_on", {}).items():
            assert other in services, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other] or other == "web"  # the image brings the web's
    assert f"{environment()['REMASK_HOME']}" == services["web"]["volumes"][0].split(":")[1]


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docker-compose.cvat.yml").read_text()
    for name in ("REMASK_TOKEN", "POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "REMASK_CVAT_TOKEN"):
        assert set(re.findall(rf"\$\{{{name}(..)", text)) == {":?"}, name


def test_only_loopback_is_open() -> None:
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]
    assert ports == ["127.0.0.1:8000:8000"]


def test_beside_cvat_only_its_network_and_its_login_are_added() -> None:
    for name in OURS:
        service = BESIDE_CVAT["services"][name]
        assert set(service["environment"]) <= CVAT
        assert set(service["networks"]) == {"default", *BESIDE_CVAT["networks"]}
    assert BESIDE_CVAT["networks"]["cvat"]["external"] is True


def test_the_image_has_what_the_program_needs() -> None:
    copied = {word for line in instructions("COPY") if not line.startswith("--from") for word in line.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "constraints.txt", "README.md"} <= copied
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_in
    assert set(environment()) & {f"REMASK_{name}" for name in ("HOME", "HOST", "PORT")} <= SETTINGS


def test_the_image_runs_as_nobody_special_and_tells_its_health() -> None:
    after_last_stage = DOCKERFILE.rsplit("FROM ", 1)[1]
    assert re.search(r"^USER remask$", after_last_stage, re.M)
    assert yaml.safe_load(instructions("ENTRYPOINT")[0]) == ["remask"]
    check_command(yaml.safe_load(instructions("CMD")[0]))
    port = environment()["REMASK_PORT"]
    assert instructions("EXPOSE") == [port]
    [path] = re.findall(rf"127\.0\.0\.1:{port}(/\w+)", DOCKERFILE)
    assert OPEN.fullmatch(path)  # without a token


def test_wheels_for_processors_and_for_gpus_can_be_chosen() -> None:
    assert instructions("ARG")[1:] == ["TORCH=cpu"]
    assert COMPOSE["services"]["worker"]["build"]["args"]["TORCH"] == "${TORCH:-cpu}"
