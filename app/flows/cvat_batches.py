"""What goes to CVAT: batches planned from a selection, tried again, closed."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, get_args
from uuid import uuid4

from sqlalchemy.orm import Session

from app.cvat import client, wire
from app.cvat.servers import Server
from app.domain.actor import Actor
from app.domain.classes import ClassList, Role
from app.domain.errors import Conflict, Invalid, NotFound
from app.flows import review
from app.flows.cvat_link import Connect, choose, connect
from app.flows.review import Selection, Turned
from app.settings import Settings
from app.store import cvat, datasets, jobs, revisions, standing
from app.store.db import Database
from app.store.tables import CvatBatch, CvatFrame, Sample

Source = Literal["given", "suggestion", "both"]
MOST = 10_000


class BadPush(Invalid):
    """A push that can't be made as it was asked for."""


@dataclass(frozen=True)
class Options:
    """How samples go. ``size``: samples a task; ``segment_size``: samples a job in it. ``background``: background
    becomes shapes, too. ``source``: the given mask, the model's suggestion in its place, or both, the suggestion beside
    the mask in labels of its own that a pull leaves out."""

    size: int = 500
    segment_size: int = 50
    background: bool = False
    source: Source = "given"

    def __post_init__(self) -> None:
        if not 1 <= self.segment_size <= MOST or not 1 <= self.size <= MOST:
            raise BadPush(f"A task and a job hold 1 to {MOST} samples; choose a size in between.")
        if self.source not in get_args(Source):
            raise BadPush(f"There is nothing called {self.source} to push; choose {', '.join(get_args(Source))}.")


DEFAULT = Options()


@dataclass
class Planned:
    """The batches, each with the job that pushes it, and the samples that don't go."""

    batches: list[CvatBatch] = field(default_factory=list)
    refused: list[Turned] = field(default_factory=list)


def plan(
    db: Database,
    settings: Settings,
    dataset: str,
    selection: Selection,
    actor: Actor,
    server: str | None = None,
    options: Options = DEFAULT,
) -> Planned:
    """Write down which samples go, with the revisions they go with, and ask for the jobs that push them.

    Excluded samples and those that are at CVAT already are refused by name. Raises NotFound, BadServer, BadPush where
    nothing is left, wire.CantPush for a class list that CVAT can't hold.
    """
    target = choose(settings, server)
    with db.write() as session:
        row = datasets.find(session, dataset)
        classes = datasets.classes(session, row)
        wire.label_specs(classes, options.background)
        if options.source == "both":
            wire.suggestion_specs(classes, options.background)
        chosen = review.selected(session, row.id, selection)
        planned = Planned()
        frames = list(_frames(session, chosen, classes, options, planned.refused))
        if not frames:
            why = f"{planned.refused[0].key}: {planned.refused[0].reason}" if planned.refused else "none was chosen"
            raise BadPush(f"There is no sample to push ({why}).")
        token = uuid4().hex[:8]
        for number, start in enumerate(range(0, len(frames), options.size), start=1):
            some = frames[start : start + options.size]
            name = f"{dataset} {token}-{number}"
            planned.batches.append(_batch(session, row.id, row.class_version, target, name, some, actor, options))
        return planned


def retry(db: Database, batch_id: int) -> CvatBatch:
    """Ask once more for the push of a batch that stopped. Raises NotFound, Conflict where there is nothing to push."""
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        if batch.state in ("at_cvat", "closed"):
            raise Conflict(f"Batch {batch.name} is {'in CVAT already' if batch.state == 'at_cvat' else 'closed'}.")
        batch.job_id = jobs.request(session, "cvat_push", batch.dataset_id, {"batch": batch.id}).id
        return batch


def close(db: Database, settings: Settings, batch_id: int, connect: Connect = connect) -> CvatBatch:
    """Let a batch rest: its samples count as at CVAT no longer, and no pull asks for it.

    A task that people may have worked on stays in CVAT. Of a push that isn't complete the task is deleted; where that
    push is running it is told to stop, and does the same. Of a server that is configured no longer nothing can be
    deleted. Raises NotFound for the batch, or a CvatError and then all is as it was.
    """
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        if batch.state == "closed":
            return batch
        job = jobs.find(session, batch.job_id) if batch.job_id is not None else None
        if job is not None and job.state not in jobs.ENDED:
            running = job.state == "running"
            jobs.cancel(session, job.id)
            if running and batch.state != "at_cvat":
                return batch
    if batch.state != "at_cvat":
        with suppress(NotFound):
            delete_tasks(settings, batch, connect)
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        standing.refresh(session, cvat.close(session, batch))
        return batch


def refresh(db: Database, settings: Settings, batch_id: int, connect: Connect = connect) -> CvatBatch:
    """Ask CVAT how far a batch's jobs are, and whose; no mask is looked at. Raises NotFound, CvatError, and Conflict
    for a batch that isn't at CVAT."""
    with db.read() as session:
        batch = cvat.find(session, batch_id)
    if batch.state != "at_cvat" or batch.task_id is None:
        raise Conflict(f"Batch {batch.name} is not at CVAT, so it has no jobs there.")
    with connect(settings, batch.server) as connection:
        found = client.jobs_of(connection, batch.task_id)
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        batch.jobs = [vars(one) for one in found]
        return batch


def delete_tasks(settings: Settings, batch: CvatBatch, connect: Connect) -> None:
    """Take away what a push that isn't complete has left in CVAT. Raises CvatError."""
    if batch.project_id is None:
        return
    with connect(settings, batch.server) as connection:
        client.delete_tasks(connection, batch.project_id, batch.name)


def _frames(
    session: Session, chosen: Sequence[Sample], classes: ClassList, options: Options, refused: list[Turned]
) -> Iterable[CvatFrame]:
    busy = cvat.busy(session, [one.id for one in chosen])
    suggestions = {} if options.source == "given" else revisions.suggested(session, [one.id for one in chosen])
    blank = any(one.role is not Role.FOREGROUND for one in classes.classes)
    for sample in chosen:
        suggestion = suggestions.get(sample.id)
        pushed = suggestion if options.source == "suggestion" else sample.current_id
        reason = None
        if sample.excluded:
            reason = "it is excluded"
        elif sample.id in busy:
            reason = f"it is in batch {busy[sample.id]} already"
        elif options.source == "suggestion" and suggestion is None:
            reason = "there is no suggestion for it"
        elif pushed is None and not blank:
            reason = "it has no mask, and no class is background or void for what stays unpainted"
        if reason is not None:
            refused.append(Turned(sample.id, sample.key, reason))
            continue
        beside = suggestion if options.source == "both" else None
        yield CvatFrame(
            sample_id=sample.id, revision_id=pushed, suggestion_id=beside, base_id=pushed, ours_id=sample.current_id
        )


def _batch(
    session: Session,
    dataset_id: int,
    class_version: int,
    target: Server,
    name: str,
    frames: Sequence[CvatFrame],
    actor: Actor,
    options: Options,
) -> CvatBatch:
    batch = CvatBatch(
        dataset_id=dataset_id,
        server=target.name,
        url=target.url,
        name=name,
        source=options.source,
        class_version=class_version,
        background=options.background,
        segment_size=options.segment_size,
        size=len(frames),
        actor_name=actor.name,
    )
    session.add(batch)
    session.flush()
    for frame in frames:
        frame.batch_id = batch.id
    session.add_all(frames)
    batch.job_id = jobs.request(session, "cvat_push", dataset_id, {"batch": batch.id}).id
    return batch
