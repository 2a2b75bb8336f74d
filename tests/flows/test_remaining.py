"""When to stop, on a real set: what reviewers decide of judged masks counts, and random checks are in the queue."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.domain.actor import person
from app.flows import crossval, edit, ingest, remaining, review
from app.flows.review import Selection
from app.store import audit, datasets, predictions, runs, standing
from app.store.browse import Filter
from app.store.db import Database
from app.store.decisions import Wish
from app.store.tables import Flag, Run, Sample
from tests.sets import every_sample, write_npz

ADA = person("ada")
KEPT_BEFORE = 3


@pytest.fixture
def judged(db: Database, tmp_path: Path) -> list[Sample]:
    """Forty masks of which a run said that the first are the worst; the fourth was kept before it."""
    ingest.run(db, write_npz(tmp_path / "mars.npz", np.random.default_rng(3), 40), "mars", ADA)
    with db.read() as session:
        samples = [one for one in every_sample(session, datasets.find(session, "mars").id) if one.current_id]
    review.decide(db, "mars", Selection(ids=[samples[KEPT_BEFORE].id]), Wish("keep"), ADA)
    run = crossval.request(db, "mars", ADA, folds=2)
    with db.write() as session:
        row = runs.find(session, run.id)
        row.snapshot_id = runs.add_snapshot(session, row.dataset_id, "0" * 64, "curated", 1, {}).id
        row.result = {"predicted": len(samples)}
        predictions.add(session, run.id, {one.id: 0 for one in samples})
        notes = [
            {"sample_id": one.id, "revision_id": one.current_id, "suspicion_id": None, "probability": 0.8 / (1 + place)}
            for place, one in enumerate(samples)
        ]
        predictions.judge(session, run.id, notes)
    return samples


def outlook(db: Database) -> remaining.Outlook:
    with db.read() as session:
        found = remaining.outlook(session, datasets.find(session, "mars").id)
    assert found is not None
    return found


def decide(db: Database, sample: Sample, verb: str) -> int:
    done = review.decide(db, "mars", Selection(ids=[sample.id]), Wish(verb), ADA)  # type: ignore[arg-type]
    assert done.batch is not None, done.refused
    return done.batch


def test_nothing_is_told_before_the_masks_are_judged(db: Database, tmp_path: Path) -> None:
    ingest.run(db, write_npz(tmp_path / "mars.npz", np.random.default_rng(3)), "mars", ADA)
    with db.read() as session:
        owner = datasets.find(session, "mars")
        assert remaining.outlook(session, owner.id) is None
        ids, random = remaining.queue(session, owner.id, Filter(), 100)
    assert len(ids) == 15
    assert not random


def test_excluded_and_changed_masks_were_bad_and_kept_ones_good(db: Database, judged: list[Sample]) -> None:
    assert outlook(db).left == 39  # one was settled before the run
    decide(db, judged[0], "exclude")
    decide(db, judged[1], "keep")
    edit.finish(db, judged[2].id, np.full((16, 24), 2, np.uint8), ADA, judged[2].current_id)
    found = outlook(db)
    assert (found.found, found.left) == ((1, 1, 2), 36)
    assert found.remain.bad.low <= found.remain.bad.mean <= found.remain.bad.high <= 36
    assert found.sentence.startswith("About ")
    assert found.sentence.endswith("among 36 that nobody has reviewed.")


def test_an_undone_decision_counts_no_more(db: Database, judged: list[Sample]) -> None:
    before = outlook(db)
    batch = decide(db, judged[0], "exclude")
    assert outlook(db) != before
    review.undo(db, batch, ADA)
    assert outlook(db) == before


def test_weak_models_only_hint(db: Database, judged: list[Sample]) -> None:
    assert "hint" not in outlook(db).sentence
    with db.write() as session:
        [run] = session.scalars(select(Run))
        run.result = {"predicted": len(judged), "weak": True}
    assert outlook(db).sentence.endswith("too weak to be believed: take it as a hint.")


def test_all_reviewed(db: Database, judged: list[Sample]) -> None:
    for one in judged[:KEPT_BEFORE] + judged[KEPT_BEFORE + 1 :]:
        decide(db, one, "keep")
    found = outlook(db)
    assert (found.left, found.next, found.found[-1]) == (0, None, 0)
    assert found.sentence == "Every judged mask has been reviewed."


def test_a_queue_that_goes_worst_first_holds_random_checks(db: Database, judged: list[Sample]) -> None:
    with db.write() as session:
        about = {"check": "imprecise_mask", "version": 2, "reason": "", "state": "open"}
        for one in judged[10:30]:
            row = {"dataset_id": one.dataset_id, "sample_id": one.id, "revision_id": one.current_id}
            session.add(Flag(**about, **row, score=0.9))
        session.flush()
        standing.refresh(session, [one.id for one in judged])
    with db.read() as session:
        owner = judged[0].dataset_id
        ids, random = remaining.queue(session, owner, Filter(flagged=True), 100)
        assert len(random) == 2
        assert {place for place, one in enumerate(ids) if one in random} == {9, 19}
        assert judged[KEPT_BEFORE].id not in random
        assert set(ids) - random <= {one.id for one in judged[10:30]}
        assert remaining.queue(session, owner, Filter(flagged=True), 100) == (ids, random)
        for plain in (Filter(sort="key"), Filter(q="0"), Filter(flagged=False), Filter(status=("accepted",))):
            assert not remaining.queue(session, owner, plain, 100)[1]


def test_what_another_check_flagged_is_told_apart(db: Database, judged: list[Sample]) -> None:
    with db.write() as session:
        one = judged[5]
        row = {"dataset_id": one.dataset_id, "sample_id": one.id, "revision_id": one.current_id}
        session.add(Flag(**row, check="shared_mask", version=1, score=0.9, reason="", state="open"))
    with db.read() as session:
        run = audit.newest_run(session, judged[0].dataset_id)
        assert isinstance(run, Run)
        assert [one.key for one in audit.judged(session, run) if one.told] == [judged[5].key]
