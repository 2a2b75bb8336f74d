"""A batch back from CVAT: read whole, taken frame by frame, told in a receipt."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from sqlalchemy.orm import Session

from app.cvat import client
from app.domain.actor import Actor
from app.domain.errors import Conflict, Invalid, RemaskError
from app.flows import review
from app.flows.cvat_link import Connect, connect
from app.flows.cvat_read import Found, Seen, look, meaning, read
from app.flows.cvat_settle import settle
from app.flows.progress import Cancelled, Progress, quiet
from app.flows.review import Selection
from app.settings import Settings
from app.store import cvat, datasets, decisions, jobs, receipts, standing
from app.store.db import Database
from app.store.tables import Batch, CvatFrame, CvatPull, now

Which = Literal["all", "finished", "samples"]
Origin = Literal["person", "poll", "webhook"]
# Frames that are read without the database's lock, then taken in one transaction.
CHUNK = 50


class BadPull(Invalid):
    """A pull that can't be made as it was asked for."""


def where(db: Database, dataset: str, keys: Sequence[str] = ()) -> dict[int, list[int]]:
    """The batches of a dataset that are at CVAT, the newest first, each with those of its samples that ``keys`` name;
    without keys all of them, and no sample. Raises NotFound, and BadPull for a sample that none of them holds."""
    with db.read() as session:
        row = datasets.find(session, dataset)
        ids = [one.id for one in cvat.of_dataset(session, row.id) if one.state == "at_cvat"]
        if not keys:
            return {id: [] for id in ids}
        named = {one.id: one.key for one in review.selected(session, row.id, Selection(keys=keys))}
        held = {id: [one.sample_id for one in cvat.frames(session, id) if one.sample_id in named] for id in ids}
    if astray := named.keys() - {sample for some in held.values() for sample in some}:
        raise BadPull(f"{named[min(astray)]} is in no batch that is at CVAT.")
    return {id: some for id, some in held.items() if some}


def request(
    db: Database,
    batch_id: int,
    actor: Actor,
    which: Which = "all",
    samples: Sequence[int] = (),
    confirm: bool = False,
    origin: Origin = "person",
) -> CvatPull:
    """Ask for a pull: its row and its job. One that was asked for in the same words and hasn't begun serves again.

    ``which``: the whole task, the frames of finished jobs, or these ``samples``. Pixels that nobody changed count as
    confirmed in finished jobs, among chosen samples, and with ``confirm`` everywhere. Raises NotFound, BadPull, and
    Conflict for a batch that isn't at CVAT.
    """
    if which not in get_args(Which) or (which == "samples") != bool(samples):
        raise BadPull("Pull all, finished, or samples together with the samples that are meant.")
    with db.write() as session:
        batch = cvat.find(session, batch_id)
        if batch.state != "at_cvat":
            raise Conflict(f"Batch {batch.name} {'is closed' if batch.state == 'closed' else 'is not in CVAT yet'}.")
        if foreign := set(samples) - {one.sample_id for one in cvat.frames(session, batch_id)}:
            raise BadPull(f"Sample {min(foreign)} is not in batch {batch.name}.")
        wish = {"which": which, "samples": sorted(samples), "confirm": confirm, "origin": origin}
        for pull in receipts.asked(session, batch_id):
            if wish == {name: getattr(pull, name) for name in wish}:
                return pull
        pull = CvatPull(batch_id=batch_id, actor_name=actor.name, **wish)
        session.add(pull)
        session.flush()
        pull.job_id = jobs.request(session, "cvat_pull", batch.dataset_id, {"pull": pull.id}).id
        return pull


def run(
    db: Database, settings: Settings, pull_id: int, progress: Progress = quiet, connect: Connect = connect
) -> dict[str, Any]:
    """Pull, or go on with a pull that was killed: what has its line in the receipt is not taken twice.

    Raises a CvatError; nothing is taken then that was not read whole, and the pull keeps the sentence.
    """
    with db.read() as session:
        pull = receipts.find(session, pull_id)
        batch = cvat.find(session, pull.batch_id)
        means = meaning(session, batch)
        frames = cvat.frames(session, pull.batch_id)  # as they are before CVAT is asked, see ``_take``
        done = receipts.done_samples(session, pull.id)
    if pull.state != "asked":
        return _facts(pull)
    try:
        progress(0, batch.size, "asking CVAT")
        with connect(settings, batch.server) as connection:
            seen = look(connection, batch, means)
        wanted = _wanted(pull, [one for one in frames if one.sample_id not in done], seen)
        take_all(db, pull_id, seen, wanted, lambda session, frame: read(session, seen, frame, means), progress)
    except (Cancelled, RemaskError) as error:
        stopped(db, pull_id, error)
        raise
    with db.write() as session:
        return end(session, pull_id, seen)


