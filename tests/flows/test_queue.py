"""Several reviewers on one queue: nobody is given what somebody else looks at or has decided."""

import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.actor import Actor, person
from app.domain.errors import NotFound
from app.flows import ingest, queue, review
from app.flows.queue import Passed
from app.flows.review import Selection
from app.store import browse, datasets, leases
from app.store.browse import Filter
from app.store.db import Database
from app.store.decisions import Wish
from tests.sets import every_sample

ANA, BO = person("Ana"), person("Bo")


class Clock:
    """The server's clock, to be turned."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "now", clock)
    return clock


@pytest.fixture
def ids(db: Database, npz: Path) -> list[int]:
    ingest.run(db, npz, "mars", ANA)
    with db.read() as session:
        return [one.id for one in every_sample(session, datasets.find(session, "mars").id)]


def test_two_reviewers_get_two_samples(db: Database, ids: list[int]) -> None:
    assert queue.next_of(db, "mars", ids, ANA, 0).sample == ids[0]
    second = queue.next_of(db, "mars", ids, BO, 0)
    assert (second.sample, second.passed) == (ids[1], [Passed(ids[0], "Ana", "held")])
    assert queue.next_of(db, "mars", ids, ANA, 0).sample == ids[0], "asking again gives the same"
    assert queue.next_of(db, "mars", ids[1:], ANA, 0, done=[ids[0]]).sample == ids[2]
    assert queue.next_of(db, "mars", ids, BO, 0, done=[ids[1]]).sample == ids[0]
    alone = queue.next_of(db, "mars", [ids[2]], BO, 0)
    assert (alone.sample, alone.passed) == (None, [Passed(ids[2], "Ana", "held")])
    assert queue.next_of(db, "mars", [], BO, 0).sample is None


def test_what_another_decided_since_is_passed_over_unless_undone(db: Database, ids: list[int]) -> None:
    review.decide(db, "mars", Selection(ids=[ids[3]]), Wish("keep"), ANA)
    with db.read() as session:
        since = leases.newest_batch(session)
    kept = review.decide(db, "mars", Selection(ids=ids[:2]), Wish("keep"), ANA)
    review.decide(db, "mars", Selection(ids=[ids[2]]), Wish("keep"), BO)
    handed = queue.next_of(db, "mars", ids, BO, since)
    assert handed.sample == ids[2], "one's own decision passes nothing over"
    assert handed.passed == [Passed(ids[0], "Ana", "decided"), Passed(ids[1], "Ana", "decided")]
    assert queue.next_of(db, "mars", ids[3:], BO, since).sample == ids[3], "decided before the walk began"
    assert kept.batch is not None
    undone = review.undo(db, kept.batch, ANA)
    assert queue.next_of(db, "mars", ids, BO, since).sample == ids[0]
    assert undone.batch is not None
    review.undo(db, undone.batch, ANA)
    assert queue.next_of(db, "mars", ids, BO, since).sample == ids[2]


def test_a_lease_ends_by_itself_and_is_put_off_by_asking(db: Database, ids: list[int], clock: Clock) -> None:
    assert queue.look_at(db, ids[0], ANA) == "Ana"
    clock.turn(seconds=100)
    assert queue.look_at(db, ids[0], BO) == "Ana"
    assert queue.look_at(db, ids[0], ANA) == "Ana"
    clock.turn(seconds=100)
    assert queue.look_at(db, ids[0], BO) == "Ana"
    clock.turn(seconds=21)
    assert queue.look_at(db, ids[0], BO) == "Bo"
    assert queue.look_at(db, ids[0], ANA) == "Bo"
    queue.leave(db, ids[0], ANA)
    assert queue.look_at(db, ids[0], ANA) == "Bo", "nobody ends another's lease"
    queue.leave(db, ids[0], BO)
    assert queue.look_at(db, ids[0], ANA) == "Ana"


def test_a_new_name_keeps_what_the_old_one_looked_at(db: Database, ids: list[int]) -> None:
    queue.look_at(db, ids[0], ANA)
    queue.rename(db, ANA, BO)
    assert queue.look_at(db, ids[0], BO) == "Bo"
    assert queue.look_at(db, ids[0], ANA) == "Bo"


@pytest.mark.parametrize("hours", [-30 * 24, -1, 1])
def test_a_clock_that_jumps_locks_nothing_up(db: Database, ids: list[int], clock: Clock, hours: float) -> None:
    queue.look_at(db, ids[0], ANA)
    clock.turn(hours=hours)
    first = queue.next_of(db, "mars", ids, BO, 0).sample
    assert first == (ids[1] if hours < 0 else ids[0]), "back: the lease still holds, for two minutes at most"
    clock.turn(minutes=2, seconds=1)
    assert queue.next_of(db, "mars", ids, BO, 0).sample == ids[0]


def test_of_things_that_are_not_there(db: Database, ids: list[int]) -> None:
    for ask in (queue.look_at, queue.leave):
        with pytest.raises(NotFound):
            ask(db, 10**6, ANA)
    with pytest.raises(NotFound):
        queue.next_of(db, "venus", ids, ANA, 0)
    assert queue.next_of(db, "mars", [10**6, ids[0]], ANA, 0).sample == ids[0]


def test_many_at_once_each_sample_to_one(db: Database, ids: list[int]) -> None:
    """Eight reviewers walk the same list, decide most and skip some: none is decided twice, none is forgotten."""
    handed: list[tuple[str, int]] = []
    skipped: set[int] = set()
    failed: list[BaseException] = []

    def walk(actor: Actor, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311
        left, done = list(ids), list[int]()
        try:
            while (one := queue.next_of(db, "mars", left, actor, 0, done)).sample is not None:
                left = left[left.index(one.sample) + 1 :]
                done = [one.sample]
                if rng.random() < 0.2:
                    skipped.add(one.sample)
                    continue
                handed.append((actor.name, one.sample))
                review.decide(db, "mars", Selection(ids=[one.sample]), Wish("exclude"), actor)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=walk, args=(person(f"reviewer {n}"), n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert max(Counter(sample for _, sample in handed).values()) == 1
    with db.read() as session:
        dataset = datasets.find(session, "mars")
        excluded = set(browse.ids(session, dataset.id, Filter(status=("excluded",))))
    decided = {sample for _, sample in handed}
    assert decided == excluded
    assert decided | skipped == set(ids)
