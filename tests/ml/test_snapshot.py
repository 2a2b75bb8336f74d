from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.errors import Refused
from ml.snapshot import Class, Sample, read, write
from tests.ml.made import CLASSES, made, samples


def one(**changes: object) -> Sample:
    facts: dict[str, object] = {
        "key": "a",
        "group": "g",
        "split": "train",
        "kind": "label",
        "image": np.zeros((4, 6), np.uint8),
        "mask": np.ones((4, 6), np.uint8),
    }
    return Sample(**{**facts, **changes})  # type: ignore[arg-type]


@st.composite
def drawn_samples(draw: st.DrawFn) -> list[Sample]:
    found = []
    for key in draw(st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True)):
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        channels = draw(st.sampled_from([None, 1, 3, 5]))
        shape = (height, width) if channels is None else (height, width, channels)
        kind = draw(st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]))
        image = draw(arrays(kind, shape))
        labelled = draw(st.booleans())
        ids = st.sampled_from([0, 1, 2, 255])
        mask = draw(arrays(draw(st.sampled_from([np.uint8, np.uint16])), (height, width), elements=ids))
        weight = draw(arrays(np.float32, (height, width), elements=st.floats(0, 1, width=32)))
        found.append(
            Sample(
                key,
                draw(st.text(max_size=4)),
                draw(st.sampled_from(["train", "val", "test", None])),
                draw(st.sampled_from(["label", "pseudo"])) if labelled else None,
                image,
                mask if labelled else None,
                weight if labelled and draw(st.booleans()) else None,
            )
        )
    return found


@settings(max_examples=40, deadline=None)
@given(drawn_samples())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, given_samples: list[Sample]) -> None:
    folder = tmp_path_factory.mktemp("set")
    hash, path = write(folder, given_samples, CLASSES, {"query": "all"})
    assert path.name == f"{hash}.snapshot"
    assert write(folder / "again.snapshot", given_samples, CLASSES, {"query": "all"})[0] == hash
    assert (folder / "again.snapshot").read_bytes() == path.read_bytes()
    snapshot = read(path)
    assert (snapshot.hash, snapshot.classes, snapshot.meta) == (hash, CLASSES, {"query": "all"})
    assert len(snapshot.rows) == len(given_samples)
    for row, sample in zip(snapshot.rows, given_samples, strict=True):
        assert (row.key, row.group, row.split, row.kind) == (sample.key, sample.group, sample.split, sample.kind)
        image = snapshot.image(row)
        assert image.dtype == sample.image.dtype
        assert image.tobytes() == sample.image.tobytes()
        assert image.shape == (*sample.image.shape[:2], sample.image.shape[2] if sample.image.ndim == 3 else 1)
        if sample.mask is not None:
            np.testing.assert_array_equal(snapshot.mask(row), sample.mask)
            assert snapshot.mask(row).dtype == sample.mask.dtype
            assert sum(row.pixels.values()) == sample.mask.size
        weight = snapshot.weight(row)
        assert (weight is None) == (sample.weight is None)
        if weight is not None and sample.weight is not None:
            np.testing.assert_array_equal(weight, sample.weight)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, where: float, change: int) -> None:
    path = made(tmp_path_factory.mktemp("set"), {"train": 2})
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= change
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"damaged|no remask snapshot file"):
        read(path)


def test_a_cut_short_file_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, {"train": 2})
    whole = path.read_bytes()
    for length in (0, 10, 200, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(Refused, match=r"too short|damaged|no remask"):
            read(path)
    with pytest.raises(Refused, match="can't be read"):
        read(tmp_path / "missing")


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (one(image=np.zeros((4, 6), np.float64)), "float64"),
        (one(image=np.zeros((4,), np.uint8)), "has to be"),
        (one(mask=np.ones((4, 5), np.uint8)), "The mask of a has to be"),
        (one(mask=np.full((4, 6), 7, np.uint8)), "holds class 7"),
        (one(kind=None), "kind label or pseudo"),
        (one(split="training"), "'training'"),
        (one(weight=np.full((4, 6), -1.0, np.float32)), "The weights of a"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_leaves_nothing(tmp_path: Path, sample: Sample, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        write(tmp_path, [sample], CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_keys_and_classes_are_given_once(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="given twice"):
        write(tmp_path, [one(), one()], CLASSES)
    with pytest.raises(Refused, match="id twice"):
        write(tmp_path, [one()], (*CLASSES, CLASSES[0]))
    with pytest.raises(Refused, match="none of foreground"):
        write(tmp_path, [one()], (Class(0, "sky", "backdrop", "#000000"),))


def test_other_splits(tmp_path: Path) -> None:
    snapshot = read(made(tmp_path, {"train": 2, "val": 1}))
    changed = snapshot.with_splits({"train/000": "val"})
    assert [row.split for row in changed.rows] == ["val", None, None]
    with pytest.raises(Refused, match="sample nobody"):
        snapshot.with_splits({"nobody": "val"})
    assert len(list(samples({"train": 2}))) == 2
