from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.errors import Refused
from ml.snapshot import Row, Snapshot, read, write
from ml.split import deal, verify
from tests.ml.made import CLASSES, made, samples


def opened(tmp_path: Path, **changes: object) -> Snapshot:
    """A sound snapshot whose sample train/000 is changed."""
    all_of_them = (
        replace(one, **changes) if one.key == "train/000" else one  # type: ignore[arg-type]
        for one in samples({"train": 3, "val": 2, "test": 2})
    )
    return read(write(tmp_path, all_of_them, CLASSES)[1])


def test_a_sound_snapshot_passes(tmp_path: Path) -> None:
    assert verify(opened(tmp_path)) == []


def test_a_shared_group_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"group val/001 is in train \(train/000\) and in val \(val/001\)"):
        verify(opened(tmp_path, group="group val/001"))


def test_a_group_in_no_split_leaks_nothing(tmp_path: Path) -> None:
    assert verify(opened(tmp_path, group="group val/001", split=None)) == []


def test_a_pseudo_label_never_judges(tmp_path: Path) -> None:
    assert verify(opened(tmp_path, kind="pseudo")) == []
    with pytest.raises(Refused, match="train/000 in val has a pseudo-label"):
        verify(opened(tmp_path, kind="pseudo", split="val"))


@pytest.mark.parametrize("missing", ["train", "val"])
def test_no_labelled_samples(tmp_path: Path, missing: str) -> None:
    counts = {"train": 3, "val": 2}
    del counts[missing]
    with pytest.raises(Refused, match=f"no labelled samples in {missing}"):
        verify(read(made(tmp_path, counts)))  # type: ignore[arg-type]


def test_one_class_only(tmp_path: Path) -> None:
    flat = (replace(one, mask=one.mask * 0 + 1) for one in samples({"train": 3, "val": 2}) if one.mask is not None)
    with pytest.raises(Refused, match="at least two classes to tell apart, and train holds only soil"):
        verify(read(write(tmp_path, flat, CLASSES)[1]))


def test_background_left_out_may_leave_one_class(tmp_path: Path) -> None:
    few = (replace(one, mask=one.mask.clip(0, 1)) for one in samples({"train": 3, "val": 2}) if one.mask is not None)
    snapshot = read(write(tmp_path, few, CLASSES)[1])
    assert verify(snapshot) == [
        "No pixel of rock in train: it can't be learned.",
        "No pixel of rock in val: it isn't measured there.",
    ]
    with pytest.raises(Refused, match="holds only soil"):
        verify(snapshot, ignore_background=True)


def row(key: str, group: str, pixels: dict[int, int]) -> Row:
    return Row(key, group, "train", "label", (1, 1, 1), pixels, [], [], None)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 4))), min_size=1), st.integers(2, 5), st.integers()
)
def test_folds_keep_groups_whole(given_rows: list[tuple[int, set[int]]], folds: int, seed: int) -> None:
    rows = [row(f"{at}", f"{group}", dict.fromkeys(ids, 9)) for at, (group, ids) in enumerate(given_rows)]
    groups = {one.group for one in rows}
    if len(groups) < folds:
        with pytest.raises(Refused, match="ask for fewer folds"):
            deal(rows, folds, seed)
        return
    dealt = deal(rows, folds, seed)
    assert dealt.keys() == groups
    assert dealt == deal(list(reversed(rows)), folds, seed)


def test_folds_are_of_like_size_and_share_the_rare_class() -> None:
    rows = [row(f"{at}", f"{at}", {0: 5, 1: 5} if at % 10 == 0 else {0: 5}) for at in range(100)]
    dealt = deal(rows, 5, seed=1)
    assert set(Counter(dealt.values()).values()) == {20}
    assert set(Counter(dealt[f"{at}"] for at in range(0, 100, 10)).values()) == {2}
