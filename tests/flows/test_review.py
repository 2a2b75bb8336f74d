from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.domain.actor import person
from app.domain.checks.base import Finding, Group
from app.domain.errors import Conflict, NotFound
from app.flows import ingest, review
from app.flows.review import Selection
from app.store import browse, datasets, decisions, findings, groups, revisions, samples
from app.store.db import Database
from app.store.decisions import Verb, Wish
from app.store.tables import Flag, Revision, Sample
from tests.sets import every_sample, with_masks

ADA, BOB = person("ada"), person("bob")
KEEP, EXCLUDE = Wish("keep"), Wish("exclude")


@pytest.fixture
def ids(db: Database, npz: Path, tmp_path: Path) -> list[int]:
    """Fifteen samples; the first four share a flagged group, the fifth has a pending mask."""
    ingest.run(db, npz, "mars", ADA)
    ingest.run(db, with_masks(npz, tmp_path / "other.npz", {4: 1}), "mars", ADA)
    with db.write() as session:
        dataset = datasets.find(session, "mars")
        rows = list(every_sample(session, dataset.id))
        looked = [findings.Looked(one.id, one.current_id) for one in rows if one.current_id]
        found = [
            Finding(one.sample_id, 0.9 if i < 4 else 0.1, i < 4, "shared", "g" if i < 4 else None)
            for i, one in enumerate(looked)
        ]
        groups_found = [Group("g", tuple(one.sample_id for one in looked[:4]), 0.9, True, "four share a mask")]
        findings.record(session, dataset.id, findings.Ran("shared_mask", 1, "mask"), looked, found, groups_found)
    return [one.id for one in rows]


def stands(db: Database) -> list[tuple[object, ...]]:
    """Everything about samples, revisions and flags that a decision can change."""
    columns = (Sample.id, Sample.status, Sample.current_id, Sample.confirmed_id, Sample.excluded, Sample.worst)
    with db.read() as session:
        return [
            *session.execute(select(*columns).order_by(Sample.id)),
            *session.execute(select(Revision.id, Revision.state).order_by(Revision.id)),
            *session.execute(select(Flag.id, Flag.state).order_by(Flag.id)),
        ]


def status(db: Database, id: int) -> str:
    with db.read() as session:
        return samples.find(session, id).status


def test_keeping_closes_the_flags_and_confirms_the_mask(db: Database, ids: list[int]) -> None:
    assert status(db, ids[0]) == "flagged"
    outcome = review.decide(db, "mars", Selection(ids=[ids[0]]), KEEP, ADA)
    assert [one.status for one in outcome.decided] == ["accepted"]
    assert outcome.decided[0].worst == 0


def test_a_whole_group_is_excluded_and_comes_back_as_one(db: Database, ids: list[int]) -> None:
    before = stands(db)
    with db.read() as session:
        group = groups.of_dataset(session, datasets.find(session, "mars").id)[0]
    outcome = review.decide(db, "mars", Selection(group=group.id), EXCLUDE, ADA)
    assert [one.id for one in outcome.decided] == ids[:4]
    assert {status(db, id) for id in ids[:4]} == {"excluded"}
    review.undo_last(db, "mars", ADA)
    assert stands(db) == before


def test_of_a_group_all_but_one_can_be_excluded(db: Database, ids: list[int]) -> None:
    with db.read() as session:
        group = groups.of_dataset(session, datasets.find(session, "mars").id)[0]
    review.decide(db, "mars", Selection(ids=[ids[2]]), KEEP, BOB)
    outcome = review.decide(db, "mars", Selection(group=group.id, spare_one=True), EXCLUDE, ADA)
    assert [one.id for one in outcome.decided] == [ids[0], ids[1], ids[3]]
    assert status(db, ids[2]) == "accepted"


def test_taking_the_pending_mask_makes_it_current_and_corrected(db: Database, ids: list[int]) -> None:
    with db.read() as session:
        pending = revisions.of_sample(session, ids[4])[0]
    before = stands(db)
    review.decide(db, "mars", Selection(ids=[ids[4]]), Wish("restore", revision=pending.id), ADA)
    assert status(db, ids[4]) == "corrected"
    review.undo_last(db, "mars", ADA)
    assert stands(db) == before
    review.decide(db, "mars", Selection(ids=[ids[4]]), Wish("reject", revision=pending.id), ADA)
    assert status(db, ids[4]) == "unreviewed"


