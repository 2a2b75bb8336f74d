"""Suggestions accepted by a rule: which pixels, by whom, what waits on, and the way back."""

from pathlib import Path

import numpy as np
import pytest

from app.domain.actor import Actor, person
from app.domain.classes import Class, ClassList, Role
from app.domain.mask import Mask
from app.domain.picture import Picture
from app.flows import accept, ingest, review
from app.flows.accept import NoRule
from app.store import datasets, decisions, rasters, revisions, standing, suggestions
from app.store.db import Database
from app.store.revisions import Proposal
from app.store.tables import Raster, Revision, Run, Sample, Suggesting
from tests.sets import every_sample

ADA = person("ada")
CLASSES = ClassList(
    (
        *(Class(id, f"class {id}", Role.FOREGROUND, "#e69f00") for id in range(5)),
        Class(255, "void", Role.VOID, "#000000"),
    ),
    guessed=False,
)


@pytest.fixture
def waiting(db: Database, npz: Path) -> tuple[Database, int, int]:
    """A labelled and an unlabelled sample, each with a suggestion: class 1 above, sure; class 2 below, less so."""
    ingest.run(db, npz, "mars", ADA, classes=CLASSES)
    with db.write() as session:
        owner = datasets.find(session, "mars")
        found = every_sample(session, owner.id)
        labelled = next(one for one in found if one.current_id is not None)
        without = next(one for one in found if one.current_id is None)
        run = Run(dataset_id=owner.id, kind="crossval", name="5", arm="curated", config={}, actor_name="ada")
        session.add(run)
        session.flush()
        asked = Suggesting(dataset_id=owner.id, run_id=run.id, method="ensemble", wished=0.9, keys=[], actor_name="ada")
        session.add(asked)
        session.flush()
        sure = np.full((16, 24), 0, np.uint8)
        sure[:4], sure[4:8] = 254, 240
        for one in (labelled, without):
            mask = mask_of(session, one)
            mask[:4], mask[4:8] = 1, 2
            [stored] = rasters.put_masks(session, [(mask, None)])
            [confidence] = rasters.put_pictures(session, [Picture(sure)])
            model = Actor("model", f"run {run.id}")
            proposal = Proposal(one, stored.id, owner.class_version, "model", model, confidence_id=confidence.id)
            [made] = revisions.propose(session, [proposal])
            note = {"revision_id": made.id, "expected": 0.96, "share": 0.5, "changed": 100}
            suggestions.note(session, asked.id, [note])
        standing.refresh(session, [labelled.id, without.id])
        return db, labelled.id, without.id


def mask_of(session: object, sample: Sample) -> Mask:
    """A copy of the current mask; without one all void."""
    if sample.current_id is None:
        return np.full((16, 24), 255, np.uint8)
    raster = session.get_one(Raster, session.get_one(Revision, sample.current_id).mask_id)  # type: ignore[attr-defined]
    return rasters.mask(session, raster).copy()  # type: ignore[arg-type]


def test_what_is_sure_enough_is_in_force_and_the_rest_waits(waiting: tuple[Database, int, int]) -> None:
    db, labelled, without = waiting
    with db.read() as session:
        before = mask_of(session, session.get_one(Sample, labelled))
    outcome = accept.accept(db, "mars", "class 1", 0.99, ADA)
    assert {one.id for one in outcome.decided} == {labelled, without}
    with db.read() as session:
        batch = decisions.find_batch(session, outcome.batch or 0)
        assert (batch.actor_kind, batch.actor_name) == ("rule", "class 1 at 0.99 or surer, by ada")
        now = mask_of(session, session.get_one(Sample, labelled))
        assert (now[:4] == 1).all()
        assert (now[4:] == before[4:]).all()
        fresh = mask_of(session, session.get_one(Sample, without))
        assert (fresh[:4] == 1).all() and (fresh[4:] == 255).all()
        assert [session.get_one(Sample, one).status for one in waiting[1:]] == ["suggested", "suggested"]
    assert accept.accept(db, "mars", "class 2", 0.99, ADA).batch is None  # not that sure
    rest = accept.accept(db, "mars", "class 2", 0.9, ADA)
    assert {one.id for one in rest.decided} == {labelled, without}
    with db.read() as session:
        assert [session.get_one(Sample, one).status for one in waiting[1:]] == ["corrected", "corrected"]
        assert suggestions.waiting(session, batch.dataset_id) == []
    review.undo(db, rest.batch or 0, ADA)
    review.undo(db, outcome.batch or 0, ADA)
    with db.read() as session:
        assert (mask_of(session, session.get_one(Sample, labelled)) == before).all()
        assert session.get_one(Sample, without).current_id is None
        assert suggestions.count_waiting(session, batch.dataset_id) == 2


def test_a_mask_that_was_drawn_since_is_left_alone(waiting: tuple[Database, int, int]) -> None:
    db, labelled, without = waiting
    with db.write() as session:
        one = session.get_one(Sample, labelled)
        mask = mask_of(session, one)
        mask[10:, 10:] = (mask[10:, 10:] + 1) % 5
        [stored] = rasters.put_masks(session, [(mask, None)])
        [made] = revisions.propose(session, [Proposal(one, stored.id, 1, "brush", ADA)])
        batch = decisions.open_batch(session, one.dataset_id, "edit", ADA)
        decisions.apply(session, batch, one, decisions.Wish("edit", revision=made.id))
    outcome = accept.accept(db, "mars", "class 1", 0.99, ADA)
    assert [one.id for one in outcome.decided] == [without]
    assert [(one.sample, one.reason) for one in outcome.refused] == [
        (labelled, "its mask was changed since this was suggested")
    ]


@pytest.mark.parametrize(("name", "above"), [("nothing", 0.99), ("void", 0.99), ("class 1", 0.0), ("class 1", 1.5)])
def test_what_is_no_rule_is_a_sentence(waiting: tuple[Database, int, int], name: str, above: float) -> None:
    with pytest.raises(NoRule):
        accept.accept(waiting[0], "mars", name, above, ADA)
