"""Suspected regions decided: what is taken is exact to the pixel, what is kept is remembered, undo restores it all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from app.domain.actor import person
from app.domain.detector.region import Reason, region_of
from app.domain.detector.region import Region as Found
from app.domain.errors import NotFound
from app.domain.mask import Mask
from app.flows import ingest, predicted, regions, review
from app.flows.predicted import NotPredicted
from app.flows.regions import NotBelievable
from app.flows.review import Selection
from app.store import datasets, rasters, region_browse, revisions, samples
from app.store import regions as rows
from app.store.db import Database
from app.store.decisions import Wish
from app.store.region_browse import Filter
from app.store.tables import Flag, Raster, Region, Revision, Sample, Score
from tests.sets import every_sample, small_tiles
from tests.suspected import Said, search

ADA = person("ada")
SEEN = 4


def block(left: int, top: int, width: int, height: int, sure: float, reason: Reason = Reason.MISSING) -> Found:
    inside = np.zeros((16, 24), np.bool_)
    inside[top : top + height, left : left + width] = True
    inside[top, left] = False  # no box, so that a region's pixels are told from its box
    return region_of(inside, reason, 0, SEEN, sure)


@dataclass
class Bench:
    """Two samples; a model sees class 4 all over. The first has regions of 0.9, 0.8 and 0.3, the second one of 0.7."""

    db: Database
    home: Path
    ids: list[int]
    run: int = 0

    def sample(self, id: int | None = None) -> Sample:
        with self.db.read() as session:
            return samples.find(session, id or self.ids[0])

    def told(self, id: int | None = None) -> list[Region]:
        with self.db.read() as session:
            return rows.of_sample(session, samples.find(session, id or self.ids[0]))

    def mask(self, id: int | None = None) -> Mask:
        with self.db.read() as session:
            current = revisions.find(session, self.sample(id).current_id or 0)
            return rasters.mask(session, session.get_one(Raster, current.mask_id))

    def inside(self, region: int) -> Any:
        with self.db.read() as session:
            return rows.pixels_of(session, rows.find(session, region))

    def accept(self, *ids: int, **more: Any) -> review.Outcome:
        return regions.accept(self.db, self.home, "mars", ids, ADA, **more)

    def keep(self, *ids: int, **more: Any) -> review.Outcome:
        return regions.keep(self.db, "mars", ids, ADA, **more)

    def stands(self) -> dict[str, Any]:
        """All that an undo has to restore."""
        with self.db.read() as session:
            one = samples.find(session, self.ids[0])
            about = Flag.revision_id == one.current_id
            return {
                "sample": (one.current_id, one.confirmed_id, one.excluded, one.status, one.worst, one.worst_check),
                "flags": [(flag.check, flag.state) for flag in session.scalars(select(Flag).where(about))],
                "regions": [(row.id, row.state, row.revision_id) for row in rows.of_sample(session, one)],
            }


@pytest.fixture
def bench(db: Database, npz: Path, tmp_path: Path) -> Bench:
    ingest.run(db, npz, "mars", ADA)
    with db.read() as session:
        ids = [one.id for one in every_sample(session, datasets.find(session, "mars").id)]
    made = Bench(db, tmp_path / "home", ids[:2])
    seen = np.full((16, 24), SEEN, np.uint8)
    first = [block(1, 1, 6, 5, 0.9), block(10, 2, 5, 4, 0.8), block(2, 10, 8, 4, 0.3, Reason.BOUNDARY)]
    said = {ids[0]: Said(first, seen), ids[1]: Said([block(3, 3, 9, 9, 0.7)], seen)}
    made.run = search(db, made.home, "mars", said, range(5))
    return made


def test_what_is_taken_is_exact_to_the_pixel(bench: Bench) -> None:
    given, before = bench.mask().copy(), bench.sample()
    worst = bench.told()[0]
    outcome = bench.accept(worst.id)
    after, inside = bench.sample(), bench.inside(worst.id)
    assert [one.id for one in outcome.decided] == [before.id]
    np.testing.assert_array_equal(bench.mask(), np.where(inside, SEEN, given))
    assert not inside[1, 1]
    assert inside[1, 2]
    with bench.db.read() as session:
        made = revisions.find(session, after.current_id or 0)
    assert (made.source, made.run_id, made.parent_id) == ("model", bench.run, before.current_id)
    assert (made.actor_kind, made.actor_name, made.state) == ("person", "ada", "current")
    assert after.version == before.version + 1


def test_no_mask_is_taken_for_a_picture_that_does_not_belong(bench: Bench) -> None:
    said = {bench.ids[0]: Said([block(0, 0, 24, 16, 0.99, Reason.FOREIGN)], np.full((16, 24), SEEN, np.uint8))}
    search(bench.db, bench.home, "mars", said, range(5))
    before = bench.stands()
    [foreign] = [one.id for one in bench.told() if one.reason == Reason.FOREIGN]
    outcome = bench.accept(foreign)
    assert (outcome.batch, bench.stands()) == (None, before)
    assert "exclude it" in outcome.refused[0].reason
    assert bench.keep(foreign).batch


def test_several_regions_make_one_revision(bench: Bench) -> None:
    given = bench.mask().copy()
    taken = [one.id for one in bench.told()[:2]]
    bench.accept(*taken)
    either = bench.inside(taken[0]) | bench.inside(taken[1])
    np.testing.assert_array_equal(bench.mask(), np.where(either, SEEN, given))
    with bench.db.read() as session:
        assert len(revisions.of_sample(session, bench.ids[0])) == 2


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    small_tiles(monkeypatch)


@pytest.mark.usefixtures("tiled")
def test_regions_of_a_large_mask_are_taken_a_tile_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lies in another, which takes its pixels along, is settled with it; one beside it stays."""
    given = bench.mask()
    seen = np.full((16, 24), SEEN, np.uint8)
    seen[15] = 1
    found = [block(6, 6, 13, 10, 0.95), block(7, 8, 6, 5, 0.5), block(0, 0, 5, 5, 0.4)]
    search(bench.db, bench.home, "mars", {bench.ids[0]: Said(found, seen)}, range(5))
    wide, within, beside = bench.told()
    inside = bench.inside(wide.id)
    with monkeypatch.context() as patched:
        patched.setattr(rasters, "mask", lambda *_: pytest.fail("read whole"))
        bench.accept(wide.id)
    np.testing.assert_array_equal(bench.mask(), np.where(inside, seen, given))
    states = {row.id: row.state for row in bench.told()}
    assert states == {wide.id: "accepted", within.id: "accepted", beside.id: "open"}