def _wanted(pull: CvatPull, frames: Sequence[CvatFrame], seen: Seen) -> list[CvatFrame]:
    """Those of ``frames`` that this pull is about."""
    finished = client.frames_in(seen.jobs, finished=True)
    return [
        frame
        for frame in frames
        if frame.state in ("out", "back")
        and (pull.which != "finished" or frame.number in finished)
        and (pull.which != "samples" or frame.sample_id in pull.samples)
    ]


def take_all(
    db: Database,
    pull_id: int,
    seen: Seen,
    wanted: Sequence[CvatFrame],
    find: Callable[[Session, CvatFrame], Found],
    progress: Progress,
) -> None:
    """Read frames by ``find`` and take them, a chunk a transaction, so that a killed pull goes on where it was.

    ``wanted``: as they were before CVAT was asked. Raises Conflict where the batch was closed meanwhile.
    """
    for start in range(0, len(wanted), CHUNK):
        progress(start, len(wanted), "taking masks")
        some = wanted[start : start + CHUNK]
        with db.read() as session, cvat.warm(session, some):
            found = [find(session, frame) for frame in some]
        with db.write() as session:
            _take(session, pull_id, found, some, seen)
    progress(len(wanted), len(wanted), "done")


def _take(session: Session, pull_id: int, found: Sequence[Found], wanted: Sequence[CvatFrame], seen: Seen) -> None:
    """A chunk of frames, in one transaction with the decisions that follow from them.

    A frame that isn't as it was in ``wanted`` has been taken by another pull since, which may have seen more of what
    people did: it is skipped.
    """
    pull = receipts.find(session, pull_id)
    batch = cvat.find(session, pull.batch_id)
    if batch.state == "closed":
        raise Conflict(f"Batch {batch.name} was closed while it was pulled; what had come by then stays.")
    read_here = {one.sample_id for one in found}
    frames = {one.sample_id: one for one in cvat.frames(session, batch.id) if one.sample_id in read_here}
    overtaken = {
        one.sample_id
        for one in wanted
        if (one.base_id, one.pulled_hash) != (frames[one.sample_id].base_id, frames[one.sample_id].pulled_hash)
    }
    found = [_overtaken(one) if one.sample_id in overtaken else one for one in found]
    open_batches = receipts.decided(session, pull_id)

    def deciding(name: str) -> Batch:
        if name not in open_batches:
            open_batches[name] = decisions.open_batch(session, batch.dataset_id, "cvat", Actor("cvat", name))
        return open_batches[name]

    unknown = {one.id: one for one in seen.labels.unknown}
    with cvat.warm(session, list(frames.values())):
        for one in found:
            settle(session, pull, batch, frames[one.sample_id], one, deciding)
    for label in frozenset[int]().union(*(one.unknown for one in found)) & unknown.keys():
        receipts.ask(session, batch, label, unknown[label].name, unknown[label].colour)
    for opened in open_batches.values():
        if not opened.count:
            session.delete(opened)
    standing.refresh(session, list(frames))


def _overtaken(found: Found) -> Found:
    return Found(found.sample_id, None, reason="another pull took it in the meantime; pull again")


def end(session: Session, pull_id: int, seen: Seen) -> dict[str, Any]:
    """The receipt's totals. One that nobody asked for and that tells nothing new is dropped."""
    pull = receipts.find(session, pull_id)
    batch = cvat.find(session, pull.batch_id)
    batch.jobs, batch.pulled_at = [vars(one) for one in seen.jobs], now()
    pull.counts = receipts.counts(session, pull_id)
    own = [one.state for one in seen.jobs if one.kind == "annotation"]
    pull.job_states = {state: own.count(state) for state in sorted(set(own))}
    pull.notes = list(seen.notes)
    pull.state = "asks" if receipts.questions(session, batch.dataset_id, batch.server) else "done"
    pull.ended_at = now()
    if pull.origin != "person" and not receipts.news(session, pull_id):
        receipts.drop(session, pull)
    return _facts(pull)


def stopped(db: Database, pull_id: int, error: Exception) -> None:
    """Note why a pull ended early. A server that is away is one receipt, however often it is polled."""
    with db.write() as session:
        pull = receipts.find(session, pull_id)
        pull.state, pull.ended_at = "failed", now()
        pull.error = str(error) or "Cancelled; what it had taken by then stays."
        pull.counts = receipts.counts(session, pull_id)
        if pull.origin != "person":
            receipts.drop_failed(session, pull)
        cvat.find(session, pull.batch_id).pulled_at = now()  # the next poll waits its turn


def _facts(pull: CvatPull) -> dict[str, Any]:
    return {"pull": pull.id, "batch": pull.batch_id, "state": pull.state, "counts": pull.counts, "notes": pull.notes}
