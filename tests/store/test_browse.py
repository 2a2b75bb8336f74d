import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.store import browse, counting, matching, summary, tallies, walking
from app.store.browse import BadCursor, Count, Filter
from app.store.db import Database
from app.store.tables import Dataset, Flag, Raster, Sample, Score
from benchmarks import rows


@pytest.fixture
def dataset(db: Database) -> int:
    """60 samples with many equal scores, a third without a score of the check."""
    rng = random.Random(0)  # noqa: S311
    with db.write() as session:
        dataset = Dataset(name="d", class_version=1)
        raster = Raster(pixel_hash="0" * 64, width=1, height=1, channels=1, dtype="uint8", codec="png", blob=None)
        session.add_all([dataset, raster])
        session.flush()
        samples = [
            Sample(
                dataset_id=dataset.id,
                key=f"{rng.choice('ab%_')}/{i:03}",
                image_id=raster.id,
                status=rng.choice(["flagged", "unreviewed"]),
                worst=rng.choice([0.0, 0.25, 0.5]),
                split=rng.choice(["train", None]),
            )
            for i in range(60)
        ]
        session.add_all(samples)
        session.flush()
        session.add_all(
            Score(dataset_id=dataset.id, sample_id=one.id, check="c", version=1, value=rng.choice([0, 0.1, 0.95, 1]))
            for one in samples[:40]
        )
        session.flush()
        tallies.rebuild(session)
        return dataset.id


