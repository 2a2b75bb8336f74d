"""Masks that somebody is still at work on."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base, now


class Draft(Base):
    """A reviewer's unfinished mask of a sample. ``base_id`` is the revision that it was begun on, 0 where there was
    none; ``x`` and ``y`` the upper left corner of the part of the picture that it is of, None where it is of all of it.
    ``data``: the ids as zlib keeps them; a draft is written over many times, so it lies in its row, not among the
    blobs. ``counter`` grows by one with each save."""

    __tablename__ = "draft"
    __table_args__ = (UniqueConstraint("sample_id", "reviewer", "base_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    reviewer: Mapped[str] = mapped_column(String(120))
    base_id: Mapped[int]
    x: Mapped[int | None]
    y: Mapped[int | None]
    width: Mapped[int]
    height: Mapped[int]
    dtype: Mapped[str] = mapped_column(String(8))
    pixel_hash: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    counter: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=now)
