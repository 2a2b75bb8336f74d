"""What checks found and what people decided."""

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


class Batch(Base):
    """Decisions made in one go; a single decision is a batch of one. An undo is a batch that ``undoes`` another."""

    __tablename__ = "batch"
    __table_args__ = (Index("ix_batch_dataset_id", "dataset_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    verb: Mapped[str] = mapped_column(String(12))
    actor_kind: Mapped[str] = mapped_column(String(8))
    actor_name: Mapped[str] = mapped_column(String(120))
    count: Mapped[int] = mapped_column(default=0)
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    at: Mapped[datetime] = mapped_column(default=now)


class Decision(Base):
    """What was decided of one sample; ``before`` holds what an undo has to restore (see store.decisions)."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_sample_id", "sample_id", "id"), Index("ix_decision_batch_id", "batch_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    verb: Mapped[str] = mapped_column(String(12))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    before: Mapped[dict[str, Any]]
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id"))
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id"))


class Group(Base):
    """Samples that a check puts together; the members are the scores that point here."""

    __tablename__ = "group"
    __table_args__ = (UniqueConstraint("dataset_id", "check", "fingerprint"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    check: Mapped[str] = mapped_column(String(40))
    fingerprint: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    score: Mapped[float]
    flagged: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)


class Score(Base):
    """What a check says of a sample, flagged or not. ``revision_id`` is None where the subject is the picture.

    ``run_id`` and ``fold`` name the model behind it, one that never saw the sample, where there was one."""

    __tablename__ = "score"
    __table_args__ = (
        Index("ix_score_sample_id", "sample_id", "check"),
        Index("ix_score_value", "dataset_id", "check", text("value DESC"), "sample_id", "revision_id"),
        Index("ix_score_group_id", "group_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    check: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    value: Mapped[float]
    run_id: Mapped[int | None]
    fold: Mapped[int | None]
    group_id: Mapped[int | None] = mapped_column(ForeignKey("group.id"))


class Flag(Base):
    """A finding past its threshold. States: open, kept (by a decision), withdrawn (the check no longer says so)."""

    __tablename__ = "flag"
    __table_args__ = (
        Index("ix_flag_sample_id", "sample_id", "state", "check", "revision_id"),
        Index("ix_flag_check", "dataset_id", "check", "state", "sample_id", "revision_id"),
        Index("ix_flag_group_id", "group_id", "state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    check: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    score: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("group.id"))
    state: Mapped[str] = mapped_column(String(12), default="open")
    at: Mapped[datetime] = mapped_column(default=now)
