"""The command that moves the database."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import Json, open_data
from app.flows import move
from app.store.db import Database


def migrate(
    to: Annotated[str, typer.Option(help="postgresql+psycopg://USER@HOST/NAME, or the path of an SQLite file.")],
    json: Json = False,
) -> None:
    """Move the database to PostgreSQL, or back to SQLite, and compare every row; the old one stays as it is.

    Example: remask migrate --to postgresql+psycopg://remask@db/remask
    """
    from app import serving  # the web takes a second to load, and most commands don't need it

    settings, source = open_data()
    target = Database(to if "://" in to else f"sqlite:///{Path(to)}")
    with serving.all_stopped(settings), console.progress(json) as progress:
        moved = move.run(source, target, progress)
    target.close()
    if json:
        tables = {name: {"rows": one.rows, "sha256": one.hash} for name, one in moved.tables.items()}
        backup = None if moved.backup is None else str(moved.backup)
        console.dump({"rows": moved.rows, "tables": tables, "backup": backup, "seconds": moved.seconds})
        return
    console.say(
        f"Moved {moved.rows} rows of {len(moved.tables)} tables in {moved.seconds:.1f} s; all read back the same."
    )
    if target.path is None:
        console.say(
            f"From now on set REMASK_DATABASE_URL to {target.shown}, wherever the server and workers are started."
        )
    else:
        console.say(
            f"From now on leave REMASK_DATABASE_URL out; the file belongs at {settings.home / 'remask.sqlite'}."
        )
    if moved.backup is not None:
        console.say(f"A copy of the old database is {moved.backup}; remove it when you need it no more.")
