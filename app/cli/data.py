"""Commands that bring data in and out: import, export, demo."""

import re
from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import ClassFile, DatasetName, Json, classes_in, open_data
from app.domain.actor import person
from app.flows import export, ingest
from app.flows.report import NothingToImport, Report


def import_(
    path: Annotated[Path, typer.Argument(help="A folder, a zip, or an .npz or annotation file.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset; by default made from the path.")] = None,
    format: Annotated[str, typer.Option(help="Name of the format, where it isn't to be detected.")] = "auto",
    classes: ClassFile = None,
    json: Json = False,
) -> None:
    """Import images and masks; what can't be read is named with the reason, the rest comes in.

    Example: remask import mars_for_students.npz --dataset mars
    """
    settings, db = open_data()
    listed = classes_in(classes) if classes else None
    who, name = person(settings.reviewer), name_for(path) if dataset is None else dataset
    try:
        with console.progress(json) as progress:
            report = ingest.run(db, path, name, who, format=format, classes=listed, progress=progress)
    except NothingToImport as error:
        if json:
            console.dump(error.facts)
        raise
    if json:
        console.dump(report.as_json())
        return
    console.say(sentence(report))
    for one in report.refused[:20]:
        console.say(f"  refused {one.file}: {one.reason}")
    if len(report.refused) > 20:
        console.say(f"  and {len(report.refused) - 20} more; --json lists all of them")


def export_(
    dataset: DatasetName,
    out: Annotated[Path, typer.Argument(help="A file for npz and cvat, a new folder for the others.")],
    format: Annotated[
        str, typer.Option(help="npz, folder, coco, voc, or cvat-datumaro, -images, -coco, -masks.")
    ] = "npz",
    only: Annotated[str, typer.Option(help="curated (excluded samples left out) or all.")] = "curated",
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Of the cvat formats: with them.")] = True,
    json: Json = False,
) -> None:
    """Write the curated set, with a manifest of revisions, authors and hashes.

    Example: remask export mars curated.npz --format npz
    """
    settings, db = open_data()
    with console.progress(json) as progress:
        written = export.run(db, out, dataset, format, only, progress, pictures, person(settings.reviewer))
    facts = {"path": str(written.path), "labelled": written.labelled, "unlabeled": written.unlabelled}
    if json:
        console.dump(facts | {"notes": list(written.notes)})
        return
    console.say(f"Wrote {written.labelled} labelled and {written.unlabelled} unlabelled samples to {written.path}.")
    for note in written.notes:
        console.say(f"  {note}")


def demo_(
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")] = "demo",
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another set.")] = 0,
    count: Annotated[int, typer.Option(min=40, max=100_000, help="Labelled samples to draw.")] = 600,
    json: Json = False,
) -> None:
    """Draw a demo set of Mars-like terrain with known faults, and import it.

    Example: remask demo && remask check demo
    """
    from app.flows import demo  # what draws takes half a second to load

    settings, db = open_data()
    with console.progress(json) as progress:
        report = demo.run(
            db, settings.home, dataset, person(settings.reviewer), seed=seed, count=count, progress=progress
        )
    if json:
        console.dump({"dataset": report.dataset, "imported": report.imported, "unlabeled": report.unlabeled})
    else:
        console.say(sentence(report))


def name_for(path: Path) -> str:
    """A dataset's name made of a path's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().stem).strip("-._")[:64] or "data"


def sentence(report: Report) -> str:
    parts = [f"{report.imported} samples imported into {report.dataset} in {report.seconds:.1f} s"]
    for count, what in (
        (report.unlabeled, "without a mask"),
        (report.repeated, "there already"),
        (report.pending, "wait as proposed masks"),
        (len(report.refused), "refused"),
        (report.overlapped, "pixels claimed by more than one instance"),
    ):
        if count:
            parts.append(f"{count} {what}")
    return ", ".join(parts) + "." + "".join(f" Ignored: {what}." for what in report.ignored)
