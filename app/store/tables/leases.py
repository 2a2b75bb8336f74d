"""Who is looking at what."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base


class Lease(Base):
    """A sample that a reviewer looks at, until a moment that comes soon unless it is put off again."""

    __tablename__ = "lease"
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), primary_key=True, autoincrement=False)
    reviewer: Mapped[str] = mapped_column(String(120), index=True)
    until: Mapped[datetime]
