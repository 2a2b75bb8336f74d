"""The commands about the loop as a whole: when to stop, and whether it works."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import console
from app.cli.shared import ClassFile, DatasetName, Json, classes_in, open_data, read_settings
from app.flows import remaining
from app.store import datasets


def remaining_(dataset: DatasetName, json: Json = False) -> None:
    """Estimate how many bad masks remain, and what the next reviews should find.

    Example: remask remaining mars
    """
    _, db = open_data()
    with db.read() as session:
        found = remaining.outlook(session, datasets.find(session, dataset).id)
    if json:
        console.dump(found.as_json() if found else remaining.unjudged())
    else:
        console.say(found.sentence if found else remaining.UNJUDGED)


def simulate_(
    source: Annotated[Path | None, typer.Argument(help="A set of right masks; by default a demo set.")] = None,
    truth: Annotated[
        Path | None, typer.Option(help="A set of the same keys with right masks; SOURCE is reviewed as it is.")
    ] = None,
    classes: ClassFile = None,
    budget: Annotated[int, typer.Option(min=1, help="Reviews in each order.")] = 40,
    order: Annotated[
        str, typer.Option(help="Of ours, queue, softmin, random, with commas between.")
    ] = "ours,queue,softmin,random",
    samples: Annotated[int, typer.Option(min=10, help="At most so many samples.")] = 160,
    share: Annotated[float, typer.Option(min=0, max=1, help="How many of the masks are spoilt.")] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="Of what is spoilt, and of the random order.")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="Models that judge the masks.")] = 3,
    retrain: Annotated[int, typer.Option(min=0, help="Seeds to train with before and after; 0: don't.")] = 0,
    keys: Annotated[list[str] | None, typer.Option("--set", help="key=value of the trainer's config.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the simulation; by default in the data folder.")] = None,
    json: Json = False,
) -> None:
    """Spoil masks of a set, and see what reviewing in an order removes. Stopped, the same command goes on.

    Example: remask simulate --budget 40 --set epochs=8
    """
    from app.flows import simulate  # what trains takes half a second to load
    from app.flows.simulation_data import Wanted
    from app.flows.train import keys_of

    orders = tuple(one.strip() for one in order.split(",") if one.strip())
    wanted = Wanted(source, truth, samples, share, seed, classes_in(classes) if classes else None)
    plan = simulate.Plan(wanted, budget, orders, folds, retrain, keys_of(keys or ()))
    folder = out or read_settings().home / "simulations" / f"{source.stem if source else 'demo'}-{seed}"
    with console.progress(json) as progress:
        results = simulate.run(folder, plan, progress)
    if json:
        console.dump({"folder": str(folder), **results})
        return
    console.say(f"{results['bad']} of {results['masks']} masks are bad, with {results['wrong']:,} wrong pixels.")
    for name, one in results["orders"].items():
        console.say(_told(name, results["budget"], one))
    console.say(f"All figures lie in {folder / 'results.json'}, the curve in {folder / 'plot.svg'}.")


def _told(name: str, budget: int, one: dict[str, Any]) -> str:
    share, iou = one["removed"], one["iou"]
    said = (
        f"{name:8} {budget} reviews found {one['bad_found']} bad masks and removed {100 * share['value']:.0f} % of the"
    )
    said += f" wrong pixels ({100 * share['low']:.0f}-{100 * share['high']:.0f} %), {one['per_100']:,} per 100 reviews"
    if one["early"]:
        said += f"; half of the bad masks lie in the first {100 * one['early']['median']:.0f} % of the order"
    if iou is None or iou["difference"] is None:
        return said + "."
    return f"{said}; mean IoU {100 * iou['difference']:+.1f} ({100 * iou['low']:+.1f} to {100 * iou['high']:+.1f})."
