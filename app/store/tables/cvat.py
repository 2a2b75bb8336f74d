"""What went to CVAT, what came back, and what a person said about labels there."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class CvatBatch(Base):
    """Samples that go to CVAT as one task, and how far that is.

    ``state``: planned, creating, uploading, waiting, annotating, at_cvat, closed. Each is written before what it is
    called after is begun, so a push that was killed goes on. ``error``: why it stopped there, None while it goes well.
    ``source``: given, suggestion or both (the suggestion beside the mask, in labels of its own). ``jobs``: the task's
    jobs as they were last seen (id, start, stop, kind, state, stage, assignee, updated).
    """

    __tablename__ = "cvat_batch"
    __table_args__ = (Index("ix_cvat_batch_dataset_id", "dataset_id", "id"), Index("ix_cvat_batch_task_id", "task_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    server: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    state: Mapped[str] = mapped_column(String(12), default="planned")
    source: Mapped[str] = mapped_column(String(12))
    class_version: Mapped[int]
    background: Mapped[bool]
    segment_size: Mapped[int]
    size: Mapped[int]
    project_id: Mapped[int | None]
    task_id: Mapped[int | None]
    request: Mapped[str | None] = mapped_column(Text)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    jobs: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[str | None] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(String(120))
    pulled_at: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=now)


class CvatLabel(Base):
    """The CVAT label of a class in a batch; ``kind``: class, or suggestion for what is only shown beside it."""

    __tablename__ = "cvat_label"
    batch_id: Mapped[int] = mapped_column(ForeignKey("cvat_batch.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    class_id: Mapped[int] = mapped_column(primary_key=True)
    label_id: Mapped[int]


class CvatFrame(Base):
    """A sample in a batch.

    ``revision_id``: whose pixels were pushed, None for a sample without a mask; ``suggestion_id``: of the suggestion
    shown beside them. ``base_id``: whose pixels CVAT held when it was last pulled, at first the pushed one's;
    ``ours_id``: what has to be the sample's mask still for a change to be taken without a conflict. ``pulled_hash``:
    the pixels that the last pull found.

    ``state``: planned, out (in CVAT), back (its job is finished and was pulled), refused (``reason`` says why it was
    not pushed), closed.
    """

    __tablename__ = "cvat_frame"
    __table_args__ = (Index("ix_cvat_frame_sample_id", "sample_id", "state"),)
    batch_id: Mapped[int] = mapped_column(ForeignKey("cvat_batch.id"), primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, default="")
    number: Mapped[int | None]
    job: Mapped[int | None]
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    suggestion_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    base_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    ours_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    pulled_hash: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12), default="planned")
    reason: Mapped[str] = mapped_column(Text, default="")


class CvatPull(Base):
    """One pull of a batch and, once it has ended, its receipt.

    ``which``: all, finished (frames of completed jobs) or samples (``samples``: their ids). ``confirm``: frames that
    nobody changed count as confirmed though their job isn't finished. ``origin``: person, poll or webhook. ``state``:
    asked, done, asks (done but for frames with labels that a person has to answer for), failed (``error``).
    ``counts``: outcome -> frames; ``job_states``: state -> jobs; ``notes``: what is true of the whole task.
    """

    __tablename__ = "cvat_pull"
    __table_args__ = (Index("ix_cvat_pull_batch_id", "batch_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("cvat_batch.id"))
    which: Mapped[str] = mapped_column(String(12))
    samples: Mapped[list[Any]] = mapped_column(default=list)
    confirm: Mapped[bool]
    origin: Mapped[str] = mapped_column(String(12))
    actor_name: Mapped[str] = mapped_column(String(120))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    state: Mapped[str] = mapped_column(String(12), default="asked")
    error: Mapped[str | None] = mapped_column(Text)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    job_states: Mapped[dict[str, Any]] = mapped_column(default=dict)
    notes: Mapped[list[Any]] = mapped_column(default=list)
    at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class CvatLine(Base):
    """What a pull came to for one sample.

    ``outcome``: unchanged, changed, conflict or skipped, with ``reason``. ``moves``: [class before, class after,
    pixels], the most first, class before None where there was no mask; ``before_id`` and ``after_id``: the two
    revisions that a diff picture is made of, ``after_id`` None where no revision was made. ``confirmed``: the mask
    counts as decided by this. ``decided_id``: the batch of decisions, to undo it. ``annotator``: who has the job.
    """

    __tablename__ = "cvat_line"
    __table_args__ = (Index("ix_cvat_line_sample_id", "sample_id"), Index("ix_cvat_line_after_id", "after_id"))
    pull_id: Mapped[int] = mapped_column(ForeignKey("cvat_pull.id"), primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text, default="")
    pixels: Mapped[int] = mapped_column(default=0)
    moves: Mapped[list[Any]] = mapped_column(default=list)
    annotator: Mapped[str | None] = mapped_column(String(120))
    confirmed: Mapped[bool] = mapped_column(default=False)
    before_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    after_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    decided_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))


class CvatAnswer(Base):
    """A label of CVAT that is no class here: asked about, and what a person said. ``answer``: None (asked), map,
    create or ignore; ``class_id``: of map and create."""

    __tablename__ = "cvat_answer"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    server: Mapped[str] = mapped_column(String(64), primary_key=True)
    label_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    colour: Mapped[str] = mapped_column(String(7))
    answer: Mapped[str | None] = mapped_column(String(12))
    class_id: Mapped[int | None]
    actor_name: Mapped[str | None] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(default=now)
