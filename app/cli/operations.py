"""Commands for whoever runs the program: doctor, backup, restore."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import Json, open_data, read_settings
from app.domain.errors import NotFound
from app.flows import backup, doctor
from app.store.db import Database
from app.store.objects import Objects


def doctor_(
    mend: Annotated[bool, typer.Option("--mend", help="Derive columns anew, remove what belongs to nothing.")] = False,
    json: Json = False,
) -> None:
    """Read every hash, look for what belongs to nothing, and say how to mend what is found; exits with 1 if it is bad.

    Example: remask doctor --mend
    """
    settings = read_settings()
    if isinstance(settings.database, Path) and not settings.database.exists():
        raise NotFound(f"There is no database in {settings.home}; set REMASK_HOME to the data folder.")
    where = f"sqlite:///{settings.database}" if isinstance(settings.database, Path) else settings.database
    db = Database(where, Objects(settings.blobs) if settings.blobs else None)
    with console.progress(json) as progress:
        report = doctor.run(db, settings, mend, progress)
    if json:
        found = [asdict(one) | {"examples": list(one.examples)} for one in report.ailments]
        console.dump({"sound": report.sound, "looked": report.looked, "found": found})
    else:
        for one in report.ailments:
            console.say(f"{'mended' if one.mended else 'bad' if one.grave else 'note'}: {one.sentence}")
            if one.examples:
                console.say(f"  {', '.join(one.examples)}{' ...' if one.count > len(one.examples) else ''}")
        looked = ", ".join(f"{count:,} {what}" for what, count in report.looked.items())
        verdict = "Everything is sound" if not report.ailments else "Sound" if report.sound else "Not sound"
        console.say(f"{verdict}{': ' if looked else ''}{looked}{' looked at' if looked else ''}.")
    if not report.sound:
        raise typer.Exit(1)


def backup_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that isn't there yet; a zip.")],
    json: Json = False,
) -> None:
    """Back up database, runs and snapshots into one file, while the server runs.

    Example: remask backup /backups/mars.zip
    """
    settings, db = open_data()
    with console.progress(json) as progress:
        done = backup.write(db, settings, file, progress)
    _tell(done, f"Backed up {done.files} files, {done.size / 1e6:.1f} MB, to {done.path} and read them back.", json)


def restore_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `remask backup` has written.")],
    json: Json = False,
) -> None:
    """Bring a backup back into an empty data folder; every file is verified first.

    Example: REMASK_HOME=restored remask restore /backups/mars.zip
    """
    settings = read_settings()
    with console.progress(json) as progress:
        done = backup.restore(settings, file, progress)
    _tell(done, f"Restored {done.files} files, {done.size / 1e6:.1f} MB, into {settings.home}.", json)


def _tell(done: backup.Backup, sentence: str, json: bool) -> None:
    if json:
        console.dump(asdict(done))
        return
    console.say(sentence)
    if done.objects:
        console.say("  Images and masks are in the object store, which isn't part of it: version or copy its bucket.")
