"""Regions and predictions in a real database: told when a run has ended, kept by people, replaced by the next run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from sqlalchemy import select

from app.domain.actor import person
from app.domain.detector.region import Reason, region_of
from app.domain.detector.region import Region as Found
from app.domain.errors import NotFound
from app.domain.formats import rle
from app.flows import ingest
from app.store import datasets, predictions, regions
from app.store.db import Database
from app.store.tables import Region, Run, Sample
from tests.sets import every_sample


def box(left: int, top: int, width: int, height: int, reason: Reason = Reason.MISSING, sure: float = 0.7) -> Found:
    """A region of the 16 x 24 masks of ``write_npz``."""
    inside = np.zeros((16, 24), np.bool_)
    inside[top : top + height, left : left + width] = True
    return region_of(inside, reason, 0, 3, sure)


class Bench:
    """A set whose first sample is judged by runs that say what a test tells them to say."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.read() as session:
            self.dataset = datasets.find(session, "mars").id
            self.sample = every_sample(session, self.dataset)[0]

    def judged(self, *found: Found, ended: bool = True) -> int:
        with self.db.write() as session:
            run = Run(dataset_id=self.dataset, kind="crossval", name="", arm="curated", config={}, actor_name="ada")
            session.add(run)
            session.flush()
            predictions.add(session, run.id, {self.sample.id: 1})
            assert self.sample.current_id is not None
            regions.add(session, run.id, self.sample, self.sample.current_id, found)
            note = {"sample_id": self.sample.id, "revision_id": self.sample.current_id}
            predictions.judge(session, run.id, [note | {"probability": 0.5, "suspicion_id": None}])
            if ended:
                regions.open_of_run(session, run.id)
                run.result = {}
            return run.id

    def told(self) -> list[Region]:
        with self.db.read() as session:
            return regions.of_sample(session, self.sample)

    def set_state(self, region: int, state: str) -> None:
        with self.db.write() as session:
            regions.find(session, region).state = state


@pytest.fixture
def bench(db: Database, npz: Path) -> Bench:
    ingest.run(db, npz, "mars", person("ada"))
    return Bench(db)


def test_a_region_comes_back_to_the_pixel(bench: Bench) -> None:
    bench.judged(box(2, 3, 5, 4))
    [one] = bench.told()
    assert (one.reason, one.from_class, one.to_class, one.pixels) == ("missing object", 0, 3, 20)
    assert (one.x, one.y, one.width, one.height, one.state) == (2, 3, 5, 4, "open")
    with bench.db.read() as session:
        inside = regions.pixels_of(session, regions.find(session, one.id))
    assert inside.shape == (16, 24)
    assert inside[3:7, 2:7].all()
    assert inside.sum() == 20


def test_nothing_is_told_before_the_run_has_ended(bench: Bench) -> None:
    run = bench.judged(box(2, 3, 5, 4), ended=False)
    assert bench.told() == []
    with bench.db.write() as session:
        assert predictions.newest(session, bench.sample.id) is None
        regions.drop(session, run)
        assert session.scalars(select(Region)).all() == []


def test_the_next_run_withdraws_what_it_does_not_say_again(bench: Bench) -> None:
    bench.judged(box(2, 3, 5, 4))
    second = bench.judged(box(10, 3, 5, 4, sure=0.3), box(0, 0, 4, 2))
    assert [(one.run_id, one.x) for one in bench.told()] == [(second, 0), (second, 10)]
    with bench.db.read() as session:
        newest = predictions.newest(session, bench.sample.id)
        assert newest is not None
        assert (newest.run_id, newest.fold) == (second, 1)
        assert regions.worst_of_run(session, second)[bench.sample.id].x == 0
    bench.judged()
    assert bench.told() == []


@pytest.mark.parametrize(
    ("again", "raised"),
    [
        (box(2, 3, 5, 4), False),
        (box(2, 3, 5, 8), False),  # exactly half of the union
        (box(2, 3, 5, 9), True),
        (box(2, 3, 5, 4, Reason.EXTRA), True),
    ],
)
def test_what_a_person_kept_is_not_raised_again_there(bench: Bench, again: Found, raised: bool) -> None:
    bench.judged(box(2, 3, 5, 4))
    bench.set_state(bench.told()[0].id, "kept")
    run = bench.judged(again)
    told = bench.told()
    assert [one.state for one in told if one.run_id != run] == ["kept"]
    assert [one.state for one in told if one.run_id == run] == (["open"] if raised else [])


def test_a_mask_that_changed_has_no_regions_yet(bench: Bench) -> None:
    bench.judged(box(2, 3, 5, 4))
    with bench.db.write() as session:
        sample = session.get_one(Sample, bench.sample.id)
        sample.current_id = None
        assert regions.of_sample(session, sample) == []


def test_a_region_that_is_not_there(bench: Bench) -> None:
    with bench.db.read() as session, pytest.raises(NotFound, match="no region 9"):
        regions.find(session, 9)


def test_of_equal_masks_the_current_revision_is_found(bench: Bench) -> None:
    with bench.db.read() as session:
        found = predictions.revisions_with(session, [bench.sample.id])
    assert list(found.values()) == [bench.sample.current_id]


@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)))
def test_overlap_is_intersection_over_union(pair: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
    one, other = pair[0], pair[-1]
    either = int((one | other).sum())
    expected = int((one & other).sum()) / either if either else 0.0
    assert rle.iou(rle.bounds_of(one), rle.bounds_of(other)) == pytest.approx(expected)
    counts = rle.coco_counts(one)
    assert {"size": list(one.shape), "counts": rle.compress(counts)} == rle.coco_encode(one)
