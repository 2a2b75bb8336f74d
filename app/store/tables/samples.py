"""Data sets, samples and the masks proposed for them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class Dataset(Base):
    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    class_version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ClassVersion(Base):
    """One version of a dataset's class list; versions are never changed."""

    __tablename__ = "class_version"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    classes: Mapped[list[Any]]
    guessed: Mapped[bool]
    actor_kind: Mapped[str] = mapped_column(String(8))
    actor_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(default=now)


class Sample(Base):
    """A picture of a dataset and where its mask stands.

    ``excluded``, ``current_id`` and ``confirmed_id`` follow from the decisions, ``status``, ``worst`` and
    ``worst_check`` from those and the flags. ``version`` grows with every decision.
    """

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("dataset_id", "key"),
        # With status, key and split in it, a walk through many samples needn't look each of them up.
        Index("ix_sample_worst", "dataset_id", text("worst DESC"), "id", "status", "key", "split"),
        Index("ix_sample_newest", "dataset_id", "id"),
        Index("ix_sample_status", "dataset_id", "status", text("worst DESC"), "id"),
        Index("ix_sample_image_id", "image_id"),
        Index("ix_sample_content_group", "dataset_id", "content_group"),
        Index("ix_sample_split", "dataset_id", "split"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    key: Mapped[str] = mapped_column(Text)
    image_id: Mapped[int] = mapped_column(ForeignKey("raster.id"))
    import_id: Mapped[int | None] = mapped_column(ForeignKey("import.id"))
    split: Mapped[str | None] = mapped_column(String(16))
    content_group: Mapped[int | None]
    excluded: Mapped[bool] = mapped_column(default=False)
    current_id: Mapped[int | None]
    confirmed_id: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(12), default="unlabeled")
    worst: Mapped[float] = mapped_column(default=0.0)
    worst_check: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Revision(Base):
    """A proposed mask of a sample: append-only, whoever made it. ``merged_id``: the other one that a merge took
    from; ``run_id``: of a model's mask, the run whose model saw it so."""

    __tablename__ = "revision"
    __table_args__ = (
        Index("ix_revision_sample_id", "sample_id", "id"),
        Index("ix_revision_mask_id", "mask_id"),
        Index(
            "uq_revision_current",
            "sample_id",
            unique=True,
            sqlite_where=text("state = 'current'"),
            postgresql_where=text("state = 'current'"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    mask_id: Mapped[int] = mapped_column(ForeignKey("raster.id"))
    original: Mapped[str | None] = mapped_column(ForeignKey("blob.hash"))
    class_version: Mapped[int]
    source: Mapped[str] = mapped_column(String(12))
    actor_kind: Mapped[str] = mapped_column(String(8))
    actor_name: Mapped[str] = mapped_column(String(120))
    # Of a model's mask: the raster of how sure it was of each pixel, 255 for sure.
    confidence_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(default=now)
    merged_id: Mapped[int | None]
    run_id: Mapped[int | None]
