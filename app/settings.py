"""Settings from the environment, each REMASK_ and the field's name in capitals."""

import getpass
import os
import re
import socket
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _machine() -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-._")[:40] or "worker"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="REMASK_", frozen=True)

    home: Path = Field(default=Path("remask-data"), description="The data folder: database, uploads, exports.")
    host: str = Field(default="127.0.0.1", description="Address to serve on; beyond loopback REMASK_TOKEN is needed.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to serve on.")
    token: str | None = Field(default=None, description="Secret that every request has to carry, off loopback.")
    tokens: Path | None = Field(default=None, description="File of further tokens: name, role and token a line.")
    reviewer: str = Field(default_factory=_system_user, description="Name that decisions carry by default.")
    database_url: str | None = Field(
        default=None,
        description="A PostgreSQL database, `postgresql+psycopg://USER@HOST/NAME`, in place of SQLite in the folder.",
    )
    blobs: str | None = Field(
        default=None, description="An S3-compatible store for images and masks, `s3://BUCKET/PREFIX`; AWS_ variables."
    )
    worker: str = Field(
        default_factory=_machine,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$",
        description="Name of this machine's worker; each worker on one PostgreSQL has its own.",
    )
    trainer_processes: int = Field(
        default=1, ge=1, le=64, description="Processes that train a run together by torchrun, one a GPU."
    )
    max_upload: int = Field(default=8 << 30, ge=1, description="Largest upload in bytes.")
    log: Literal["plain", "json"] = Field(default="plain", description="Log lines for people, or JSON for programs.")

    cvat_poll: int = Field(default=0, ge=0, description="Minutes between pulls of finished CVAT jobs; 0: never.")
    cvat_webhook: str | None = Field(
        default=None, description="Address of `/hooks/cvat` as CVAT reaches it; pushes then have CVAT call it, signed."
    )
    cvat_secret: str | None = Field(default=None, description="Secret that CVAT signs its calls with.")

    @cached_property
    def database(self) -> Path | str:
        """The path of the SQLite database, or the URL of one on a server."""
        return self.database_url or self.home / "remask.sqlite"

    @cached_property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @cached_property
    def exports(self) -> Path:
        return self.home / "exports"