FILTERS = st.builds(
    Filter,
    status=st.sampled_from([(), ("flagged",), ("flagged", "unreviewed")]),
    check=st.sampled_from([None, "c"]),
    min=st.sampled_from([0.0, 0.1]),
    split=st.sampled_from([None, "train", "none"]),
    q=st.sampled_from([None, "a/", "%", "_"]),
    sort=st.sampled_from(["worst", "key", "newest"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=FILTERS, limit=st.integers(1, 25))
def test_pages_hold_every_match_once_in_order(db: Database, dataset: int, filter: Filter, limit: int) -> None:
    with db.read() as session:
        rows, after = [], None
        while True:
            page = browse.page(session, dataset, filter, after, limit)
            rows += page.rows
            after = page.next
            if after is None:
                break
        assert sorted(row.sample.id for row in rows) == browse.ids(session, dataset, filter)
        assert len(rows) == browse.count(session, dataset, filter)
        values = [row.value for row in rows]
        assert values == sorted(values, reverse=filter.sort != "key")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=FILTERS)
def test_a_sample_knows_its_place_and_its_neighbours(db: Database, dataset: int, filter: Filter) -> None:
    with db.read() as session:
        rows = browse.page(session, dataset, filter, limit=100).rows
        for index, row in enumerate(rows):
            counted, previous, following = browse.place(session, dataset, filter, row.sample.id)
            assert counted == index
            assert (previous.sample.id if previous else None) == (rows[index - 1].sample.id if index else None)
            expected = rows[index + 1].sample.id if index + 1 < len(rows) else None
            assert (following.sample.id if following else None) == expected


def test_text_in_the_key_is_taken_literally(db: Database, dataset: int) -> None:
    with db.read() as session:
        rows = browse.page(session, dataset, Filter(q="%/", sort="key"), limit=100).rows
    assert rows
    assert all(row.sample.key.startswith("%/") for row in rows)


def test_the_histogram_counts_every_score(db: Database, dataset: int) -> None:
    with db.read() as session:
        counts = browse.histogram(session, dataset, Filter(check="c"), bins=10)
    assert sum(counts) == 40
    assert counts[2:9] == [0] * 7


@pytest.mark.parametrize("cursor", ["", "nonsense", "bnVsbA", "WzEsMiwzXQ", "W251bGwsIDFd", "W05hTiwgMV0"])
def test_a_foreign_cursor_is_refused(db: Database, dataset: int, cursor: str) -> None:
    with db.read() as session, pytest.raises(BadCursor):
        browse.page(session, dataset, Filter(), cursor)


def test_pages_count_no_further_than_they_need(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = rows.fill(db, "large", 400)
    with db.read() as session:
        for filter in (
            Filter(),
            Filter(check="shared_mask"),
            Filter(class_id=3),
            Filter(q="nothing"),
            Filter(sort="key"),
        ):
            exact = browse.count(session, dataset, filter)
            assert browse.count_up_to(session, dataset, filter) == Count(exact)
            known = filter in (Filter(), Filter(class_id=3), Filter(sort="key"))
            upto = Count(exact) if known else Count(min(exact, 5), exact > 5)
            assert browse.count_up_to(session, dataset, filter, 5) == upto
        monkeypatch.setattr(counting, "COUNTED", 20)
        monkeypatch.setattr(counting, "DEAR", 10)
        order = browse.order(session, dataset, Filter(), 400)
        assert [browse.place(session, dataset, Filter(), order[at])[0] for at in (0, 7, 20, 300)] == [0, 7, 20, None]
        scored = Filter(sort="unusual_mask")
        order = browse.order(session, dataset, scored, 400)
        assert [browse.place(session, dataset, scored, order[at])[0] for at in (0, 7, 10, 11)] == [0, 7, 10, None]
        assert list(summary.by_split(session, dataset)) == ["test", "train", "val"]
        assert summary.checks(session, dataset) == list(summary.by_check(session, dataset)) == ["shared_mask"]


WIDE = st.builds(
    Filter,
    status=st.sampled_from([(), ("flagged",), ("unreviewed",)]),
    check=st.sampled_from([None, "shared_mask", "unusual_mask"]),
    class_id=st.sampled_from([None, 3, 99]),
    split=st.sampled_from([None, "val"]),
    min=st.sampled_from([None, 0.3]),
    max=st.sampled_from([None, 0.6]),
    q=st.sampled_from([None, "0000001", "7", "nowhere"]),
    sort=st.sampled_from([*browse.SORTS, "unusual_mask"]),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=WIDE, few=st.sampled_from([0, 10_000]), looked=st.sampled_from([7, 10_000]))
def test_however_it_is_asked_for_a_page_holds_the_same(
    large: tuple[Database, int], monkeypatch: pytest.MonkeyPatch, filter: Filter, few: int, looked: int
) -> None:
    """Whether few or many are thought to match, and where the look for a text in the keys stops."""
    db, dataset = large
    if filter.check is None:
        filter = replace(filter, min=None, max=None)
    monkeypatch.setattr(matching, "FEW", few)
    monkeypatch.setattr(walking, "LOOKED", looked)
    monkeypatch.setattr(walking, "THIN", 2)
    with db.read() as session:
        walked: list[tuple[int, float | str]] = []
        after = None
        while True:
            page = browse.page(session, dataset, filter, after, 50)
            walked += [(row.sample.id, row.value) for row in page.rows]
            after = page.next
            if after is None:
                break
        assert sorted(id for id, _ in walked) == browse.ids(session, dataset, filter)
        assert [id for id, _ in walked] == browse.order(session, dataset, filter, 400)
        assert [id for id, _ in walked] == in_parts(session, dataset, filter)
        assert [value for _, value in walked] == sorted((v for _, v in walked), reverse=filter.sort != "key")
        assert len(walked) == browse.count(session, dataset, filter)
        counted = browse.count_up_to(session, dataset, filter)
        assert counted.number == len(walked) or (counted.more and counted.number < len(walked))
        if filter.check is None and walked:
            named = {one.id: one for one in session.query(Sample).filter(Sample.id.in_([id for id, _ in walked]))}
            assert all((filter.q or "") in one.key for one in named.values())
            assert {one.status for one in named.values()} <= set(filter.status or ("flagged", "unreviewed"))


def in_parts(session: Session, dataset: int, filter: Filter) -> list[int]:
    ids, after = browse.stretch(session, dataset, filter, None, 70)
    while after is not None:
        part, after = browse.stretch(session, dataset, filter, after, 70)
        ids += part
    return ids


@pytest.fixture
def large(db: Database) -> tuple[Database, int]:
    return db, rows.fill(db, "large", 300)


def test_flags_of_replaced_masks_are_not_counted(large: tuple[Database, int]) -> None:
    """However many there are before those that count."""
    db, dataset = large
    with db.write() as session:
        flagged = browse.ids(session, dataset, Filter(check="shared_mask"))
        session.execute(update(Flag).where(Flag.sample_id.in_(flagged[:7])).values(revision_id=flagged[-1]))
    with db.read() as session:
        left = Filter(check="shared_mask")
        assert browse.ids(session, dataset, left) == flagged[7:]
        assert browse.count_up_to(session, dataset, left) == Count(len(flagged) - 7)
        assert browse.count_up_to(session, dataset, left, 3) == Count(1, more=True)


def test_the_histogram_of_a_large_set_is_made_of_a_part_of_it(
    large: tuple[Database, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, dataset = large
    monkeypatch.setattr(browse, "DRAWN", 100)
    with db.read() as session:
        counts = browse.histogram(session, dataset, Filter(check="unusual_mask"), bins=4)
    assert sum(counts) == 300
    assert {one % 3 for one in counts} == {0}
    assert min(counts) > 0
