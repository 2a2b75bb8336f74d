"""The command that says whether it helped."""

from typing import Annotated, Any

import typer

from app.cli import console
from app.cli.shared import DatasetName, Json, open_data
from app.domain.actor import person


def compare_(
    dataset: DatasetName,
    arms: Annotated[str, typer.Option(help="Two arms, or snapshot:ID, with a comma between.")] = "imported,curated",
    seeds: Annotated[int, typer.Option(help="Trainings of each arm.")] = 3,
    preset: Annotated[str, typer.Option(help="baseline or no_background.")] = "baseline",
    keys: Annotated[list[str] | None, typer.Option("--set", help="key=value of the trainer's config.")] = None,
    resume: Annotated[int | None, typer.Option(help="Go on with this comparison, cancelled or failed.")] = None,
    json: Json = False,
) -> None:
    """Train two arms alike on several seeds, judge them on the same masks, and say whether it helped.

    Example: remask compare mars --arms imported,curated --seeds 3 --set epochs=30
    """
    from app import jobs  # the job engine takes a third of a second to load
    from app.flows import compare, train

    settings, db = open_data()
    if resume is not None:
        id, job_id = resume, compare.resume(db, resume, dataset).id
    else:
        sides = [one.strip() for one in arms.split(",")]
        if len(sides) != 2:
            raise typer.BadParameter("name two arms with a comma between", param_hint="--arms")
        wish: dict[str, Any] = {"before": sides[0], "after": sides[1], "seeds": seeds, "preset": preset}
        told = train.keys_of(keys or ())
        asked = compare.request(db, dataset, person(settings.reviewer), keys=told, **wish)
        id, job_id = asked.id, asked.job_id or 0
    with console.progress(json) as progress:
        jobs.see_done(db, settings, job_id, progress)
    result = compare.result_of(db, id)
    if json:
        console.dump({"comparison": id, **result})
        return
    console.say(result["sentence"])
    for one in result["notes"]:
        console.say(f"  {one}")
    for reading in result["readings"]:
        only = ", confirmed ones only" if reading["verified"] else ""
        console.say(f"Judged by {reading['samples']} {reading['reference']} masks{only}:")
        for name, figure in [("mean IoU", reading["overall"]), *((one["name"], one) for one in reading["classes"])]:
            console.say(f"  {name:20} {_told(figure)}")


def _told(figure: dict[str, Any]) -> str:
    if figure["difference"] is None:
        return "not measurable"
    gap, low, high = (100 * figure[name] for name in ("difference", "low", "high"))
    before, after = (100 * sum(figure[side]) / len(figure[side]) for side in ("before", "after"))
    return f"{before:5.1f} -> {after:5.1f} %  {gap:+5.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
