"""Masks that a model proposed, and how sure it was."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class Suggesting(Base):
    """One asking of a run's models for masks; how far it is stands in its job.

    ``wished``: the precision that thresholds are calibrated to. ``only``: unlabeled, flagged, or nothing for both;
    ``keys``: of samples, where they were named instead. ``result``: what was measured, said and proposed.
    """

    __tablename__ = "suggesting"
    __table_args__ = (Index("ix_suggesting_dataset_id", "dataset_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    method: Mapped[str] = mapped_column(String(12))
    wished: Mapped[float]
    only: Mapped[str | None] = mapped_column(String(12))
    keys: Mapped[list[Any]]
    result: Mapped[dict[str, Any] | None]
    actor_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(default=now)


class Suggestion(Base):
    """A proposed revision; how sure of each pixel is the revision's ``confidence``, 0 where nothing is proposed.

    ``expected``: share of its proposed pixels that should be right; ``share``: of the picture's pixels, how many are
    proposed; ``changed``: pixels that differ from the mask that the sample has.
    """

    __tablename__ = "suggestion"
    __table_args__ = (Index("ix_suggestion_suggesting_id", "suggesting_id"),)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"), primary_key=True)
    suggesting_id: Mapped[int] = mapped_column(ForeignKey("suggesting.id"))
    expected: Mapped[float]
    share: Mapped[float]
    changed: Mapped[int] = mapped_column(BigInteger)
