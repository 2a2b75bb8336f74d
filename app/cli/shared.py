"""What every command needs: the settings, the database, the options that all of them have."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from app.domain.classes import ClassList, InvalidClasses, parse_classes
from app.domain.errors import Invalid, NotFound
from app.settings import Settings
from app.store.db import Database, open_database


class BadSetting(Invalid):
    """A REMASK_ variable that can't be taken."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")]
ClassFile = Annotated[Path | None, typer.Option(help="CSV or JSON of id, name, role, colour.")]


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


def classes_in(path: Path) -> ClassList:
    """The class list in a file. Raises NotFound, and InvalidClasses for what isn't one."""
    if not path.is_file():
        raise NotFound(f"There is no class list at {path}.")
    try:
        return parse_classes(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidClasses(f"{path} isn't UTF-8 text; save it as CSV UTF-8.") from error
