"""The commands that train."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import console
from app.cli.shared import DatasetName, Json, open_data
from app.domain.actor import person


def train_(
    dataset: DatasetName,
    preset: Annotated[str, typer.Option(help="baseline or no_background.")] = "baseline",
    keys: Annotated[list[str] | None, typer.Option("--set", help="key=value of the trainer's config.")] = None,
    arm: Annotated[str, typer.Option(help="curated, imported, without_excluded, or another of the arms.")] = "curated",
    name: Annotated[str, typer.Option(help="A name for the run.")] = "",
    rounds: Annotated[int, typer.Option(help="Rounds of self-training on samples without a mask, 0 to 10.")] = 0,
    precision: Annotated[float, typer.Option(help="Share of the pixels labelled for them to be right.")] = 0.95,
    resume: Annotated[int | None, typer.Option(help="Go on with this run, which failed or was cancelled.")] = None,
    json: Json = False,
) -> None:
    """Freeze the data set, train a U-Net on it, and say how good it is.

    Example: remask train mars --preset no_background --set epochs=30
    """
    from app import jobs  # the job engine takes a third of a second to load
    from app.flows import runs, train

    settings, db = open_data()
    if resume is not None:
        run_id, job_id = resume, runs.resume_in(db, dataset, resume).id
    else:
        run = train.request(
            db,
            dataset,
            person(settings.reviewer),
            preset=preset,
            keys=train.keys_of(keys or ()),
            arm=arm,
            name=name,
            rounds=rounds,
            precision=precision,
        )
        run_id, job_id = run.id, run.job_id or 0
    with console.progress(json) as progress:
        jobs.see_done(db, settings, job_id, progress)
    result = train.result_of(db, run_id)
    if json:
        console.dump({"run": run_id, **result})
        return
    for one in result.get("rounds", ()):
        console.say(_round(one))
    if "sentence" in result:
        console.say(result["sentence"])
    judged = result.get("test") or result["val"]
    console.say(f"Run {run_id} stopped after its best epoch {result['best_epoch'] + 1}: {result['reason']}.")
    console.say(
        f"Mean IoU without background {_percent(judged['miou'])}, pixel accuracy {_percent(judged['accuracy'])}."
    )


def _round(one: Mapping[str, Any]) -> str:
    told = f"Round {one['number']}: mean IoU {_percent(one['miou'])} on validation"
    said = one["pseudo"]
    if said is None:
        return f"{told}, learned from people's masks."
    right = "" if said["precision"] is None else f", {_percent(said['precision'])} of such right on validation"
    return (
        f"{told}, learned also from {said['samples']} samples without a mask: "
        f"{_percent(said['share'])} of the pixels there{right}."
    )


def crossval_(
    dataset: DatasetName,
    folds: Annotated[int, typer.Option(help="Models; each judges the samples that it never saw.")] = 5,
    keys: Annotated[list[str] | None, typer.Option("--set", help="key=value of the trainer's config.")] = None,
    json: Json = False,
) -> None:
    """Find imprecise masks: train in folds, and judge every mask by a model that never saw it.

    Example: remask crossval mars --folds 5
    """
    from app import jobs
    from app.flows import crossval, train

    settings, db = open_data()
    run = crossval.request(db, dataset, person(settings.reviewer), folds=folds, keys=train.keys_of(keys or ()))
    with console.progress(json) as progress:
        jobs.see_done(db, settings, run.job_id or 0, progress)
    result = train.result_of(db, run.id)
    if json:
        console.dump({"run": run.id, **result})
        return
    console.say(f"Run {run.id} judged {result['predicted']} masks and flagged {result['flagged']}.")
    weak = "; too weak to flag by, they only rank" if result["weak"] else ""
    console.say(f"The predictions that it judged by have a mean IoU of {_percent(result['miou'])}{weak}.")


def _percent(share: float | None) -> str:
    return "not measurable" if share is None else f"{100 * share:.1f} %"
