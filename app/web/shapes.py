"""Rows as the JSON that pages and API both give out. Times are ISO UTC; media URLs carry the hash of what they show."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.domain.status import WHY, Status
from app.store import browse, datasets, decisions, flags, groups, imports, jobs, revisions, summary
from app.store.browse import Filter, Row
from app.store.datasets import iso
from app.store.history import Entry
from app.store.tables import Dataset, Flag, Group, Import, Job, Raster, Revision, Sample
from app.web import cvat_links

Json = dict[str, Any]


def image_url(sample_id: int, image_hash: str) -> str:
    return f"/media/samples/{sample_id}/image.png?v={image_hash[:16]}"


def mask_url(revision_id: int | None, mask_hash: str | None, class_version: int) -> str | None:
    """The URL changes with the class list too, since the picture shows its colours."""
    if revision_id is None or mask_hash is None:
        return None
    return f"/media/revisions/{revision_id}/mask.png?v={mask_hash[:16]}.{class_version}"


def dataset(session: Session, row: Dataset) -> Json:
    """A dataset with its classes."""
    listed = datasets.classes(session, row)
    return {
        "name": row.name,
        "created_at": iso(row.created_at),
        "classes": listed.as_json(),
        "class_version": row.class_version,
        "guessed": listed.guessed,
    }


def all_datasets(session: Session) -> list[Json]:
    return [
        {
            "name": row.name,
            "samples": samples,
            "labelled": labelled,
            "counts": summary.by_status(session, row.id),
            "created_at": iso(row.created_at),
        }
        for row, samples, labelled in summary.all_datasets(session)
    ]


def overview(session: Session, row: Dataset) -> Json:
    """Everything that the overview counts, and the one suggested next step."""
    status = summary.by_status(session, row.id)
    checks = summary.by_check(session, row.id)
    shares = {one.class_id: one for one in summary.by_class(session, row.id)}
    classes = []
    for one in datasets.classes(session, row).as_json():
        share = shares.get(int(one["id"]))
        classes.append({**one, "pixels": share.pixels if share else 0, "images": share.images if share else 0})
    total = sum(status.values())
    sizes = [
        {"width": one.width, "height": one.height, "channels": one.channels, "count": one.count}
        for one in summary.by_size(session, row.id)
    ]
    return {
        "samples": total,
        "labelled": summary.labelled(session, row.id),
        "status": status,
        "flags": checks,
        "classes": classes,
        "splits": summary.by_split(session, row.id),
        "sizes": sizes,
        "next": next_step(session, row, status),
    }


def next_step(session: Session, row: Dataset, status: dict[str, int]) -> Json | None:
    """What to do next, one thing: text, detail, label and url."""
    base = f"/d/{row.name}"
    if not sum(status.values()):
        return {"text": "Nothing is imported yet", "detail": "", "label": "Import", "url": f"{base}/imports"}
    if any(job.kind == "check" and job.state not in jobs.ENDED for job in jobs.recent(session, row.id)):
        detail = "What they find shows here; the samples can be looked at already."
        return {"text": "The checks are running", "detail": detail, "label": "Look", "url": f"{base}/samples"}
    for group in groups.of_dataset(session, row.id, flagged=True):
        card = groups.card(session, group, shown=3)
        if card.open:
            return {
                "text": f"{group_title(group.check, group.size)}",
                "detail": group.reason,
                "label": "Look at the group",
                "url": f"{base}/samples?group={group.id}",
                "samples": card.samples,
            }
    if status[Status.SUGGESTED]:
        text = f"{status[Status.SUGGESTED]:,} proposed masks wait for a decision"
        return {
            "text": text,
            "detail": "Accept or reject each.",
            "label": "Review",
            "url": f"{base}/samples?status=suggested",
        }
    if status[Status.FLAGGED]:
        text = f"{status[Status.FLAGGED]:,} samples are flagged"
        detail = "Go through them, worst first: keep what is right, exclude what is not."
        return {"text": text, "detail": detail, "label": "Review", "url": f"{base}/samples?status=flagged"}
    if not flags.any_scores(session, row.id):
        detail = "They find contamination, duplicates, foreign pictures and broken masks."
        return {"text": "No check has run yet", "detail": detail, "label": "Look", "url": f"{base}/samples"}
    detail = "No flag is open. The curated set is ready for training."
    return {"text": "Everything flagged is decided", "detail": detail, "label": "Export", "url": f"{base}/export"}


_SHARED = {"shared_mask": "share this mask", "duplicate_image": "show the same picture"}


def group_title(check: str, size: int) -> str:
    return f"{size:,} samples {_SHARED.get(check, 'belong together')}"


def rows(session: Session, owner: Dataset, found: Sequence[Row], filter: Filter) -> list[Json]:
    """A page of samples; ``score`` is that of the filter's check or of the worst flag, with its reason and group."""
    worst = flags.worst_of(session, [row.sample.id for row in found], filter.check or filter.scored_by)
    return [_row(row, owner.class_version, filter, worst.get(row.sample.id)) for row in found]


