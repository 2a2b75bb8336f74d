"""Commands that keep running: serve, worker."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.data import name_for, sentence
from app.cli.shared import open_data
from app.domain.actor import person
from app.flows import ingest


def serve(
    data: Annotated[Path | None, typer.Option(help="Import this folder, zip or file first and open on it.")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave the jobs to `remask worker`.")] = False,
) -> None:
    """Serve the app and run its background jobs, until Ctrl+C.

    Example: remask serve --data mars_for_students.npz
    """
    from app import serving  # the web takes a second to load, and most commands don't need it

    settings, db = open_data()
    page = ""
    with serving.reserve(settings) as listening:
        if data is not None:
            with console.progress(machine=False) as progress:
                report = ingest.run(db, data, name_for(data), person(settings.reviewer), progress=progress)
            console.say(sentence(report))
            page = f"/d/{report.dataset}"
        serving.serve(settings, db, listening, console.say, page, not no_worker)


def worker(
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True, help="Stop when the parent process ends.")] = False,
) -> None:
    """Run background jobs (imports, checks, exports) without serving pages; `remask serve` starts one of its own.

    Example: remask worker
    """
    from app import serving  # the web takes a second to load, and most commands don't need it

    settings, db = open_data()
    serving.work(settings, db, until_stdin_closes)
