from pathlib import Path

import pytest

from app.domain.actor import person
from app.domain.checks.base import Finding
from app.domain.checks.base import Group as Found
from app.flows import ingest, review
from app.store import datasets, findings, flags, groups, samples
from app.store.db import Database
from app.store.decisions import Wish
from tests.sets import every_sample, with_masks

ADA = person("ada")


class Ring:
    """A data set whose checks say what a test tells them to say."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.read() as session:
            self.id = datasets.find(session, "mars").id
            self.samples = [one.id for one in every_sample(session, self.id) if one.current_id]

    def say(
        self,
        scores: dict[int, float],
        version: int = 1,
        subject: str = "mask",
        found: tuple[Found, ...] = (),
        run: int | None = None,
    ) -> int:
        """Record a run in which sample number i has ``scores[i]``, flagged from 0.5 on, and the others 0; with the
        model of ``run`` only the samples named are judged."""
        with self.db.write() as session:
            rows = enumerate(samples.by_ids(session, self.id, self.samples))
            seen = [(i, one) for i, one in rows if run is None or i in scores]
            looked = [findings.Looked(one.id, one.current_id, None if run is None else 3) for _, one in seen]
            given = [
                Finding(
                    one.id, scores.get(i, 0), scores.get(i, 0) >= 0.5, "why", found[0].fingerprint if found else None
                )
                for i, one in seen
            ]
            return findings.record(session, self.id, findings.Ran("c", version, subject, run), looked, given, found)

    def flagged(self) -> list[int]:
        with self.db.read() as session:
            return [self.samples.index(sample.id) for _, sample in flags.open_flags(session, self.id)]

    def status(self, i: int) -> str:
        with self.db.read() as session:
            return samples.find(session, self.samples[i]).status

    def decide(self, verb: str, *which: int, revision: int | None = None) -> None:
        chosen = review.Selection(ids=[self.samples[i] for i in which])
        assert review.decide(self.db, "mars", chosen, Wish(verb, revision=revision), ADA).decided  # type: ignore[arg-type]


@pytest.fixture
def ring(db: Database, npz: Path) -> Ring:
    ingest.run(db, npz, "mars", ADA)
    return Ring(db)


def test_flags_come_worst_first_and_make_the_status(ring: Ring) -> None:
    assert ring.say({1: 0.6, 2: 0.9}) == 2
    assert ring.flagged() == [2, 1]
    assert (ring.status(2), ring.status(0)) == ("flagged", "unreviewed")


def test_a_flag_goes_when_the_check_no_longer_says_so(ring: Ring) -> None:
    ring.say({1: 0.6})
    assert ring.say({}) == 0
    assert (ring.flagged(), ring.status(1)) == ([], "unreviewed")
    assert ring.say({1: 0.7}) == 1


def test_what_a_person_kept_stays_closed(ring: Ring) -> None:
    ring.say({1: 0.6})
    ring.decide("keep", 1)
    assert ring.say({1: 0.6}) == 0
    assert ring.say({1: 0.99}) == 0
    assert ring.say({1: 0.55}, version=2) == 0
    assert ring.status(1) == "accepted"


def test_a_newer_check_reopens_only_what_it_finds_worse(ring: Ring) -> None:
    ring.say({1: 0.6})
    ring.decide("keep", 1)
    assert ring.say({1: 0.8}, version=2) == 1
    assert ring.status(1) == "flagged"


def test_a_fixed_mask_sheds_its_flags_and_a_picture_does_not(ring: Ring, npz: Path, tmp_path: Path) -> None:
    ring.say({3: 0.9})
    ingest.run(ring.db, with_masks(npz, tmp_path / "fixed.npz", {3: 2}), "mars", ADA)
    with ring.db.read() as session:
        from app.store import revisions

        fixed = revisions.of_sample(session, ring.samples[3])[0].id
    ring.decide("restore", 3, revision=fixed)
    assert (ring.status(3), ring.flagged()) == ("corrected", [])
    ring.say({3: 0.9}, subject="image")
    assert ring.flagged() == [3]


def test_excluded_samples_are_not_listed(ring: Ring) -> None:
    ring.say({1: 0.6, 2: 0.9})
    ring.decide("exclude", 2)
    assert ring.flagged() == [1]


def test_a_group_found_again_keeps_its_id(ring: Ring) -> None:
    group = Found("print", tuple(ring.samples), 0.8, True, "they share")
    ring.say({0: 0.8}, found=(group,))
    with ring.db.read() as session:
        [first] = groups.of_dataset(session, ring.id)
    ring.say({0: 0.8}, found=(group,))
    with ring.db.read() as session:
        [second] = groups.of_dataset(session, ring.id)
        assert groups.card(session, second).open == 1
    assert first.id == second.id
    ring.say({})
    with ring.db.read() as session:
        assert groups.of_dataset(session, ring.id) == []


def test_what_a_model_said_of_a_mask_stands_until_a_model_judges_it_again(ring: Ring) -> None:
    ring.say({0: 0.9, 1: 0.6, 2: 0.7})
    assert ring.say({0: 0.1, 1: 0.8}, version=2, run=7) == 1
    assert ring.flagged() == [1, 2]
    assert ring.say({0: 0.9, 2: 0.2}) == 1
    assert ring.flagged() == [1]
    with ring.db.read() as session:
        said = {i: flags.scores_of_sample(session, samples.find(session, ring.samples[i])) for i in range(4)}
    assert [[(one.value, one.run_id, one.fold) for one in said[i]] for i in range(4)] == [
        [(0.1, 7, 3)],
        [(0.8, 7, 3)],
        [(0.2, None, None)],
        [(0.0, None, None)],
    ]
    ring.say({0: 0.95}, version=2, run=8)
    assert ring.flagged() == [0, 1]


def test_a_mask_that_changed_since_is_told_without_a_model(ring: Ring, npz: Path, tmp_path: Path) -> None:
    from app.store import revisions

    ring.say({3: 0.9}, version=2, run=7)
    ingest.run(ring.db, with_masks(npz, tmp_path / "fixed.npz", {3: 2}), "mars", ADA)
    with ring.db.read() as session:
        fixed = revisions.of_sample(session, ring.samples[3])[0].id
    ring.decide("restore", 3, revision=fixed)
    ring.say({3: 0.4})
    with ring.db.read() as session:
        [one] = flags.scores_of_sample(session, samples.find(session, ring.samples[3]))
    assert (one.value, one.run_id) == (0.4, None)
