"""Commands that bring masks back from CVAT: pull, and read for its files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.review import As
from app.cli.shared import DatasetName, Json, open_data
from app.domain.actor import person
from app.domain.errors import RemaskError
from app.flows import cvat_file_read, cvat_pull
from app.store import cvat, receipts
from app.store.tables import CvatBatch, CvatLine, CvatPull, Sample


def pull(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help="All its batches at CVAT.")] = None,
    keys: Annotated[list[str] | None, typer.Argument(metavar="SAMPLE...", help="Only these, by their keys.")] = None,
    batch: Annotated[int | None, typer.Option(help="Only this batch.")] = None,
    finished_only: Annotated[bool, typer.Option("--finished-only", help="Only frames of completed jobs.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Unchanged masks count as confirmed everywhere.")] = False,
    actor: As = None,
    json: Json = False,
) -> None:
    """Bring masks back from CVAT and tell what became of each. Samples that are named count as looked at.

    Example: remask cvat pull mars --finished-only
    """
    if (dataset is None) == (batch is None):
        raise typer.BadParameter("name either a dataset or a --batch")
    if keys and (finished_only or confirm):
        raise typer.BadParameter("samples that are named come from any job and are confirmed; leave the options out")
    from app import jobs  # the job engine takes a third of a second to load

    settings, db = open_data()
    wanted: dict[int, list[int]] = {batch: []} if batch is not None else cvat_pull.where(db, dataset or "", keys or [])
    who = person(actor or settings.reviewer)
    told = []
    for id, chosen in wanted.items():
        which: cvat_pull.Which = "samples" if chosen else "finished" if finished_only else "all"
        asked = cvat_pull.request(db, id, who, which, chosen, confirm)
        try:
            with console.progress(json) as progress:
                jobs.see_done(db, settings, asked.job_id or 0, progress)
        except RemaskError as error:  # the other batches come all the same
            console.fail(f"Batch {id}: {error}")
        with db.read() as session:
            told.append((cvat.find(session, id), receipts.find(session, asked.id)))
            if not json:
                _tell_lines(receipts.lines(session, asked.id))
    if json:
        console.dump([_receipt(*one) for one in told])
    else:
        for made, receipt in told:
            _tell(made, receipt)
    if not told and not json:
        console.say("No batch is at CVAT.")
    if any(receipt.state == "failed" for _, receipt in told):
        raise typer.Exit(1)


def read_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip of CVAT's Export dataset.")],
    dataset: DatasetName,
    batch: Annotated[int | None, typer.Option(help="As what it was sent, if not the newest cvat export.")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Unchanged masks count as confirmed.")] = False,
    actor: As = None,
    json: Json = False,
) -> None:
    """Read what CVAT exported by hand, as a pull with its receipt.

    Example: remask cvat read fixed.zip mars
    """
    from app import jobs  # the job engine takes a third of a second to load

    settings, db = open_data()
    asked = cvat_file_read.request(db, file, dataset, person(actor or settings.reviewer), batch, confirm)
    with console.progress(json) as progress:
        jobs.see_done(db, settings, asked.job_id or 0, progress)
    with db.read() as session:
        made, receipt = cvat.find(session, asked.batch_id), receipts.find(session, asked.id)
        if not json:
            _tell_lines(receipts.lines(session, asked.id))
    if json:
        console.dump(_receipt(made, receipt))
        return
    _tell(made, receipt)


def _tell_lines(lines: Sequence[tuple[CvatLine, Sample]]) -> None:
    """What a receipt says of samples that aren't just as they were."""
    for line, sample in lines:
        if line.outcome != "unchanged" or line.reason:
            console.say(f"  {line.outcome} {sample.key}{_detail(line.pixels, line.reason)}")


def _tell(made: CvatBatch, receipt: CvatPull) -> None:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in receipt.counts.items()) or "nothing"
    console.say(f"Pull {receipt.id} of batch {made.id}: {counts}.")
    for note in receipt.notes:
        console.say(f"  {note}")
    if receipt.state == "asks":
        console.say("  Labels that are no class here wait for an answer: remask cvat answer")


def _detail(pixels: int, reason: str) -> str:
    return (f", {pixels} pixels" if pixels else "") + (f": {reason}" if reason else "")


def _receipt(batch: CvatBatch, pull: CvatPull) -> dict[str, object]:
    names = ("state", "counts", "notes", "error")
    return {"batch": batch.id, "pull": pull.id} | {name: getattr(pull, name) for name in names}
