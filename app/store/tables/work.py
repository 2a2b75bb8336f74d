"""Imports, jobs, snapshots and runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class Import(Base):
    """One import and its report."""

    __tablename__ = "import"
    __table_args__ = (Index("ix_import_dataset_id", "dataset_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    source: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(24))
    actor_name: Mapped[str] = mapped_column(String(120))
    imported: Mapped[int] = mapped_column(default=0)
    unlabeled: Mapped[int] = mapped_column(default=0)
    repeated: Mapped[int] = mapped_column(default=0)
    pending: Mapped[int] = mapped_column(default=0)
    overlapped: Mapped[int] = mapped_column(BigInteger, default=0)
    ignored: Mapped[list[Any]] = mapped_column(default=list)
    seconds: Mapped[float | None]
    at: Mapped[datetime] = mapped_column(default=now)


class Refusal(Base):
    """A file that an import did not take."""

    __tablename__ = "refusal"
    __table_args__ = (Index("ix_refusal_import_id", "import_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id"))
    file: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


class Document(Base):
    """A file of an import that holds annotations of many samples, kept as it came."""

    __tablename__ = "document"
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    blob: Mapped[str] = mapped_column(ForeignKey("blob.hash"))


class Job(Base):
    """Work needed, under way or done. Flows write it in their own transaction; a worker takes it from here.
    ``parent_id``: the job that it is a part of."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state", "state", "id"), Index("ix_job_parent_id", "parent_id", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    kind: Mapped[str] = mapped_column(String(16))
    args: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="queued")
    owner: Mapped[str | None] = mapped_column(String(80))
    heartbeat: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None]
    cancel: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    parent_id: Mapped[int | None]


class Snapshot(Base):
    """A frozen data set in a file of its own in the data folder: what a training reads."""

    __tablename__ = "snapshot"
    __table_args__ = (Index("ix_snapshot_dataset_id", "dataset_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    hash: Mapped[str] = mapped_column(String(64))
    arm: Mapped[str] = mapped_column(String(24))
    class_version: Mapped[int]
    counts: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)


class Run(Base):
    """A training, or a cross-validation; ``kind``: train or crossval. Its files lie in ``runs/<id>`` of the data
    folder; how far it is stands in its job."""

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_dataset_id", "dataset_id", "id"),
        Index("ix_run_comparison_id", "comparison_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshot.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    kind: Mapped[str] = mapped_column(String(12), default="train", server_default="train")
    name: Mapped[str] = mapped_column(String(120))
    arm: Mapped[str] = mapped_column(String(24))
    config: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    actor_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(default=now)
    # Of a comparison: which, and its side, before or after. Its runs share the comparison's job.
    comparison_id: Mapped[int | None]
    side: Mapped[str | None] = mapped_column(String(8))
    started_at: Mapped[datetime | None]
