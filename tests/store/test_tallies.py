"""Counts that are kept are those of the rows, whatever is done to the samples."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from app.domain.actor import person
from app.domain.checks.base import Finding
from app.domain.errors import RemaskError
from app.flows import ingest, review
from app.flows.review import Selection
from app.store import findings, rasters, revisions, samples, standing, summary, tallies
from app.store.db import Database
from app.store.decisions import Verb, Wish
from app.store.revisions import Proposal
from app.store.tables import Sample
from tests.sets import every_sample, with_masks

ADA = person("ada")
STEP = st.tuples(
    st.sampled_from(["keep", "exclude", "include", "restore", "undo", "flag", "split", "propose"]),
    st.sets(st.integers(0, 14), min_size=1, max_size=4),
    st.integers(0, 3),
)


@pytest.fixture
def full(db: Database, npz: Path, tmp_path: Path) -> Database:
    ingest.run(db, npz, "mars", ADA)
    ingest.run(db, with_masks(npz, tmp_path / "other.npz", {4: 1}), "mars", ADA)
    return db


def wrong(db: Database) -> list[str]:
    with db.read() as session:
        return tallies.wrong(session)


def decide(verb: Verb) -> Callable[[Database, list[Sample], int], None]:
    def done(db: Database, chosen: list[Sample], _: int) -> None:
        review.decide(db, "mars", Selection(ids=[one.id for one in chosen]), Wish(verb), ADA)

    return done


def undo(db: Database, _chosen: list[Sample], _: int) -> None:
    review.undo_last(db, "mars", ADA)


def restore(db: Database, chosen: list[Sample], number: int) -> None:
    with db.read() as session:
        masks = [one.id for one in revisions.of_sample(session, chosen[0].id)]
    wish = Wish("restore", revision=masks[number % len(masks)]) if masks else Wish("keep")
    review.decide(db, "mars", Selection(ids=[chosen[0].id]), wish, ADA)


def flag(db: Database, chosen: list[Sample], number: int) -> None:
    with db.write() as session:
        looked = [findings.Looked(one.id, one.current_id) for one in every_sample(session, 1) if one.current_id]
        ids = {one.id for one in chosen}
        found = [Finding(one.sample_id, number / 3, one.sample_id in ids, "seen", None) for one in looked]
        findings.record(session, 1, findings.Ran("unusual_mask", 1, "mask"), looked, found, [])


def split(db: Database, chosen: list[Sample], number: int) -> None:
    with db.write() as session:
        samples.set_splits(session, {one.id: ("train", "val", "test")[number % 3] for one in chosen})


def propose(db: Database, chosen: list[Sample], number: int) -> None:
    with db.write() as session:
        one = samples.find(session, chosen[0].id)
        shape = next(iter(rasters.sizes(session, [one.image_id]).values()))
        [raster] = rasters.put_masks(session, [(np.full(shape, number, np.uint8), None)])
        revisions.propose(session, [Proposal(one, raster.id, 1, "brush", ADA)])
        standing.refresh(session, [one.id])


STEPS: dict[str, Callable[[Database, list[Sample], int], None]] = {
    "keep": decide("keep"),
    "exclude": decide("exclude"),
    "include": decide("include"),
    "restore": restore,
    "undo": undo,
    "flag": flag,
    "split": split,
    "propose": propose,
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=8))
def test_whatever_is_done_they_are_what_a_full_count_gives(
    full: Database, steps: list[tuple[str, set[int], int]]
) -> None:
    for name, places, number in steps:
        with full.read() as session:
            there = list(every_sample(session, 1))
        with suppress(RemaskError):  # there may be nothing to do
            STEPS[name](full, [there[place] for place in sorted(places)], number)
        assert wrong(full) == [], name


def test_an_import_is_counted(full: Database) -> None:
    assert wrong(full) == []
    with full.read() as session:
        assert sum(summary.by_status(session, 1).values()) == samples.count(session, 1) == 15
        assert sum(one.count for one in summary.by_size(session, 1)) == 15
        [(_, total, labelled)] = summary.all_datasets(session)
        assert (total, labelled) == (15, summary.labelled(session, 1))
        before = tallies.totals(session, "class")
    with full.write() as session:
        tallies.rebuild(session)
    with full.read() as session:
        assert tallies.totals(session, "class") == before != {}


def test_what_was_counted_wrong_is_found_and_counted_anew(full: Database) -> None:
    with full.write() as session:
        session.execute(text("UPDATE tally SET samples = samples + 1 WHERE kind = 'size'"))
        session.execute(text("DELETE FROM sample_class WHERE sample_id = 1"))
    assert {one.split()[0] for one in wrong(full)} == {"size", "class"}
    with full.write() as session:
        tallies.rebuild(session)
    assert wrong(full) == []
    with full.write() as session:
        session.execute(update(Sample).where(Sample.id == 2).values(worst=0.25))
    assert wrong(full)
