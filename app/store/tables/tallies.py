"""Counts that are kept, so that a page of a large set needn't count."""

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base


class SampleClass(Base):
    """Derived: a class that the current mask of a sample shows, with the sample's ``worst``, by which its samples come
    in order."""

    __tablename__ = "sample_class"
    __table_args__ = (
        Index("ix_sample_class_worst", "dataset_id", "class_id", text("worst DESC"), "sample_id"),
        {"sqlite_with_rowid": False},
    )
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), primary_key=True)
    class_id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    pixels: Mapped[int] = mapped_column(BigInteger)
    worst: Mapped[float]


class Tally(Base):
    """Derived: samples of a dataset by what ``kind`` says.

    ``status``, ``split`` (empty: none), ``size`` ("width x height x channels"), ``labelled`` (with a current mask,
    nameless) and ``class`` (an id; those not excluded, with their ``pixels``).
    """

    __tablename__ = "tally"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    samples: Mapped[int] = mapped_column(BigInteger)
    pixels: Mapped[int] = mapped_column(BigInteger)