def test_the_other_regions_come_along_and_the_flag_stays_until_none_is_left(bench: Bench) -> None:
    first, second, third = bench.told()
    bench.accept(first.id)
    after = bench.sample()
    assert [(one.id, one.state, one.revision_id) for one in bench.told()] == [
        (first.id, "accepted", after.current_id),
        (second.id, "open", after.current_id),
        (third.id, "open", after.current_id),
    ]
    assert (after.status, after.worst, after.worst_check) == ("flagged", 0.8, "imprecise_mask")
    with bench.db.read() as session:
        score = session.scalars(select(Score).where(Score.revision_id == after.current_id)).one()
        assert (score.check, score.value, score.run_id, score.fold) == ("imprecise_mask", 0.8, bench.run, 1)
        heat = predicted.suspicion(session, after)
        assert (heat.width, heat.height) == (24, 16)
    bench.keep(second.id, third.id)
    assert bench.sample().status == "corrected"


@pytest.mark.parametrize("verb", ["accept", "keep"])
@pytest.mark.parametrize("which", [slice(1), slice(3)])
def test_undo_restores_everything_and_redo_makes_it_again(bench: Bench, verb: str, which: slice) -> None:
    before = bench.stands()
    given = bench.mask()
    taken = [one.id for one in bench.told()[which]]
    outcome = bench.accept(*taken) if verb == "accept" else bench.keep(*taken)
    then = bench.stands()
    made = bench.mask()
    assert then != before
    undone = review.undo(bench.db, outcome.batch or 0, ADA)
    assert bench.stands() == before
    np.testing.assert_array_equal(bench.mask(), given)
    review.undo(bench.db, undone.batch or 0, ADA)
    assert bench.stands() == then
    np.testing.assert_array_equal(bench.mask(), made)


