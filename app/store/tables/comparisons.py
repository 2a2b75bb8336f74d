"""Comparisons of two ways to train."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class Comparison(Base):
    """Two arms trained alike on several seeds and judged on the same masks; its runs point here.

    ``before``, ``after``: names of arms, or ``snapshot:ID``. The snapshots are there once the set is frozen;
    ``reference_ids`` are those that hold the judging masks, the first one the headline's. How far it is stands in its
    job.
    """

    __tablename__ = "comparison"
    __table_args__ = (Index("ix_comparison_dataset_id", "dataset_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    before: Mapped[str] = mapped_column(String(40))
    after: Mapped[str] = mapped_column(String(40))
    config: Mapped[dict[str, Any]]
    seeds: Mapped[list[Any]]
    before_snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshot.id"))
    after_snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshot.id"))
    reference_ids: Mapped[list[Any] | None]
    result: Mapped[dict[str, Any] | None]
    actor_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(default=now)
