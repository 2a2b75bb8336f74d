"""The rows. What is derived and kept only for speed is marked so, and ``remask doctor`` derives it again."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Blob(Base):
    """Bytes by their sha256."""

    __tablename__ = "blob"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Raster(Base):
    """A grid of pixels, an image's or a mask's: its identity, and the bytes or tiles that hold it without loss."""

    __tablename__ = "raster"
    __table_args__ = (Index("ix_raster_pixel_hash", "pixel_hash"), Index("ix_raster_blob", "blob"))
    id: Mapped[int] = mapped_column(primary_key=True)
    pixel_hash: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    channels: Mapped[int]
    dtype: Mapped[str] = mapped_column(String(8))
    codec: Mapped[str] = mapped_column(String(16))
    blob: Mapped[str | None] = mapped_column(ForeignKey("blob.hash"))


class Tile(Base):
    """One tile of a raster over four megapixels; ``x`` and ``y`` count tiles."""

    __tablename__ = "tile"
    raster_id: Mapped[int] = mapped_column(ForeignKey("raster.id", ondelete="CASCADE"), primary_key=True)
    y: Mapped[int] = mapped_column(primary_key=True)
    x: Mapped[int] = mapped_column(primary_key=True)
    blob: Mapped[str] = mapped_column(ForeignKey("blob.hash"))


class ClassPixels(Base):
    """Derived: how many pixels of a class a mask holds."""

    __tablename__ = "class_pixels"
    __table_args__ = (Index("ix_class_pixels_class_id", "class_id", "raster_id"),)
    raster_id: Mapped[int] = mapped_column(ForeignKey("raster.id", ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int] = mapped_column(primary_key=True)
    pixels: Mapped[int] = mapped_column(BigInteger)


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
        Index("ix_sample_worst", "dataset_id", text("worst DESC"), "id"),
        Index("ix_sample_status", "dataset_id", "status", text("worst DESC"), "id"),
        Index("ix_sample_image_id", "image_id"),
        Index("ix_sample_content_group", "dataset_id", "content_group"),
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
    """A proposed mask of a sample: append-only, whoever made it."""

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
    state: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(default=now)


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
    """What a check says of a sample, flagged or not. ``revision_id`` is None where the subject is the picture."""

    __tablename__ = "score"
    __table_args__ = (
        Index("ix_score_sample_id", "sample_id", "check"),
        Index("ix_score_value", "dataset_id", "check", text("value DESC"), "sample_id"),
        Index("ix_score_group_id", "group_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id"))
    check: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    value: Mapped[float]
    group_id: Mapped[int | None] = mapped_column(ForeignKey("group.id"))


class Flag(Base):
    """A finding past its threshold. States: open, kept (by a decision), withdrawn (the check no longer says so)."""

    __tablename__ = "flag"
    __table_args__ = (
        Index("ix_flag_sample_id", "sample_id", "state"),
        Index("ix_flag_check", "dataset_id", "check", "state"),
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
    """Work needed, under way or done. Flows write it in their own transaction; a worker takes it from here."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state", "state", "id"),)
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