def test_one_after_the_other_and_back_again(bench: Bench) -> None:
    stood = [bench.stands()]
    batches = []
    for region in bench.told():
        outcome = bench.accept(region.id) if region.probability > 0.5 else bench.keep(region.id)
        batches.append(outcome.batch or 0)
        stood.append(bench.stands())
    assert [one["sample"][3] for one in stood] == ["flagged", "flagged", "flagged", "corrected"]
    for batch, before in zip(batches[::-1], stood[-2::-1], strict=True):
        review.undo(bench.db, batch, ADA)
        assert bench.stands() == before


def test_a_mask_whose_last_region_is_kept_is_accepted(bench: Bench) -> None:
    first, *others = bench.told()
    bench.keep(first.id)
    assert (bench.sample().status, bench.sample().confirmed_id) == ("flagged", None)
    bench.keep(*(one.id for one in others))
    assert bench.sample().status == "accepted"
    assert {one.state for one in bench.told()} == {"kept"}


def test_keeping_the_sample_keeps_its_regions_and_the_next_run_does_not_raise_them(bench: Bench) -> None:
    before = bench.stands()
    outcome = review.decide(bench.db, "mars", Selection(ids=bench.ids[:1]), Wish("keep"), ADA)
    assert {one.state for one in bench.told()} == {"kept"}
    said = Said([block(1, 1, 6, 5, 0.95), block(17, 9, 5, 5, 0.6)], np.full((16, 24), SEEN, np.uint8))
    second = search(bench.db, bench.home, "mars", {bench.ids[0]: said}, range(5))
    opened = [one for one in bench.told() if one.state == "open"]
    assert [(one.run_id, one.x) for one in opened] == [(second, 17)]
    review.undo(bench.db, outcome.batch or 0, ADA)
    kept = [(id, state) for id, state, _ in before["regions"]]
    assert [(one.id, one.state) for one in bench.told() if one.run_id == bench.run] == kept


def test_a_flag_of_another_check_is_none_of_the_regions_business(bench: Bench) -> None:
    wish = Wish("keep", checks=frozenset({"unusual_mask"}))
    review.decide(bench.db, "mars", Selection(ids=bench.ids[:1]), wish, ADA)
    assert {one.state for one in bench.told()} == {"open"}


def test_what_was_changed_since_is_left_alone(bench: Bench) -> None:
    first, second, _ = bench.told()
    outcome = bench.accept(first.id, expected={bench.ids[0]: bench.sample().version + 1})
    assert outcome.batch is None
    assert "changed since you opened it" in outcome.refused[0].reason
    bench.accept(first.id)
    for decide in (bench.accept, bench.keep):
        outcome = decide(first.id)
        assert [one.reason for one in outcome.refused] == [f"region {first.id} was accepted already"]
    current = bench.sample().current_id
    with bench.db.write() as session:
        session.get_one(Region, second.id).revision_id = (current or 0) - 1
    assert "its mask has changed since" in bench.keep(second.id).refused[0].reason


def test_a_suggestion_that_says_nothing_new_is_refused(bench: Bench) -> None:
    first = bench.told()[0]
    with bench.db.write() as session:
        [equal] = rasters.put_masks(session, [(np.full((16, 24), SEEN, np.uint8), None)])
        session.get_one(Revision, first.revision_id).mask_id = equal.id
    assert "keep it instead" in bench.accept(first.id).refused[0].reason
    assert bench.sample().current_id == first.revision_id


