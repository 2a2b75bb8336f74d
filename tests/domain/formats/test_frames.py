from collections import Counter
from pathlib import Path

import pytest

from app.domain.formats.frames import (
    BadDocument,
    Frames,
    clean,
    ignored,
    peek,
    read_json,
    split_folder,
    split_in,
    stated_size,
    wrapper,
)
from tests.domain.formats.made import picture, source_of


def frames(folder: Path, *names: str) -> Frames:
    return Frames(source_of(folder, {name: picture(2, 2) for name in names}))


def test_pictures_are_found_by_the_tail_of_what_a_file_says(tmp_path: Path) -> None:
    found = frames(tmp_path, "images/train/a.jpg", "images/val/a.jpg", "images/b x.PNG", "c.tif")
    assert found.find("/home/someone/images/val/a.jpg") == "images/val/a.jpg"
    assert found.find("C:\\data\\train\\a.jpg") == "images/train/a.jpg"
    assert found.find("a.jpg", ["val"]) == "images/val/a.jpg"
    assert found.find("b x.png") == "images/b x.PNG"
    assert found.find("c") == "c.tif"
    assert found.find("./c.tif") == "c.tif"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("a.jpg", "could be any of"),
        ("z.jpg", "not in the source"),
        ("c.jpg", "not in the source"),
        ("", "no name"),
        ("../..", "no name"),
    ],
)
def test_pictures_that_are_not_there_or_not_clear_are_refused(tmp_path: Path, wanted: str, reason: str) -> None:
    with pytest.raises(BadDocument, match=reason):
        frames(tmp_path, "images/train/a.jpg", "images/val/a.jpg", "c.tif").find(wanted)


def test_keys_keep_folders_that_say_something(tmp_path: Path) -> None:
    taken = frames(tmp_path, "set/images/train/a.jpg", "set/train/a.png", "set/JPEGImages/sub/f10.two.dots.png")
    assert taken.claim("set/images/train/a.jpg") == "train/a"
    assert taken.claim("set/JPEGImages/sub/f10.two.dots.png") == "sub/f10.two.dots"
    with pytest.raises(BadDocument, match="second picture with the key train/a"):
        taken.claim("set/train/a.png")


def test_wrapping_folders() -> None:
    assert wrapper(["set/a/1.png", "set/b/2.png"]) == 1
    assert wrapper(["a/1.png", "b.json"]) == 0
    assert wrapper(["a/b/1.png"]) == 2
    assert wrapper([]) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "unreadable JSON: Expecting"),
        (b"[" * 200_000, "nested too deeply"),
        (b"\xff\xfe\xfa", "unreadable JSON"),
        (b"1" * 5000, "unreadable JSON"),
        (b"", "unreadable JSON"),
    ],
)
def test_bad_json_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(BadDocument, match=reason):
        read_json(source_of(tmp_path, {"a.json": content}), "a.json")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert read_json(source_of(tmp_path, {"a.json": b"\xef\xbb\xbf[1]"}), "a.json") == [1]


def test_sizes(tmp_path: Path) -> None:
    one = frames(tmp_path, "a.png")
    assert one.open("a.png", (2, 2)).width == 2
    with pytest.raises(BadDocument, match="say 100000 x 100000 pixels, the picture has 2 x 2"):
        one.open("a.png", stated_size(100_000, 100_000))
    assert stated_size(None, 3) is None
    assert stated_size(float("nan"), 3) is None
    assert stated_size("4", 3) is None


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("annotations/instances_default.json", None),
        ("valid/a.jpg", "val"),
        ("training_day/a.jpg", None),
        ("instances_training_day.json", "train"),
        ("constraint.json", None),
        ("Test/x.png", "test"),
    ],
)
def test_splits_in_names(name: str, split: str | None) -> None:
    assert split_in(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train2017/a.jpg", "train"),
        ("images/val/train_1.jpg", "val"),
        ("leftImg8bit/train_extra/city/a.png", "train"),
        ("training_set/test_07.png", None),
        ("my_test/a.png", None),
        ("train.png", None),
    ],
)
def test_splits_of_folders(name: str, split: str | None) -> None:
    assert split_folder(name) == split


def test_halves_of_characters_are_never_taken_for_another_name(tmp_path: Path) -> None:
    found = frames(tmp_path, "ab.png", "a?b.png")
    for wanted in ("a\0b.png", "a\ud800b.png"):
        assert clean(wanted) == "a\ufffdb.png"
        with pytest.raises(BadDocument, match="not in the source"):
            found.find(clean(wanted))


def test_what_is_ignored_is_counted_in_words() -> None:
    counts = Counter({"box": 3, "tag": 1, "polygon of fewer than three points": 2})
    assert [one.what for one in ignored(counts)] == ["3 boxes", "2 polygons of fewer than three points", "1 tag"]


def test_peek_looks_at_few_files_near_the_root(tmp_path: Path) -> None:
    source = source_of(tmp_path, {f"deep/{n}.json": [n] for n in range(30)} | {"z.json": ["first"]})
    heads = list(peek(source, "*.json"))
    assert len(heads) == 20
    assert heads[0] == b'["first"]'
