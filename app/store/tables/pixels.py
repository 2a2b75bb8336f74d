"""Bytes and pixels."""

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.base import Base


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
    raster_id: Mapped[int] = mapped_column(ForeignKey("raster.id", ondelete="CASCADE"), primary_key=True)
    class_id: Mapped[int] = mapped_column(primary_key=True)
    pixels: Mapped[int] = mapped_column(BigInteger)