def _row(row: Row, class_version: int, filter: Filter, flag: Flag | None) -> Json:
    one = row.sample
    by_check = filter.scored_by is not None
    return {
        "id": one.id,
        "key": one.key,
        "status": one.status,
        "version": one.version,
        "revision": one.current_id,
        "split": one.split,
        "width": row.image.width,
        "height": row.image.height,
        "score": row.value if by_check else flag.score if flag else None,
        "check": filter.check or filter.scored_by or (flag.check if flag else None),
        "reason": flag.reason if flag else None,
        "group": flag.group_id if flag else None,
        "image": image_url(one.id, row.image.pixel_hash),
        "mask": mask_url(one.current_id, row.mask_hash, class_version),
    }


def sample(session: Session, owner: Dataset, one: Sample) -> Json:
    """One sample in full."""
    image = session.get_one(Raster, one.image_id)
    current = session.get(Revision, one.current_id) if one.current_id else None
    mask = session.get_one(Raster, current.mask_id) if current else None
    raised = flags.of_sample(session, one)
    worst = raised[0] if raised else None
    return {
        **_row(
            Row(one, image, None, mask.pixel_hash if mask else None, one.worst), owner.class_version, Filter(), worst
        ),
        "why": WHY[Status(one.status)],
        "channels": image.channels,
        "dtype": image.dtype,
        "flags": [flag_of(flag) for flag in raised],
        "scores": [
            {"check": score.check, "score": score.value, "group": score.group_id}
            for score in flags.scores_of_sample(session, one)
        ],
        "groups": [
            {"id": group.id, "check": group.check, "size": group.size, "title": group_title(group.check, group.size)}
            for group in groups.of_sample(session, one)
        ],
        "revisions": [revision(session, row, owner.class_version) for row in revisions.of_sample(session, one.id)],
        "cvat": cvat_links.of_sample(session, one.id),
        "decisions": [
            {
                "id": made.id,
                "batch": batch.id,
                "count": batch.count,
                "verb": made.verb,
                "actor": batch.actor_name,
                "at": iso(batch.at),
                "revision": made.revision_id,
                "undone": made.undone_by_id is not None,
            }
            for made, batch in decisions.of_sample(session, one.id)
        ],
    }


def flag_of(flag: Flag) -> Json:
    return {
        "id": flag.id,
        "check": flag.check,
        "score": flag.score,
        "group": flag.group_id,
        "reason": flag.reason,
        "state": flag.state,
        "revision": flag.revision_id,
    }


def revision(session: Session, row: Revision, class_version: int) -> Json:
    mask = session.get_one(Raster, row.mask_id)
    return {
        "id": row.id,
        "parent": row.parent_id,
        "merged": row.merged_id,
        "state": row.state,
        "source": row.source,
        "actor": row.actor_name,
        "at": iso(row.at),
        "hash": mask.pixel_hash,
        "mask": mask_url(row.id, mask.pixel_hash, class_version),
        "receipt": cvat_links.receipt_of(session, row),
    }


def group(session: Session, row: Group, shown: int = 8) -> Json:
    """A group with how many of it are still open and its first samples."""
    card = groups.card(session, row, shown)
    return {
        "id": row.id,
        "check": row.check,
        "size": row.size,
        "score": row.score,
        "flagged": row.flagged,
        "reason": row.reason,
        "title": group_title(row.check, row.size),
        "open": card.open,
        "samples": card.samples,
    }


def thumbs(session: Session, owner: Dataset, ids: Sequence[int]) -> list[Json]:
    """Rows of these samples, to draw a few of them."""
    found = browse.by_ids(session, owner.id, ids)
    return rows(session, owner, found, Filter())


def batch(entry: Entry) -> Json:
    row = entry.batch
    return {
        "id": row.id,
        "verb": row.verb,
        "actor": row.actor_name,
        "at": iso(row.at),
        "count": row.count,
        "left": entry.left,
        "undone_by": entry.undone_by,
        "undoes": row.undoes_id,
        "sample": entry.sample_id if row.count == 1 else None,
        "key": entry.key if row.count == 1 else None,
    }


def report(session: Session, row: Import) -> Json:
    """An import's report."""
    return {
        "id": row.id,
        "source": row.source,
        "format": row.format,
        "imported": row.imported,
        "unlabeled": row.unlabeled,
        "repeated": row.repeated,
        "pending": row.pending,
        "refused": [{"file": one.file, "reason": one.reason} for one in imports.refusals(session, row.id)],
        "ignored": row.ignored,
        "overlapped": row.overlapped,
        "seconds": row.seconds,
        "at": iso(row.at),
        "actor": row.actor_name,
    }


def job(row: Job, dataset_name: str | None) -> Json:
    return {
        "id": row.id,
        "kind": row.kind,
        "dataset": dataset_name,
        "state": row.state,
        "done": row.done,
        "total": row.total,
        "message": row.message,
        "error": row.error,
        "created_at": iso(row.created_at),
        "finished_at": iso(row.finished_at),
    }
