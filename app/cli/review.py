"""Commands that look at samples and decide them: check, flags, status, review, undo."""

import sys
from typing import Annotated

import typer

from app.cli import console
from app.cli.shared import DatasetName, Json, open_data
from app.domain.actor import person
from app.domain.cells import line
from app.domain.status import WHY, Status
from app.flows import review
from app.flows.filters import known_check
from app.store import datasets, flags, samples, summary
from app.store.decisions import Wish

As = Annotated[str | None, typer.Option("--as", help="Name that the decision carries; by default REMASK_REVIEWER.")]


def check(
    dataset: DatasetName,
    only: Annotated[str | None, typer.Option(help="Names of checks, with commas between.")] = None,
    json: Json = False,
) -> None:
    """Run the checks and wait until they are done.

    Example: remask check mars --only shared_mask,duplicate_image
    """
    settings, db = open_data()
    from app import jobs  # the job engine takes a third of a second to load

    wanted = [name.strip() for name in only.split(",")] if only else []
    with console.progress(json) as progress:
        result = jobs.run_here(db, settings, "check", dataset, {"only": wanted} if wanted else {}, progress)
    if json:
        console.dump(result)
        return
    for one in result["checks"]:
        console.say(f"{one['check']:20} {one['flagged']:7} flagged {one['seconds']:8.1f} s")


def flags_(
    dataset: DatasetName,
    check: Annotated[str | None, typer.Option(help="Only this check's flags.")] = None,
    json: Json = False,
) -> None:
    """List open flags, the worst first.

    Example: remask flags mars --check shared_mask
    """
    _, db = open_data()
    with db.read() as session:
        found = flags.open_flags(session, datasets.find(session, dataset).id, known_check(check))
    if json:
        console.dump(
            [
                {
                    "sample": sample.key,
                    "check": flag.check,
                    "score": flag.score,
                    "group": flag.group_id,
                    "reason": flag.reason,
                }
                for flag, sample in found
            ]
        )
        return
    for flag, sample in found:
        group = f" group {flag.group_id}" if flag.group_id else ""
        console.say(f"{flag.score:.3f} {flag.check:16} {sample.key}{group}: {flag.reason}")
    if not found:
        console.say(f"No flag is open; remask check {dataset} looks for what is suspect.")


def status(
    dataset: DatasetName,
    sample: Annotated[str | None, typer.Argument(help="Key of one sample.")] = None,
    json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Count samples by label status, or tell one sample's status and why.

    Example: remask status mars training_set/00062
    """
    _, db = open_data()
    table: list[tuple[str, ...]]
    with db.read() as session:
        row = datasets.find(session, dataset)
        if sample is None:
            counts = summary.by_status(session, row.id)
            facts: dict[str, object] = {"dataset": dataset, "samples": sum(counts.values()), **counts}
            table = [("status", "samples"), *((name, str(count)) for name, count in counts.items())]
        else:
            one = samples.by_key(session, row.id, sample)
            why = WHY[Status(one.status)]
            sentence = f"{one.key}: {one.status}. {why}"
            facts = {"sample": one.key, "status": one.status, "why": why, "version": one.version}
            facts["flags"] = [flag.check for flag in flags.of_sample(session, one) if flag.state == "open"]
            table = [("sample", "status", "why"), (one.key, one.status, why)]
    if json:
        console.dump(facts)
    elif as_csv:
        sys.stdout.writelines(line(row) for row in table)
    elif sample is not None:
        console.say(sentence)
    else:
        for name, count in table[1:]:
            console.say(f"{name:12} {count:>8}")


def review_(
    dataset: DatasetName,
    keys: Annotated[list[str] | None, typer.Argument(metavar="SAMPLE...", help="Keys of samples.")] = None,
    exclude: Annotated[bool, typer.Option("--exclude", help="Take them out of the set.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep them as they are; closes their flags.")] = False,
    group: Annotated[int | None, typer.Option(help="Decide every sample of this group.")] = None,
    actor: As = None,
    json: Json = False,
) -> None:
    """Decide samples, or a whole group, as the browser does.

    Example: remask review mars --exclude --group 12
    """
    if exclude == keep:
        raise typer.BadParameter("say either --exclude or --keep")
    if bool(keys) == (group is not None):
        raise typer.BadParameter("name either samples or a --group")
    settings, db = open_data()
    selection = review.Selection(keys=keys or (), group=group)
    wish = Wish("exclude" if exclude else "keep")
    tell_outcome(review.decide(db, dataset, selection, wish, person(actor or settings.reviewer)), json)


def undo(
    dataset: DatasetName,
    batch: Annotated[int | None, typer.Option(help="A batch of the history; by default your last one.")] = None,
    actor: As = None,
    json: Json = False,
) -> None:
    """Undo your last decision, a batch as one.

    Example: remask undo mars --as ada
    """
    settings, db = open_data()
    who = person(actor or settings.reviewer)
    outcome = review.undo(db, batch, who) if batch is not None else review.undo_last(db, dataset, who)
    tell_outcome(outcome, json, "Undid the decision on")


def tell_outcome(outcome: review.Outcome, json: bool, done: str = "Decided") -> None:
    """What was done, and what was left alone and why."""
    if json:
        refused = [{"sample": one.key, "reason": one.reason} for one in outcome.refused]
        console.dump({"batch": outcome.batch, "decided": len(outcome.decided), "refused": refused})
        return
    for one in outcome.refused:
        console.say(f"  not {one.key}: {one.reason}")
    count = len(outcome.decided)
    samples = f"{count:,} sample" if count == 1 else f"{count:,} samples"
    console.say(f"{done} {samples}" + (f", batch {outcome.batch}." if outcome.batch else "."))
