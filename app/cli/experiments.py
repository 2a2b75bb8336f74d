"""The command that tries the report's experiments."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import DatasetName, Json, open_data
from app.domain.errors import Invalid


class BadSeeds(Invalid):
    """Seeds that aren't whole numbers."""


def experiments_(
    dataset: DatasetName,
    out: Annotated[Path | None, typer.Option(help="Folder of the suite; by default in the data folder.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each run.")] = 15,
    samples: Annotated[int, typer.Option(min=10, help="At most so many samples.")] = 600,
    width: Annotated[int | None, typer.Option(min=4, help="Channels of the network's first level; 8.")] = None,
    only: Annotated[str, typer.Option(help="Experiments or families of them, with commas between; none: all.")] = "",
    seeds: Annotated[str, typer.Option(help="Seeds, with commas between: every experiment once with each.")] = "0",
    keys: Annotated[list[str] | None, typer.Option("--set", help="key=value of the trainer's config.")] = None,
    json: Json = False,
) -> None:
    """Try losses, augmentations, networks, pseudo-labels and cleaner data against a baseline; write the tables.

    Stopped at any moment, the same command goes on where it was.

    Example: remask experiments mars --only contamination,losses --seeds 0,1,2
    """
    from app.flows import experiments  # what resamples takes half a second to load
    from app.flows.train import keys_of

    settings, db = open_data()
    told = keys_of(keys or ()) | ({} if width is None else {"width": width})
    wanted = experiments.Wanted(dataset, epochs, samples, told)
    folder = out or settings.home / "experiments" / dataset
    try:
        numbers = list(dict.fromkeys(int(seed) for seed in _parts(seeds)))
    except ValueError as error:
        raise BadSeeds("Give seeds as whole numbers with commas between, as in 0,1,2.") from error
    try:
        with console.progress(json) as progress:
            results = experiments.run(
                db, settings.home, folder, wanted, only=_parts(only), seeds=numbers, progress=progress
            )
    except KeyboardInterrupt:
        console.fail(f"Stopped; the same command goes on from what lies in {folder}.")
        raise typer.Exit(130) from None
    if json:
        console.dump({"folder": str(folder), **results})
        return
    for line in (folder / "tables.md").read_text(encoding="utf-8").splitlines():
        console.say(line)
    console.say(f"The tables lie in {folder / 'tables.md'}, all figures in {folder / 'results.json'}.")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
