from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.domain.splits import HELD_OUT, SHARES, Dealt, deal

SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 12).map(str),
        st.sampled_from([None, None, None, "train", "val", "test", HELD_OUT]),
        st.frozensets(st.integers(0, 4), max_size=3),
    ),
    max_size=60,
).map(lambda rows: [Dealt(i, *row) for i, row in enumerate(rows)])


@given(SAMPLES)
def test_no_group_is_in_two_splits_and_every_sample_is_dealt(samples: list[Dealt]) -> None:
    dealt = deal(samples)
    assert dealt.keys() == {one.id for one in samples}
    for group in {one.group for one in samples}:
        splits = {dealt[one.id] for one in samples if one.group == group}
        assert len(splits - {HELD_OUT}) <= 1


@given(SAMPLES)
def test_a_split_stays_or_is_held_out(samples: list[Dealt]) -> None:
    dealt = deal(samples)
    for one in samples:
        if one.split in SHARES:
            assert dealt[one.id] in (one.split, HELD_OUT)
    again = deal([Dealt(one.id, one.group, dealt[one.id], one.classes) for one in samples])
    assert again == dealt


@given(SAMPLES, st.randoms())
def test_the_order_of_the_samples_does_not_matter(samples: list[Dealt], random: object) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert deal(shuffled) == deal(samples)


def test_a_newcomer_inherits_its_groups_split() -> None:
    dealt = deal([Dealt(1, "a", "test", frozenset()), Dealt(2, "a", None, frozenset())])
    assert dealt == {1: "test", 2: "test"}


def test_the_later_side_of_a_leaking_list_is_held_out() -> None:
    samples = [Dealt(i, "a", split, frozenset()) for i, split in enumerate(["train", "val", "train"])]
    assert deal(samples) == {0: HELD_OUT, 1: "val", 2: HELD_OUT}


def test_shares_are_met_and_a_rare_class_is_everywhere() -> None:
    samples = [Dealt(i, str(i), None, frozenset({0, 9} if i % 50 == 0 else {0})) for i in range(400)]
    dealt = deal(samples)
    sizes = Counter(dealt.values())
    for split, share in SHARES.items():
        assert abs(sizes[split] - share * 400) <= 2
        assert any(9 in one.classes and dealt[one.id] == split for one in samples)
