"""CVAT servers by name, from the environment and from a file that nobody else can read.

The file is TOML, one table a server::

    [servers.lab]
    url = "https://cvat.example.org"
    token = "..."                 # or token_env, or user and password (or password_env)
    organization = "mars"         # left out: whatever the account sees; "" is the personal space
    ca = "lab-ca.pem"             # or verify = false

The environment describes one server called ``default``: REMASK_CVAT_URL, REMASK_CVAT_TOKEN or REMASK_CVAT_USER and
REMASK_CVAT_PASSWORD, REMASK_CVAT_ORGANIZATION, REMASK_CVAT_CA, REMASK_CVAT_VERIFY.
"""

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from app.cvat.errors import BadServer
from app.domain.errors import NotFound

DEFAULT = "default"
_PREFIX = "REMASK_CVAT_"
_FIELDS = frozenset(("url", "token", "token_env", "user", "password", "password_env", "organization", "ca", "verify"))
# The key of a password login is 40 hexadecimal digits; personal access tokens aren't.
_LOGIN_KEY = re.compile(r"[0-9a-f]{40}")
_FALSE = frozenset(("0", "false", "no", "off"))


@dataclass(frozen=True)
class Server:
    """A CVAT server and how to log in there; secrets show as stars wherever this is printed."""

    name: str
    url: str
    token: SecretStr | None = None
    user: str | None = None
    password: SecretStr | None = None
    organization: str | None = None
    ca: Path | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadServer(
                f"The address of CVAT server {self.name} has to begin with http:// or https:// and name a host."
            )
        if parts.username or parts.password:
            raise BadServer(f"The address of CVAT server {self.name} holds a login; give it as token or user instead.")
        object.__setattr__(self, "url", f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}")
        if self.token is None and (self.user is None or self.password is None):
            raise BadServer(f"CVAT server {self.name} has no login; give a token, or a user and a password.")

    @property
    def authorization(self) -> str | None:
        """The header that the token makes; None for a user with a password, who has to log in first."""
        if self.token is None:
            return None
        token = self.token.get_secret_value()
        return f"{'Token' if _LOGIN_KEY.fullmatch(token) else 'Bearer'} {token}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(one.get_secret_value() for one in (self.token, self.password) if one is not None)


def load_servers(path: Path, environ: Mapping[str, str]) -> dict[str, Server]:
    """All configured servers by name; the file may be missing. Raises BadServer."""
    servers = _from_file(path, environ) if path.exists() else {}
    if url := environ.get(f"{_PREFIX}URL"):
        names = ("token", "user", "password", "organization", "ca", "verify")
        table: dict[str, Any] = {name: environ.get(_PREFIX + name.upper()) for name in names}
        table["verify"] = (table["verify"] or "").strip().lower() not in _FALSE
        given = {name: value for name, value in table.items() if value not in (None, "")}
        if environ.get(f"{_PREFIX}ORGANIZATION") == "":
            given["organization"] = ""
        servers[DEFAULT] = _server(DEFAULT, {"url": url, **given}, environ, Path.cwd())
    return servers


def choose(servers: Mapping[str, Server], name: str | None) -> Server:
    """The server of that name; without one, the only one there is. Raises NotFound."""
    if name is None and len(servers) == 1:
        return next(iter(servers.values()))
    if name is None and DEFAULT in servers:
        return servers[DEFAULT]
    if name in servers and name is not None:
        return servers[name]
    if not servers:
        raise NotFound("No CVAT server is configured; set REMASK_CVAT_URL and REMASK_CVAT_TOKEN, or write cvat.toml.")
    known = ", ".join(sorted(servers))
    raise NotFound(f"There is no CVAT server {name}; configured are {known}." if name else f"Choose one of {known}.")


def _from_file(path: Path, environ: Mapping[str, str]) -> dict[str, Server]:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadServer(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("servers", {})
    except (OSError, ValueError) as error:
        # A TOML error names line and column, never the text there
        raise BadServer(f"{path} can't be read as TOML: {error}.") from None
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise BadServer(f"{path} has to hold a table [servers.NAME] for each server.")
    return {name: _server(name, table, environ, path.parent) for name, table in tables.items()}


def _server(name: str, table: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Server:
    unknown = set(table) - _FIELDS
    if unknown:
        raise BadServer(f"CVAT server {name}: {', '.join(sorted(unknown))} is not a setting.")
    texts = {field: value for field, value in table.items() if field != "verify"}
    if not all(isinstance(value, str) for value in texts.values()) or not isinstance(table.get("verify", True), bool):
        raise BadServer(f"CVAT server {name}: settings are texts, and verify is true or false.")
    return Server(
        name,
        texts.get("url", ""),
        _secret(name, "token", texts, environ),
        texts.get("user"),
        _secret(name, "password", texts, environ),
        texts.get("organization"),
        folder / texts["ca"] if "ca" in texts else None,
        table.get("verify", True),
    )


def _secret(name: str, field: str, texts: Mapping[str, str], environ: Mapping[str, str]) -> SecretStr | None:
    variable = texts.get(f"{field}_env")
    if variable is not None and not environ.get(variable):
        raise BadServer(f"CVAT server {name}: the environment variable {variable} is not set.")
    value = environ[variable] if variable is not None else texts.get(field)
    return SecretStr(value.strip()) if value else None