def test_a_region_inside_what_was_taken_has_nothing_left_to_say(bench: Bench, tmp_path: Path) -> None:
    seen = np.full((16, 24), SEEN, np.uint8)
    found = [block(0, 0, 24, 16, 0.9, Reason.WHOLE), block(5, 5, 6, 6, 0.8)]
    search(bench.db, bench.home, "mars", {bench.ids[1]: Said(found, seen)}, range(5))
    whole, inner = bench.told(bench.ids[1])
    bench.accept(whole.id)
    assert [(one.id, one.state) for one in bench.told(bench.ids[1])] == [
        (whole.id, "accepted"),
        (inner.id, "accepted"),
    ]
    assert bench.sample(bench.ids[1]).status == "corrected"


def test_predictions_that_are_gone_are_said(bench: Bench) -> None:
    (bench.home / "runs" / str(bench.run) / "predictions").unlink()
    assert "are gone" in bench.accept(bench.told()[0].id).refused[0].reason
    with bench.db.read() as session, pytest.raises(NotPredicted, match="are gone"):
        predicted.suggestion(session, bench.home, bench.sample())


def test_many_by_a_filter_as_one_batch(bench: Bench) -> None:
    outcome = regions.accept(bench.db, bench.home, "mars", Filter(min=0.7), ADA)
    assert [one.id for one in outcome.decided] == bench.ids
    with bench.db.read() as session:
        left = region_browse.page(session, bench.sample().dataset_id, Filter(), None, 9)
    assert [region.probability for region, _ in left] == [0.3]
    review.undo(bench.db, outcome.batch or 0, ADA)
    with bench.db.read() as session:
        assert region_browse.count(session, bench.sample().dataset_id, Filter()) == 4


def test_weak_models_are_not_taken_at_their_word_unseen(bench: Bench) -> None:
    seen = np.full((16, 24), SEEN, np.uint8)
    search(bench.db, bench.home, "mars", {bench.ids[0]: Said([block(1, 1, 5, 5, 0.99)], seen)}, range(5), weak=True)
    with pytest.raises(NotBelievable, match="too weak"):
        regions.accept(bench.db, bench.home, "mars", Filter(), ADA)
    assert regions.accept(bench.db, bench.home, "mars", [bench.told()[0].id], ADA).batch is not None
    regions.keep(bench.db, "mars", Filter(), ADA)


def test_regions_of_elsewhere_are_not_there(bench: Bench) -> None:
    with pytest.raises(NotFound, match="no region 99"):
        bench.accept(99)
    with bench.db.write() as session:
        other = datasets.find_or_create(session, "other", ADA)
        session.get_one(Region, bench.told()[0].id).dataset_id = other.id
    with pytest.raises(NotFound, match="in this dataset"):
        bench.keep(bench.told()[0].id)


def test_the_likeliest_come_first_page_by_page(bench: Bench) -> None:
    dataset = bench.sample().dataset_id
    with bench.db.write() as session:
        for one in session.scalars(select(Region)):
            one.probability = 0.5 if one.probability > 0.5 else one.probability
    with bench.db.read() as session:
        whole = [one.id for one, _ in region_browse.page(session, dataset, Filter(), None, 9)]
        assert whole == region_browse.ids(session, dataset, Filter(), 9)
        walked: list[int] = []
        while page := region_browse.page(session, dataset, Filter(), walked[-1] if walked else None, 1):
            walked += [one.id for one, _ in page]
        assert walked == whole
        assert region_browse.reasons(session, dataset, Filter(reason="boundary")) == {
            "missing object": 3,
            "boundary": 1,
        }
        assert region_browse.pairs(session, dataset, Filter(min=0.4), 5) == [(0, SEEN, 3)]
        assert region_browse.count(session, dataset, Filter("boundary", 0, SEEN, 0.1, 0.4)) == 1
        with pytest.raises(NotFound):
            region_browse.page(session, dataset, Filter(), 99, 9)
    review.decide(bench.db, "mars", Selection(ids=bench.ids[:1]), Wish("exclude"), ADA)
    with bench.db.read() as session:
        assert region_browse.count(session, dataset, Filter()) == 1
