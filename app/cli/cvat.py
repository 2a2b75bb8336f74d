"""Commands that go to CVAT: push, list, test, answer, close, annotate."""

from typing import Annotated, cast

import typer

from app.cli import console
from app.cli.review import As
from app.cli.shared import DatasetName, Json, open_data, read_settings
from app.domain.actor import person
from app.domain.errors import RemaskError
from app.flows import cvat_annotate, cvat_answers, cvat_batches, cvat_link
from app.flows.cvat_batches import Options, Source
from app.flows.review import Selection
from app.store import cvat, datasets, receipts
from app.store.browse import Filter
from app.store.tables import CvatBatch

Server = Annotated[str | None, typer.Option(help="Name of a configured server, where there are several.")]
BatchId = Annotated[int, typer.Argument(metavar="BATCH", help="Number of a batch, as `remask cvat list` has it.")]


def push(
    dataset: DatasetName,
    keys: Annotated[list[str] | None, typer.Argument(metavar="SAMPLE...", help="Keys of samples.")] = None,
    server: Server = None,
    filter: Annotated[str | None, typer.Option(help="As behind the ? of the grid's address: check=...&min=0.5")] = None,
    flag: Annotated[str | None, typer.Option(help="Samples that this check flags.")] = None,
    group: Annotated[int | None, typer.Option(help="Samples of this group.")] = None,
    status: Annotated[str | None, typer.Option(help="Samples of these statuses, with commas between.")] = None,
    size: Annotated[int, typer.Option(help="Samples a task.")] = 500,
    segment: Annotated[int, typer.Option(help="Samples a job.")] = 50,
    background: Annotated[bool, typer.Option("--background", help="Background becomes shapes, too.")] = False,
    source: Annotated[str, typer.Option(help="given, suggestion, or both, the suggestion beside.")] = "given",
    batch: Annotated[int | None, typer.Option(help="Go on with this batch, which stopped.")] = None,
    actor: As = None,
    json: Json = False,
) -> None:
    """Send samples to CVAT with their masks, to be fixed there; without a choice all that are flagged.

    Example: remask cvat push mars --flag imprecise_mask --server lab
    """
    from app import jobs  # the job engine takes a third of a second to load

    settings, db = open_data()
    if batch is not None:
        planned = cvat_batches.Planned([cvat_batches.retry(db, batch)])
    else:
        options = Options(size, segment, background, cast(Source, source))
        selection = _selection(keys or [], filter, flag, group, status)
        who = person(actor or settings.reviewer)
        planned = cvat_batches.plan(db, settings, dataset, selection, who, server, options)
    results = []
    for one in planned.batches:
        try:
            with console.progress(json) as progress:
                results.append((one, jobs.see_done(db, settings, one.job_id or 0, progress)))
        except RemaskError as error:  # the other batches go all the same
            console.fail(f"Batch {one.id}: {error}")
    if json:
        refused = [{"sample": one.key, "reason": one.reason} for one in planned.refused]
        console.dump({"batches": [result for _, result in results], "refused": refused})
    else:
        for turned in planned.refused:
            console.say(f"  not {turned.key}: {turned.reason}")
        for made, result in results:
            console.say(f"Batch {made.id}: {result['samples']} samples at {made.url}/tasks/{result['task']}")
    if len(results) < len(planned.batches):
        raise typer.Exit(1)


