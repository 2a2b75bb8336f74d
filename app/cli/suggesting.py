"""The commands about suggested masks."""

from typing import Annotated, Any

import typer

from app.cli import console
from app.cli.review import As, tell_outcome
from app.cli.shared import DatasetName, Json, open_data
from app.domain.actor import person


def suggest_(
    dataset: DatasetName,
    run: Annotated[int | None, typer.Option(help="Whose models; by default the newest cross-validation's.")] = None,
    method: Annotated[str, typer.Option(help="softmax, ensemble or pseudoseg.")] = "ensemble",
    precision: Annotated[float, typer.Option(help="Share of the proposed pixels that should be right.")] = 0.97,
    only: Annotated[str | None, typer.Option(help="unlabeled or flagged; by default both.")] = None,
    sample: Annotated[list[str] | None, typer.Option(help="Key of a sample, in place of those.")] = None,
    json: Json = False,
) -> None:
    """Let a model propose masks where held-out samples show that it can be believed; people decide.

    Example: remask suggest mars --precision 0.97 --only unlabeled
    """
    from app import jobs  # the job engine takes a third of a second to load
    from app.flows import suggest
    from app.store import suggestions

    settings, db = open_data()
    told = {"run": run, "method": method, "precision": precision, "only": only, "keys": sample or ()}
    asked = suggest.request(db, dataset, person(settings.reviewer), **told)  # type: ignore[arg-type]
    with console.progress(json) as progress:
        jobs.see_done(db, settings, asked.job_id or 0, progress)
    with db.read() as session:
        result = suggestions.find(session, asked.id).result or {}
    if json:
        console.dump({"suggesting": asked.id, **result})
    else:
        _tell(result)


def accept_(
    dataset: DatasetName,
    name: Annotated[str, typer.Option("--class", help="Name of the class.")],
    above: Annotated[float, typer.Option(help="Share of pixels like these that should be right.")] = 0.99,
    actor: As = None,
    json: Json = False,
) -> None:
    """Accept every suggested pixel of a class that is sure enough; recorded as your rule, undone like any decision.

    Example: remask accept mars --class sky --above 0.99
    """
    from app.flows import accept

    settings, db = open_data()
    outcome = accept.accept(db, dataset, name, above, person(actor or settings.reviewer))
    tell_outcome(outcome, json, "Accepted in")


def _tell(result: dict[str, Any]) -> None:
    console.say(result["sentence"])
    if result["judgement"]:
        console.say(result["judgement"])
    console.say(f"{'method':10} {'right':>8} {'mean IoU':>9} {'believed':>9} {'of these right':>15}")
    for one in result["methods"]:
        figures = [one[name] for name in ("accuracy", "miou", "share", "reached")]
        shown = ["-" if figure is None else f"{100 * figure:.1f} %" for figure in figures]
        console.say(f"{one['method']:10} {shown[0]:>8} {shown[1]:>9} {shown[2]:>9} {shown[3]:>15}")
    proposed, refused = result["proposed"], result["refused"]
    console.say(
        f"Proposed masks for {proposed['unlabeled']} unlabelled and {proposed['flagged']} labelled samples "
        f"of {result['wanted']}."
    )
    if refused["count"]:
        console.say(
            f"Not asked, as every model saw them or their like: {refused['count']}, {refused['keys'][0]} first."
        )