def test_restoring_another_samples_revision_is_refused(db: Database, ids: list[int]) -> None:
    with db.read() as session:
        other = samples.find(session, ids[1]).current_id
    outcome = review.decide(db, "mars", Selection(ids=[ids[0]]), Wish("restore", revision=other), ADA)
    assert outcome.batch is None
    assert "not of this sample" in outcome.refused[0].reason


def test_keeping_takes_an_excluded_sample_back_in(db: Database, ids: list[int]) -> None:
    before = stands(db)
    review.decide(db, "mars", Selection(ids=[ids[0]]), EXCLUDE, ADA)
    review.decide(db, "mars", Selection(ids=[ids[0]]), KEEP, ADA)
    assert status(db, ids[0]) == "accepted"
    review.undo_last(db, "mars", ADA)
    assert status(db, ids[0]) == "excluded"
    review.undo_last(db, "mars", ADA)
    assert stands(db) == before


def test_keeping_a_mask_that_is_not_the_current_one_is_refused(db: Database, ids: list[int]) -> None:
    outcome = review.decide(db, "mars", Selection(ids=[ids[0]]), Wish("keep", revision=99_999), ADA)
    assert "isn't its current mask" in outcome.refused[0].reason


def test_a_stale_decision_is_refused_and_nothing_is_overwritten(db: Database, ids: list[int]) -> None:
    with db.read() as session:
        seen = samples.find(session, ids[0]).version
    review.decide(db, "mars", Selection(ids=[ids[0]]), EXCLUDE, BOB)
    outcome = review.decide(db, "mars", Selection(ids=ids[:2]), KEEP, ADA, expected={ids[0]: seen})
    assert [one.sample for one in outcome.refused] == [ids[0]]
    assert [one.id for one in outcome.decided] == [ids[1]]
    assert status(db, ids[0]) == "excluded"


def test_undo_leaves_alone_what_was_decided_again_since(db: Database, ids: list[int]) -> None:
    first = review.decide(db, "mars", Selection(ids=ids[:3]), EXCLUDE, ADA)
    review.decide(db, "mars", Selection(ids=[ids[1]]), Wish("include"), BOB)
    assert first.batch is not None
    outcome = review.undo(db, first.batch, ADA)
    assert [one.id for one in outcome.decided] == [ids[0], ids[2]]
    assert [one.sample for one in outcome.refused] == [ids[1]]


def test_an_undo_can_be_undone(db: Database, ids: list[int]) -> None:
    review.decide(db, "mars", Selection(ids=ids[:2]), EXCLUDE, ADA)
    after = stands(db)
    undone = review.undo_last(db, "mars", ADA)
    assert undone.batch is not None
    review.undo(db, undone.batch, ADA)
    assert stands(db) == after
    assert len(review.undo_last(db, "mars", ADA).decided) == 2


def test_undo_takes_only_ones_own_last_decision(db: Database, ids: list[int]) -> None:
    review.decide(db, "mars", Selection(ids=[ids[0]]), EXCLUDE, ADA)
    review.decide(db, "mars", Selection(ids=[ids[1]]), EXCLUDE, BOB)
    assert [one.id for one in review.undo_last(db, "mars", ADA).decided] == [ids[0]]
    with pytest.raises(Conflict, match="nothing"):
        review.undo_last(db, "mars", ADA)


def test_what_is_not_there_is_named(db: Database, ids: list[int]) -> None:
    for selection in (Selection(ids=[10**12]), Selection(keys=["nope"]), Selection(group=99)):
        with pytest.raises(NotFound):
            review.decide(db, "mars", selection, EXCLUDE, ADA)


def test_a_filter_selects_what_the_grid_shows(db: Database, ids: list[int]) -> None:
    outcome = review.decide(db, "mars", Selection(filter=browse.Filter(check="shared_mask")), EXCLUDE, ADA)
    assert [one.id for one in outcome.decided] == ids[:4]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_undoing_everything_in_reverse_restores_the_same_state(
    db: Database, ids: list[int], data: st.DataObject
) -> None:
    before = stands(db)
    batches = []
    for _ in range(data.draw(st.integers(1, 5))):
        chosen = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
        verb: Verb = data.draw(st.sampled_from(["keep", "exclude", "include"]))
        outcome = review.decide(db, "mars", Selection(ids=chosen), Wish(verb), ADA)
        if outcome.batch is not None:
            batches.append(outcome.batch)
    for batch in reversed(batches):
        assert review.undo(db, batch, ADA).refused == []
    assert stands(db) == before
    with db.read() as session:
        assert decisions.last_batch(session, datasets.find(session, "mars").id, ADA) is None
