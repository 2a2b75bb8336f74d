"""Split lists, and how names in them are looked up."""

import pytest

from app.domain.formats.source import ZipSource
from app.domain.formats.splits import Names, lists_of, split_of
from tests.domain.formats.test_source import zipped


@pytest.mark.parametrize(
    ("word", "split"), [("Train", "train"), ("valid", "val"), ("validation", "val"), ("TEST", "test"), ("data", None)]
)
def test_words_tell_splits(word: str, split: str | None) -> None:
    assert split_of(word) == split


def test_lists_are_found_by_name() -> None:
    source = ZipSource(
        zipped([
            ("train.txt", b"\xef\xbb\xbfa\n\nb\n"),
            ("ImageSets/Segmentation/val.txt", b"c d\r\n"),
            ("lists/test_ids.txt", b"e"),
            ("readme.txt", b"f"),
            ("trainval.txt", b"g"),
        ])
    )  # fmt: skip
    assert lists_of(source) == {"train": [["a"], ["b"]], "val": [["c", "d"]], "test": [["e"]]}


def test_names_are_found_by_path_tail_or_stem() -> None:
    names = Names(["images/train/a.jpg", "images/val/a.jpg", "images/val/b.x.png"])
    assert names.find("/data/set/images/val/a.jpg") == ["images/val/a.jpg"]
    assert names.find("val/a") == ["images/val/a.jpg"]
    assert names.find("a") == ["images/train/a.jpg", "images/val/a.jpg"]
    assert names.find("..\\val\\b.x") == ["images/val/b.x.png"]
    assert names.find("nothing") == []
    assert names.find("") == []