def list_(
    dataset: DatasetName,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask CVAT first how far the jobs are.")] = False,
    json: Json = False,
) -> None:
    """List the batches of a dataset: where each stands, its jobs in CVAT, and labels that wait for an answer.

    Example: remask cvat list mars --refresh
    """
    settings, db = open_data()
    with db.read() as session:
        row = datasets.find(session, dataset)
        there = [one.id for one in cvat.of_dataset(session, row.id) if one.state == "at_cvat"]
    for id in there if refresh else ():
        cvat_batches.refresh(db, settings, id)
    with db.read() as session:
        cards = cvat.cards(session, row.id)
        questions = receipts.questions(session, row.id)
    if json:
        batches = [_card(one.batch) | {"frames": one.frames} for one in cards]
        asked = [{"server": one.server, "label": one.label_id, "name": one.name} for one in questions]
        console.dump({"batches": batches, "questions": asked})
        return
    for one in cards:
        batch = one.batch
        states = [job["state"] for job in batch.jobs if job["kind"] == "annotation"]
        jobs = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        link = f" {batch.url}/tasks/{batch.task_id}" if batch.task_id else ""
        console.say(
            f"{batch.id:>5} {batch.state:10} {batch.size:>6} samples{link}" + (f" (jobs: {jobs})" if jobs else "")
        )
        if batch.error:
            console.say(f"      stopped: {batch.error}")
    for asked_about in questions:
        console.say(f"What is label {asked_about.label_id} ({asked_about.name}) of {asked_about.server}?")


def test(server: Server = None, json: Json = False) -> None:
    """Say in one sentence whether a CVAT server can be used, or what is wrong.

    Example: remask cvat test --server lab
    """
    found = cvat_link.test(read_settings(), server)
    if json:
        console.dump({"good": found.good, "sentence": found.sentence, "user": found.user})
    else:
        console.say(found.sentence)
    if not found.good:
        raise typer.Exit(1)


def answer(
    dataset: DatasetName,
    label: Annotated[int, typer.Argument(help="Number of the CVAT label, as `remask cvat list` has it.")],
    to: Annotated[int | None, typer.Option("--map", help="It is this class.")] = None,
    create: Annotated[bool, typer.Option("--create", help="Make a class of its name and colour.")] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave its shapes out.")] = False,
    server: Server = None,
    actor: As = None,
) -> None:
    """Say what a CVAT label is that a pull asked about; then pull again.

    Example: remask cvat answer mars 12 --map 3
    """
    if (to is not None) + create + ignore != 1:
        raise typer.BadParameter("say one of --map, --create, --ignore")
    how: cvat_answers.Answer = "map" if to is not None else "create" if create else "ignore"
    settings, db = open_data()
    told = cvat_answers.answer(db, dataset, label, how, person(actor or settings.reviewer), to, server)
    what = "left out" if told.class_id is None else f"class {told.class_id}"
    console.say(f"Label {told.name} is {what} from now on; pull again.")


def close(batch: BatchId) -> None:
    """Let a batch rest: no more pulls. Of a push that isn't complete the task in CVAT is deleted.

    Example: remask cvat close 3
    """
    settings, db = open_data()
    made = cvat_batches.close(db, settings, batch)
    stopped = "closed" if made.state == "closed" else "told to stop; its task goes with it"
    console.say(f"Batch {made.id} is {stopped}.")


def annotate(
    task: Annotated[int, typer.Argument(metavar="TASK", help="Number of a task in CVAT.")],
    run: Annotated[int, typer.Option(help="The training whose model draws.")],
    server: Server = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take away what the task holds already.")] = False,
) -> None:
    """Let a trained U-Net draw masks into a CVAT task, for people to correct there.

    Example: remask cvat annotate 17 --run 4
    """
    settings, db = open_data()
    with console.progress(machine=False) as progress:
        shapes = cvat_annotate.run(db, settings, task, run, server, replace, progress)
    console.say(f"Drew {shapes} masks into task {task}.")


def _selection(keys: list[str], text: str | None, flag: str | None, group: int | None, status: str | None) -> Selection:
    if keys:
        return Selection(keys=keys)
    from app.flows import filters  # it knows the names of the checks, which take two seconds to load

    if text is not None:
        return Selection(filter=filters.parse(text))
    if group is not None:
        return Selection(group=group)
    told = {"check": flag or "", "status": status or ""}
    return Selection(filter=filters.made(told) if any(told.values()) else Filter(flagged=True))


def _card(batch: CvatBatch) -> dict[str, object]:
    names = ("id", "name", "server", "state", "size", "project_id", "task_id", "jobs", "error", "source", "background")
    return {name: getattr(batch, name) for name in names}
