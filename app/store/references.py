"""The masks that a comparison is judged by: one for each test sample, as it stands and as it was imported."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.store.members import Member, of_test

Reference = Literal["test_current", "test_imported"]


@dataclass(frozen=True)
class Facts:
    """Keys of test samples: those whose current mask a person confirmed, those whose pixels differ from the import."""

    verified: frozenset[str]
    changed: frozenset[str]


def members_of(session: Session, dataset_id: int, reference: Reference) -> Iterator[Member]:
    """The test samples that aren't excluded, with the mask that judges; one that has none of that kind is left out."""
    for sample, image, current, imported in of_test(session, dataset_id):
        mask = current if reference == "test_current" else imported
        if mask is not None:
            yield Member(sample, image, mask)


def facts(session: Session, dataset_id: int) -> Facts:
    verified, changed = set(), set()
    for sample, _, current, imported in of_test(session, dataset_id):
        if sample.confirmed_id is not None and sample.confirmed_id == sample.current_id:
            verified.add(sample.key)
        if imported is not None and current is not None and imported.pixel_hash != current.pixel_hash:
            changed.add(sample.key)
    return Facts(frozenset(verified), frozenset(changed))
