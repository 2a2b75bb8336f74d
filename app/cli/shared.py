"""What every command needs: the settings, the database, the options that all of them have."""

from typing import Annotated

import typer
from pydantic import ValidationError

from app.domain.errors import Invalid
from app.settings import Settings
from app.store.db import Database, open_database


class BadSetting(Invalid):
    """A REMASK_ variable that can't be taken."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")]


def open_data() -> tuple[Settings, Database]:
    """The settings and the database of the data folder, made and migrated where needed."""
    settings = read_settings()
    return settings, open_database(settings.database, settings.blobs)


def read_settings() -> Settings:
    """The settings of the environment. Raises BadSetting naming the variable that can't be taken."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSetting(f"REMASK_{str(first['loc'][0]).upper()}: {first['msg']}.") from error
