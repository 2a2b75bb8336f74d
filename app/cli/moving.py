"""The command that moves the database, or the bytes of pictures and masks."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import Json, open_data
from app.domain.errors import Invalid
from app.flows import move, move_bytes
from app.store.db import Database
from app.store.objects import Objects


def migrate(
    to: Annotated[
        str | None, typer.Option(help="postgresql+psycopg://USER@HOST/NAME, or the path of an SQLite file.")
    ] = None,
    blobs: Annotated[
        str | None, typer.Option(help="Where pictures and masks go: s3://BUCKET/PREFIX, or `database`.")
    ] = None,
    json: Json = False,
) -> None:
    """Move the database to PostgreSQL, or back to SQLite, and compare every row; the old one stays as it is. Or move
    the bytes of pictures and masks into an object store, or back.

    Example: remask migrate --to postgresql+psycopg://remask@db/remask, or remask migrate --blobs s3://bucket/remask
    """
    if (to is None) == (blobs is None):
        raise Invalid("Say one of --to and --blobs.")
    if blobs is not None:
        _migrate_bytes(blobs, json)
    elif to is not None:
        _migrate_database(to, json)


def _migrate_bytes(to: str, json: bool) -> None:
    from app import serving

    settings, db = open_data()
    with serving.all_stopped(settings), console.progress(json) as progress:
        if to == "database":
            carried = move_bytes.into_database(db, progress)
        else:
            carried = move_bytes.into_store(db, Objects(to), progress)
    db.close()
    if json:
        console.dump(asdict(carried))
        return
    console.say(
        f"Moved {carried.moved} pictures and masks, {carried.bytes / 1e6:.1f} MB, in {carried.seconds:.1f} s; all read "
        f"back the same. {carried.there} were there already."
    )
    if to == "database":
        console.say(
            "From now on leave REMASK_BLOBS out; the objects are still in the store, remove them when you like."
        )
    else:
        console.say(f"From now on set REMASK_BLOBS to {to}, wherever the server and workers are started.")


def _migrate_database(to: str, json: bool) -> None:
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
