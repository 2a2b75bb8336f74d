"""What CVAT holds of a batch now, and what each frame of it means here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.cvat import client, labels, probe, wire
from app.cvat.answers import Frame, Job
from app.cvat.connection import Connection
from app.cvat.labels import Labels
from app.cvat.shapes import EllipseRule, Shape, UnknownLabels, compose, ellipse_rule
from app.domain.classes import ClassList
from app.domain.errors import RemaskError
from app.domain.mask import Mask, pixel_hash
from app.flows.cvat_masks import fill_of, pushed_mask
from app.store import cvat, datasets, receipts
from app.store.cvat import CLASS, SUGGESTION
from app.store.tables import CvatBatch, CvatFrame


@dataclass(frozen=True)
class Meaning:
    """What a pull goes by. Classes: ``then`` as pushed, ``now`` in force; ``pushed``: class -> label; ``answers``:
    label -> class, or None to leave it out; ``fill``: what unpainted pixels of a sample without a mask are."""

    then: ClassList
    now: ClassList
    pushed: Mapping[int, int]
    answers: Mapping[int, int | None]
    fill: int | None


@dataclass(frozen=True)
class Seen:
    """A task as it stands: ``frames`` by number, ``shapes`` by frame in the server's order, ``notes`` on all of it.
    ``ids``: classes that were pushed as shapes and whose label is still there."""

    rule: EllipseRule
    jobs: tuple[Job, ...]
    labels: Labels
    frames: Mapping[int, Frame]
    shapes: Mapping[int, Sequence[Shape]]
    ids: frozenset[int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """One frame read. ``mask`` is None where it was not, and ``reason`` says why; ``notes`` on a frame that was.
    ``refused``: shapes that have no pixels here; ``unknown``: labels that somebody has to answer for."""

    sample_id: int
    job: Job | None
    mask: Mask | None = None
    hash: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unknown: frozenset[int] = field(default_factory=frozenset)
    drawn: bool = True


def meaning(session: Session, batch: CvatBatch) -> Meaning:
    dataset = datasets.by_id(session, batch.dataset_id)
    then = datasets.classes(session, dataset, batch.class_version)
    answered = receipts.answers(session, batch.dataset_id, batch.server)
    answers = {id: one.class_id for id, one in answered.items() if one.answer is not None}
    answers |= dict.fromkeys(cvat.labels(session, batch.id, SUGGESTION).values())
    pushed = cvat.labels(session, batch.id, CLASS)
    return Meaning(then, datasets.classes(session, dataset), pushed, answers, fill_of(then))


def look(connection: Connection, batch: CvatBatch, means: Meaning) -> Seen:
    """All of a task, read before anything is taken from it. Jobs come first: what is finished by then is in the shapes.

    Raises CvatError.
    """
    found = probe.version(connection)
    probe.check_version(found)
    task = batch.task_id or 0
    jobs = tuple(client.jobs_of(connection, task))
    told = labels.reconcile(client.labels_of(connection, task=task), means.pushed, means.then, means.answers)
    frames = {one.number: one for one in client.frames(connection, task)}
    shapes: dict[int, list[Shape]] = {}
    for shape in client.shapes(connection, task=task):
        shapes.setdefault(shape.frame, []).append(shape)
    # A label that was deleted took its shapes along; that is no opinion on any pixel.
    ids = wire.pushed_ids(means.then, batch.background) - set(told.deleted)
    notes = tuple(_notes(jobs, told, means.now, frames, batch))
    return Seen(ellipse_rule(found.number), jobs, told, frames, shapes, ids, notes)


def read(session: Session, seen: Seen, frame: CvatFrame, means: Meaning) -> Found:
    """One frame as a mask. Never raises for what CVAT holds: what can't be read is told in ``reason``."""
    number = frame.number or 0
    there, job = seen.frames.get(number), client.job_with(seen.jobs, number)
    if there is None or there.name != frame.name:
        return Found(frame.sample_id, job, reason="the task holds another picture in its place")
    if there.deleted:
        return Found(frame.sample_id, job, reason="its frame was deleted in CVAT")
    if job is None:
        return Found(
            frame.sample_id, job, reason="it is in no annotation job (ground truth and consensus jobs don't count)"
        )
    shapes = seen.shapes.get(number, ())
    try:
        drawn = compose(shapes, seen.labels.ids, there.height, there.width, seen.rule)
    except UnknownLabels as error:
        names = {one.id: one.name for one in seen.labels.unknown}
        which = ", ".join(sorted(names.get(id, str(id)) for id in error.labels))
        return Found(
            frame.sample_id, job, reason=f"no class here is called {which}; say what it is", unknown=error.labels
        )
    except RemaskError as error:
        return Found(frame.sample_id, job, reason=f"a shape can't be drawn: {error}")
    pushed = pushed_mask(session, frame, means.fill)
    if pushed.shape != drawn.mask.shape:
        return Found(frame.sample_id, job, reason="CVAT takes its picture for one of another size")
    settled = wire.settled(drawn, pushed, means.now, seen.ids)
    notes = []
    if drawn.refused:
        notes.append(f"left out, since a mask can't hold such shapes: {', '.join(drawn.refused)}")
    if drawn.contested:
        notes.append(f"{drawn.contested} pixels where shapes of two classes lie over each other at one z-order")
    if drawn.ellipses:
        word = "ellipse" if drawn.ellipses == 1 else "ellipses"
        notes.append(f"{drawn.ellipses} {word}, drawn as this version of CVAT exports them")
    if settled.kept:
        notes.append(f"{settled.kept} erased pixels keep their class, since no class is background or void")
    return Found(
        frame.sample_id,
        job,
        settled.mask,
        pixel_hash(settled.mask),
        notes=tuple(notes),
        refused=drawn.refused,
        drawn=bool(drawn.painted.any()),
    )


def _notes(
    jobs: Sequence[Job], told: Labels, classes: ClassList, frames: Mapping[int, Frame], batch: CvatBatch
) -> list[str]:
    """What is true of the whole task and worth a sentence."""
    out = []
    for class_id, name in sorted(told.renamed.items()):
        out.append(f"Class {_name(classes, class_id)} is called {name} in CVAT; it stays the same class.")
    for class_id in told.deleted:
        out.append(f"The label of class {_name(classes, class_id)} was deleted in CVAT; its pixels keep their class.")
    for one, other in client.overlapping(jobs):
        out.append(f"Jobs {one.id} and {other.id} share frames; shapes come twice, an edit in one misses the other.")
    aside = sorted({one.kind for one in jobs if one.kind != "annotation"})
    out += [f"Jobs of kind {kind.replace('_', ' ')} are left out." for kind in aside]
    if len(frames) > batch.size:
        out.append(f"The task holds {len(frames)} frames, of which {batch.size} were pushed; the others are left out.")
    return out


def _name(classes: ClassList, class_id: int) -> str:
    known = classes.by_id(class_id)
    return known.name if known is not None else str(class_id)
