"""What models that never saw a sample say of it, and which regions of its mask they make suspect."""

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base


class Prediction(Base):
    """A sample predicted by a cross-validation, by the model of its ``fold``; the probabilities stay in the run's file.

    ``revision_id`` is the mask that was judged by them, ``probability`` that it has an error, ``suspicion_id`` an 8-bit
    raster of how likely each of its pixels is wrong (255: surely); None until the run has judged.
    """

    __tablename__ = "prediction"
    __table_args__ = (Index("ix_prediction_sample_id", "sample_id", "run_id"),)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"), primary_key=True)
    fold: Mapped[int]
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    probability: Mapped[float | None]
    suspicion_id: Mapped[int | None] = mapped_column(ForeignKey("raster.id"))


class Region(Base):
    """A suspected region of a revision's mask: its pixels, what seems wrong and how likely it is.

    ``from_class`` is given there and ``to_class`` seen, None where it spans several. ``rle``: COCO's compressed counts
    in the mask's frame. States: open; kept and accepted, by a person; withdrawn, no longer said by the newest run, or
    not yet said by one under way.
    """

    __tablename__ = "region"
    __table_args__ = (
        Index("ix_region_sample_id", "sample_id", "revision_id", "state", "probability"),
        Index("ix_region_run_id", "run_id"),
        Index("ix_region_state", "dataset_id", "state", "probability"),
        # Holds all that counting asks for, so that no run lengths are read.
        Index(
            "ix_region_counts",
            "dataset_id",
            "state",
            "reason",
            "from_class",
            "to_class",
            "probability",
            "sample_id",
            "revision_id",
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    reason: Mapped[str] = mapped_column(String(24))
    from_class: Mapped[int | None]
    to_class: Mapped[int | None]
    pixels: Mapped[int] = mapped_column(BigInteger)
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    rle: Mapped[str] = mapped_column(Text)
    probability: Mapped[float]
    state: Mapped[str] = mapped_column(String(12))
