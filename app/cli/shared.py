"""What every command needs: the settings, the database, the options that all of them have."""

from typing import Annotated

import typer

from app.settings import Settings
from app.store.db import Database, open_database

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")]


def open_data() -> tuple[Settings, Database]:
    """The settings and the database of the data folder, made and migrated where needed."""
    settings = Settings()
    return settings, open_database(settings.database)
