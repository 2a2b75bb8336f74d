"""Batches at CVAT, receipts, questions and conflicts as the JSON that pages and API both give out."""

from typing import Any

from sqlalchemy.orm import Session

from app.flows import conflict, cvat_link
from app.settings import Settings
from app.store import cvat, datasets, receipts, samples
from app.store.cvat import Card
from app.store.datasets import iso
from app.store.receipts import OUTCOMES
from app.store.tables import CvatAnswer, CvatBatch, CvatLine, CvatPull, Dataset, Job, Raster, Revision, Sample
from app.web import shapes
from app.web.cvat_links import job_link, task_link

Json = dict[str, Any]


def servers(settings: Settings) -> list[Json]:
    """Names and addresses alone. Raises BadServer."""
    return [{"name": one.name, "url": one.url} for one in cvat_link.servers(settings).values()]


def batches(session: Session, owner: Dataset) -> list[Json]:
    """The batches of a dataset, the newest first."""
    pulls = receipts.newest(session, owner.id)
    return [batch(owner, card, pulls.get(card.batch.id)) for card in cvat.cards(session, owner.id)]


def one_batch(session: Session, row: CvatBatch) -> Json:
    owner = datasets.by_id(session, row.dataset_id)
    return batch(owner, cvat.card(session, row), receipts.newest(session, owner.id).get(row.id))


def batch(owner: Dataset, card: Card, newest: tuple[CvatPull, Job | None] | None) -> Json:
    """A batch with its jobs in CVAT, the state of its push, and its newest pull."""
    row, pushing = card.batch, card.job
    return {
        "id": row.id,
        "dataset": owner.name,
        "name": row.name,
        "server": row.server,
        "state": row.state,
        "source": row.source,
        "background": row.background,
        "samples": row.size,
        "frames": card.frames,
        "task": row.task_id,
        "link": task_link(row),
        "jobs": [_job(row, one) for one in row.jobs if row.url and one["kind"] == "annotation"],
        "error": row.error,
        "push": _under_way(pushing),
        "receipt": newest[0].id if newest is not None else None,
        "pull": _under_way(newest[1]) if newest is not None else None,
        "pull_error": newest[0].error if newest is not None else None,
        "actor": row.actor_name,
        "at": iso(row.at),
        "pulled_at": iso(row.pulled_at),
    }


def receipt(session: Session, pull: CvatPull) -> Json:
    """A pull and its totals, without lines."""
    row = cvat.find(session, pull.batch_id)
    return {
        "id": pull.id,
        "batch": pull.batch_id,
        "name": row.name,
        "dataset": datasets.by_id(session, row.dataset_id).name,
        "which": pull.which,
        "confirm": pull.confirm,
        "origin": pull.origin,
        "state": pull.state,
        "error": pull.error,
        "job": pull.job_id,
        "counts": {name: pull.counts.get(name, 0) for name in OUTCOMES},
        "jobs": pull.job_states,
        "notes": pull.notes,
        "totals": [vars(one) for one in receipts.totals(session, pull.id)],
        "actor": pull.actor_name,
        "at": iso(pull.at),
        "ended_at": iso(pull.ended_at),
    }


def lines(session: Session, pull: CvatPull, outcome: str | None, start: int, limit: int) -> list[Json]:
    """Some lines of a receipt, those that ask for attention first."""
    row = cvat.find(session, pull.batch_id)
    owner = datasets.by_id(session, row.dataset_id)
    names = {one.id: one.name for one in datasets.classes(session, owner).classes}
    found = receipts.page(session, pull.id, outcome, start, limit)
    return [_line(session, owner, line, sample, names) for line, sample in found]


def _line(session: Session, owner: Dataset, line: CvatLine, sample: Sample, names: dict[int, str]) -> Json:
    image = session.get_one(Raster, sample.image_id)
    before, after = (_mask(session, owner, id) for id in (line.before_id, line.after_id))
    shown = f"{line.before_id or 0}-{line.after_id}.{owner.class_version}"
    diff = f"/media/cvat/receipts/{line.pull_id}/{sample.id}/diff.png?v={shown}"
    return {
        "sample": sample.id,
        "key": sample.key,
        "status": sample.status,
        "outcome": line.outcome,
        "reason": line.reason,
        "pixels": line.pixels,
        "moves": [
            {"from": was, "to": now, "pixels": n, "was": _name(names, was), "becomes": _name(names, now)}
            for was, now, n in line.moves
        ],
        "annotator": line.annotator,
        "confirmed": line.confirmed,
        "batch": line.decided_id,
        "width": image.width,
        "height": image.height,
        "image": shapes.image_url(sample.id, image.pixel_hash),
        "before": before,
        "after": after,
        "diff": diff if line.after_id is not None else None,
    }


def question(one: CvatAnswer) -> Json:
    return {
        "server": one.server,
        "label": one.label_id,
        "name": one.name,
        "colour": one.colour,
        "answer": one.answer,
        "class": one.class_id,
        "actor": one.actor_name,
        "at": iso(one.at),
    }


def three_ways(session: Session, sample_id: int, limit: int) -> Json:
    """A conflict: what was pushed, ours and theirs, and the regions where ours and theirs differ. Raises NotFound."""
    found = conflict.versions(session, sample_id)
    sample = samples.find(session, sample_id)
    owner = datasets.by_id(session, sample.dataset_id)
    compared = conflict.compare(session, sample_id)
    image = session.get_one(Raster, sample.image_id)

    def side(row: Revision | None) -> Json | None:
        return None if row is None else shapes.revision(session, row, owner.class_version)

    return {
        "sample": sample.id,
        "key": sample.key,
        "version": sample.version,
        "width": image.width,
        "height": image.height,
        "image": shapes.image_url(sample.id, image.pixel_hash),
        "batch": found.batch,
        "pushed": side(found.pushed),
        "ours": side(found.ours),
        "theirs": side(found.theirs),
        "regions": [vars(one) for one in compared.regions[:limit]],
        "total": len(compared.regions),
        "pixels": compared.pixels,
    }


def _mask(session: Session, owner: Dataset, revision_id: int | None) -> str | None:
    if revision_id is None:
        return None
    row = session.get_one(Revision, revision_id)
    return shapes.mask_url(row.id, session.get_one(Raster, row.mask_id).pixel_hash, owner.class_version)


def _name(names: dict[int, str], class_id: int | None) -> str:
    return "no mask" if class_id is None else names.get(class_id, f"id {class_id}")


def _job(row: CvatBatch, told: Json) -> Json:
    return {
        "id": told["id"],
        "samples": told["stop"] - told["start"] + 1,
        "state": told["state"],
        "stage": told["stage"],
        "assignee": told["assignee"],
        "link": job_link(row, told["id"]),
    }


def _under_way(job: Job | None) -> Json | None:
    return None if job is None else {"job": job.id, "state": job.state}
