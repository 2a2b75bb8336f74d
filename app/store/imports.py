"""Import reports."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound
from app.domain.formats.base import Refused
from app.store.tables import Document, Import, Refusal


def add_refusals(session: Session, import_id: int, refused: Sequence[Refused]) -> None:
    if refused:
        rows = [{"import_id": import_id, "file": one.file, "reason": one.reason} for one in refused]
        session.execute(insert(Refusal), rows)


def add_document(session: Session, row: Import, name: str, blob: str) -> None:
    session.merge(Document(import_id=row.id, name=name, blob=blob))


def find(session: Session, id: int) -> Import:
    """Raises NotFound."""
    row = session.get(Import, id)
    if row is None:
        raise NotFound(f"There is no import {id}.")
    return row


def of_dataset(session: Session, dataset_id: int) -> list[Import]:
    """The newest first."""
    return list(session.scalars(select(Import).where(Import.dataset_id == dataset_id).order_by(Import.id.desc())))


def refusals(session: Session, import_id: int) -> list[Refusal]:
    return list(session.scalars(select(Refusal).where(Refusal.import_id == import_id).order_by(Refusal.id)))
