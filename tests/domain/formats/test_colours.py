"""Files of class names and colours, in the ways people write them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.classes import ClassList, Role, named
from app.domain.formats.colours import Table, fitted, in_words_of, read_table
from app.domain.formats.index import pack
from app.domain.formats.source import ZipSource
from app.domain.mask import BadMask
from tests.domain.formats.test_source import zipped

SKY, ROAD = (128, 128, 128), (0, 1, 255)


def table(file: str, text: str) -> Table:
    found, refused = read_table(ZipSource(zipped([(file, text.encode())])))
    assert refused == []
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("label_colors.txt", "128 128 128 Sky\n0 1 255\t Road way\n"),
        ("label_colors.txt", "Sky 128 128 128\nRoad way 0 1 255"),
        ("set/label_colours.txt", "# a comment\nSky: 128, 128, 128\nRoad way: 0, 1, 255 # grey"),
        ("label_colors.txt", "0 128 128 128 Sky\n1 0 1 255 Road way\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nSky:128,128,128::\nRoad way:0,1,255::\n"),
        ("class_dict.csv", "name,r,g,b\nSky,128,128,128\nRoad way,0,1,255\n"),
        ("colormap.csv", "Red, Green, Blue, Class\n128, 128, 128, Sky\n0, 1, 255, Road way\n"),
        ("classes.csv", "id,name,role,colour\n0,Sky,foreground,#808080\n1,Road way,foreground,#0001ff\n"),
        ("classes.csv", "\ufeffid;name;role;colour\r\n0;Sky;foreground;#808080\r\n1;Road way;foreground;#0001ff\r\n"),
        ("class_dict.csv", "name;r;g;b\nSky;128;128;128\nRoad way;0;1;255\n"),
        (
            "dataset_meta.json",
            json.dumps({"label_map": {"0": "Sky", "1": "Road way"}, "segmentation_colors": [SKY, ROAD]}),
        ),
    ],
)
def test_names_and_colours(file: str, text: str) -> None:
    found = table(file, text)
    assert found.file == file
    assert [(one.id, one.name, one.rgb) for one in found.classes.classes] == [(0, "Sky", SKY), (1, "Road way", ROAD)]
    assert found.colours == {pack(SKY): 0, pack(ROAD): 1}
    assert found.numbered


@pytest.mark.parametrize(
    ("file", "text", "ids"),
    [
        ("classes.txt", "rock\nsand\n", {"rock": 0, "sand": 1}),
        ("class_names.txt", "_background_\ntv/monitor", {"_background_": 0, "tv/monitor": 1}),
        ("labels.txt", "3: rock\n7: big sand", {"rock": 3, "big sand": 7}),
        ("_classes.csv", "Pixel Value, Class\n0, background\n4, rock\n", {"background": 0, "rock": 4}),
        ("labelmap.txt", "background:::\nrock:::", {"background": 0, "rock": 1}),
        ("dataset_meta.json", '{"label_map": {"0": "a", "9": "b"}}', {"a": 0, "b": 9}),
        ("classes.json", '[{"id": 0, "name": "a"}, {"id": 2, "name": "b"}]', {"a": 0, "b": 2}),
    ],
)
def test_names_alone(file: str, text: str, ids: dict[str, int]) -> None:
    assert {one.name: one.id for one in table(file, text).classes.classes} == ids


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20, unique=True))
def test_any_colours_are_read_back(colours: list[tuple[int, int, int]]) -> None:
    for text in (
        "\n".join(f"{r} {g} {b} class_{i}" for i, (r, g, b) in enumerate(colours)),
        "\n".join(f"class_{i}\t{r}\t{g}\t{b}" for i, (r, g, b) in enumerate(colours)),
    ):
        assert table("label_colors.txt", text).colours == {pack(one): i for i, one in enumerate(colours)}


def test_one_name_may_have_two_colours() -> None:
    found = table("label_colors.txt", "1 1 1 car\n2 2 2 road\n3 3 3 car\n")
    assert found.colours == {0x010101: 0, 0x020202: 1, 0x030303: 0}
    assert len(found.classes.classes) == 2


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("label_colors.txt", "Sky\n", "no colour of three numbers"),
        ("label_colors.txt", "1 2 3\n", "no name"),
        ("label_colors.txt", "1 2 300 Sky\n", "0..255"),
        ("labelmap.txt", "sky:1,2::\n", "name:r,g,b::"),
        ("class_dict.csv", "r,g,b\n1,2,3\n", "no column called name"),
        ("class_dict.csv", "name,r,g,b\nsky,1\n", "fewer cells"),
        ("class_dict.csv", "name,r,g,b\nsky,x,1,2\n", "0..255"),
        ("_classes.csv", "Pixel Value,Class\n-,a\n", "not an id"),
        ("dataset_meta.json", "[1]", "no list of classes"),
        ("dataset_meta.json", "{", "no list of classes"),
        ("classes.json", "{", "not valid JSON"),
        ("classes.txt", "\n", "names no class"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(file: str, text: str, said: str) -> None:
    found, refused = read_table(ZipSource(zipped([(file, text.encode())])))
    assert found is None
    assert [one.file for one in refused] == [file]
    assert said in refused[0].reason


def test_the_next_file_is_taken_where_one_is_broken() -> None:
    found, refused = read_table(ZipSource(zipped([("labelmap.txt", b"sky:1::"), ("a/classes.txt", b"sky\n")])))
    assert found is not None
    assert found.file == "a/classes.txt"
    assert [one.file for one in refused] == ["labelmap.txt"]
    assert read_table(ZipSource(zipped([("other.txt", b"sky")]))) == (None, [])


def test_plain_names_move_up_where_the_masks_hold_a_background() -> None:
    plain = table("classes.txt", "rock\nsand")
    assert fitted(plain, {0, 1}) is plain
    moved = fitted(plain, {0, 1, 2, 255}).classes
    assert [(one.id, one.name) for one in moved.classes] == [(0, "background"), (1, "rock"), (2, "sand")]
    assert moved.classes[0].role is Role.BACKGROUND
    whole = table("classes.txt", "background\nsand")
    assert fitted(whole, {0, 2}) is whole


def test_ids_follow_names() -> None:
    own = table("classes.txt", "sky\nroad\ntree")
    given = ClassList((named(5, "sky"), named(300, "road")))
    mask = np.array([[0, 1, 255]], np.uint8)
    assert in_words_of(mask, own, given).tolist() == [[5, 300, 255]]
    with pytest.raises(BadMask, match=r"class tree \(2\) not in the class list"):
        in_words_of(mask + np.uint8(1), own, given)
    strangers = ClassList((named(0, "a"), named(1, "b")))
    assert in_words_of(mask, own, strangers) is mask
    assert in_words_of(mask, own, own.classes) is mask
