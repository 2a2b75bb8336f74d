"""Image and mask pairs from folders and zips: what is read exactly, what is refused by name, and real sets."""

import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from app.domain.classes import ClassList, named
from app.domain.formats import pairs
from app.domain.formats.base import Expected, Ignored, Labelled, Refused, UnknownColours
from app.domain.formats.source import Source, ZipSource, open_source
from app.domain.mask import encode_png
from tests.domain.formats.test_source import zipped
from tests.domain.test_mask import MASKS
from tests.domain.test_picture import packed, raw_png
from tests.shared import shared

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6)
PHOTO = packed(PIXELS, "PNG")
IDS = (PIXELS % 5).astype(np.uint8)
COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)], np.uint8)


@dataclass
class Outcome:
    classes: ClassList | None = None
    samples: dict[str, Labelled] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def ids(self) -> set[int]:
        return {int(id) for one in self.samples.values() if one.mask is not None for id in np.unique(one.mask)}

    def counts(self) -> Counter[tuple[bool, str | None]]:
        return Counter((one.mask is not None, one.split) for one in self.samples.values())


def take(source: Source, classes: ClassList | None = None) -> Outcome:
    out, expected = Outcome(), -1
    for one in pairs.read(source, classes):
        if isinstance(one, Labelled):
            assert one.key not in out.samples
            if one.mask is not None:
                assert one.mask.shape == (one.picture.height, one.picture.width)
            out.samples[one.key] = one
        elif isinstance(one, Refused):
            out.refused[one.file] = one.reason
        elif isinstance(one, Ignored):
            out.ignored.append(one.what)
        elif isinstance(one, Expected):
            expected = one.count
        else:
            assert out == Outcome(), "classes come first"
            out.classes = one.classes
    assert len(out.samples) <= expected <= len(out.samples) + len(out.refused)
    return out


def archive(entries: dict[str, bytes]) -> Source:
    return ZipSource(zipped(list(entries.items())))


@given(MASKS)
def test_any_id_map_as_index_png_comes_back_with_its_file(mask: npt.NDArray[np.generic]) -> None:
    if set(np.unique(mask)) == {0, 255}:
        return  # another rule, tested below
    data = encode_png(mask)
    one = take(archive({"images/a.png": packed(np.zeros(mask.shape, np.uint8), "PNG"), "masks/a.png": data})).samples[
        "a"
    ]
    assert one.mask is not None
    assert np.array_equal(one.mask, mask)
    assert one.original == data


@given(hnp.arrays(np.uint8, (4, 6), elements=st.integers(0, 4)), st.sampled_from(["label_colors.txt", "labelmap.txt"]))
def test_colour_coded_masks_come_back_by_the_map_beside_them(ids: npt.NDArray[np.uint8], file: str) -> None:
    form = "{r} {g} {b} class{i}\n" if file == "label_colors.txt" else "class{i}:{r},{g},{b}::\n"
    text = "".join(form.format(i=i, r=r, g=g, b=b) for i, (r, g, b) in enumerate(COLOURS.tolist()))
    out = take(archive({file: text.encode(), "images/a.png": PHOTO, "masks/a.png": encode_png(COLOURS[ids])}))
    one = out.samples["a"]
    assert one.mask is not None
    assert np.array_equal(one.mask, ids)
    assert one.original is None
    assert out.classes is not None
    assert [one.name for one in out.classes.classes] == [f"class{i}" for i in range(5)]


def test_colours_of_the_given_class_list_are_used() -> None:
    classes = ClassList(tuple(named(10 + i, f"c{i}", tuple(rgb)) for i, rgb in enumerate(COLOURS.tolist())))
    coloured = archive({"images/a.png": PHOTO, "masks/a.png": encode_png(COLOURS[IDS]), "classes.txt": b"c0\nx\n"})
    out = take(coloured, classes)
    mask = out.samples["a"].mask
    assert mask is not None
    assert np.array_equal(mask, IDS + 10)
    assert out.classes is None


def test_unknown_colours_are_asked_for_before_anything_is_read() -> None:
    coloured = archive({"images/a.png": PHOTO, "masks/a.png": encode_png(COLOURS[IDS])})
    for classes in (None, ClassList((named(0, "a"), named(1, "b", (255, 0, 0))))):
        with pytest.raises(UnknownColours, match=r"masks/a\.png: #000000, #0000ff") as caught:
            take(coloured, classes)
        assert caught.value.colours == ["#000000", "#0000ff", "#00ff00", "#090909", "#ff0000"]


def test_a_coloured_mask_beside_index_masks_is_refused_by_name() -> None:
    alpha = np.dstack([COLOURS[IDS], np.full(IDS.shape, 255, np.uint8)])
    for drawn in (COLOURS[IDS], alpha):
        masks = {f"masks/{n:03d}.png": packed(drawn, "PNG") for n in range(150)} | {"masks/075.png": encode_png(IDS)}
        out = take(archive({f"images/{n:03d}.png": PHOTO for n in range(150)} | masks))
        assert list(out.samples) == ["075"] and out.ids() == set(range(5))
        assert set(out.refused) == masks.keys() - {"masks/075.png"}
        assert "colour-coded, unlike the other masks" in out.refused["masks/000.png"]


def test_colours_that_the_map_lacks_are_refused_by_name() -> None:
    text = b"0 0 0 a\n255 0 0 b\n"
    masks = {"masks/a.png": encode_png(COLOURS[IDS]), "masks/b.png": encode_png(COLOURS[IDS % 2])}
    out = take(archive({"map/label_colors.txt": text, "images/a.png": PHOTO, "images/b.png": PHOTO, **masks}))
    assert list(out.samples) == ["b"]
    assert out.refused == {"masks/a.png": "colours #0000ff, #00ff00, #090909 are not in the colour map"}


def test_gray_rgb_masks_hold_ids() -> None:
    out = take(archive({"images/a.png": PHOTO, "masks/a.png": encode_png(np.dstack([IDS] * 3))}))
    mask = out.samples["a"].mask
    assert mask is not None
    assert np.array_equal(mask, IDS)
    coloured = archive(
        {"images/a.png": PHOTO, "masks/a.png": encode_png(np.dstack([IDS] * 3)), "labelmap.txt": b"a:9,9,9::"}
    )
    assert "a" in take(coloured).refused["masks/a.png"]


def binary(*masks: npt.NDArray[np.uint8], **more: bytes) -> Source:
    entries = {name.replace("_", "."): data for name, data in more.items()}
    for i, mask in enumerate(masks):
        entries |= {f"images/{i}.png": PHOTO, f"masks/{i}.png": encode_png(mask)}
    return archive(entries)


def test_0_and_255_alone_are_background_and_foreground() -> None:
    on, off = (IDS > 2).astype(np.uint8), np.zeros_like(IDS)
    out = take(binary(on * 255, off))
    assert out.classes == ClassList((named(0, "background"), named(1, "foreground")))
    first = out.samples["0"]
    assert first.mask is not None
    assert np.array_equal(first.mask, on)
    assert first.original is None
    assert out.samples["1"].original is not None
    out = take(binary(on * 255, off, classes_txt=b"background\nnucleus\n"))
    assert out.classes is not None
    assert out.classes.ids == {0, 1} == out.ids()
    assert take(binary(on * 255), ClassList((named(0, "background"), named(1, "nucleus")))).ids() == {0, 1}


def test_255_beside_other_ids_stays_void() -> None:
    on = (IDS > 2).astype(np.uint8)
    assert take(binary(on * 255, IDS)).ids() == {0, 1, 2, 3, 4, 255}
    assert take(binary(on)).ids() == {0, 1}
    out = take(binary(on * 255, on, classes_txt=b"background\nrock\n"))
    assert out.classes is not None
    assert out.classes.ids == {0, 1, 255}
    given = ClassList((named(0, "background"), named(1, "rock"), named(2, "sand")))
    assert take(binary(on * 255), given).refused == {"masks/0.png": "id 255 not in the class list"}


def test_every_kind_of_picture_is_kept_as_it_is() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    pictures = {
        "gray.png": (packed(PIXELS, "PNG"), (4, 6)),
        "deep.png": (packed(PIXELS.astype(np.uint16) * 2000, "PNG"), (4, 6)),
        "alpha.png": (packed(np.dstack([rgb, PIXELS]), "PNG"), (4, 6, 4)),
        "photo.JPG": (packed(rgb, "JPEG"), (4, 6, 3)),
        "tiff.tif": (packed(rgb, "TIFF"), (4, 6, 3)),
        "webp.webp": (packed(rgb, "WEBP"), (4, 6, 3)),
        "bmp.bmp": (packed(rgb, "BMP"), (4, 6, 3)),
    }
    entries = {f"images/{name}": data for name, (data, _) in pictures.items()}
    entries |= {f"masks/{name.split('.')[0]}.png": encode_png(IDS) for name in pictures}
    out = take(archive(entries))
    assert out.refused == {}
    for name, (data, shape) in pictures.items():
        one = out.samples[name.split(".")[0]]
        assert one.picture.pixels.shape == shape
        assert one.picture.original == data
        assert one.mask is not None
    assert out.samples["deep"].picture.pixels.dtype == np.uint16


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_orientation_is_not_applied_and_told_where_it_matters() -> None:
    out = take(archive({"images/a.jpg": turned(), "masks/a.png": encode_png(IDS.T), "images/b.jpg": turned(),
                        "masks/b.png": encode_png(IDS)}))  # fmt: skip
    assert list(out.samples) == ["b"]
    assert "EXIF orientation 6" in out.refused["masks/a.png"]


def test_bad_input_is_refused_by_name_and_the_rest_goes_on() -> None:
    mask = encode_png(IDS)
    bad = {
        "images/cut.png": PHOTO[:50],
        "images/note.jpg": b"not a picture",
        "images/bomb.png": raw_png(100_000, 100_000, 8, 0, bytes(100)),
        "images/size.png": PHOTO,
        "images/ids.png": PHOTO,
        "images/jpegmask.png": PHOTO,
        "images/badmask.png": PHOTO,
        "images/same.jpg": PHOTO,
        "images/same.png": PHOTO,
        "images/good.png": PHOTO,
        "images/bare.png": PHOTO,
    }
    masks = {
        "masks/cut.png": mask,
        "masks/note.png": mask,
        "masks/bomb.png": mask,
        "masks/size.png": encode_png(IDS[:3]),
        "masks/ids.png": encode_png(IDS + 3),
        "masks/jpegmask.jpg": packed(IDS, "JPEG"),
        "masks/badmask.png": mask[:60],
        "masks/same.png": mask,
        "masks/good.png": mask,
        "masks/lost.png": mask,
    }
    classes = ClassList(tuple(named(i, f"c{i}") for i in range(5)))
    out = take(archive({**bad, **masks, "README.txt": b"about", "list.json": b"{"}), classes)
    assert {key: one.mask is not None for key, one in out.samples.items()} == {
        "bare": False,
        "good": True,
        "same": True,
    }
    said = {
        "images/cut.png": "broken image",
        "images/note.jpg": "not an image",
        "images/bomb.png": "pixels",
        "masks/size.png": "the mask is 6 x 3 but its image is 6 x 4 (images/size.png)",
        "masks/ids.png": "ids 5, 6, 7 not in the class list",
        "masks/jpegmask.jpg": "not exact",
        "masks/badmask.png": "broken image",
        "images/same.png": "duplicate key",
        "masks/lost.png": "no image of that name",
    }
    assert out.refused.keys() == said.keys()
    for file, words in said.items():
        assert words in out.refused[file]


def test_ids_follow_the_names_of_the_given_list() -> None:
    given = ClassList((named(7, "sky"), named(0, "road")))
    source = archive({"images/a.png": PHOTO, "masks/a.png": encode_png(IDS % 2), "classes.txt": b"sky\nroad\n"})
    out = take(source, given)
    assert out.ids() == {0, 7}
    assert out.samples["a"].original is None


def test_a_broken_class_file_is_refused_and_the_rest_goes_on() -> None:
    out = take(archive({"images/a.png": PHOTO, "masks/a.png": encode_png(IDS), "labelmap.txt": b"a:1,2::"}))
    assert list(out.refused) == ["labelmap.txt"]
    assert list(out.samples) == ["a"]


def test_what_pairs_can_read(tmp_path: Path) -> None:
    assert pairs.detect(archive({"a.PNG": b""}))
    assert not pairs.detect(archive({"a.txt": b""}))
    (tmp_path / "a.png").write_bytes(PHOTO)
    assert list(take(open_source(tmp_path / "a.png")).samples) == ["a"]


# Real sets: how many are read, with which splits and ids.
LABELLED = True
REAL = [
    ("data/mars_real", {(LABELLED, None): 65}, {0, 1, 2, 3}),
    ("data/camvid_240x180", {(LABELLED, "train"): 367, (LABELLED, "val"): 101}, set(range(12))),
    ("data/nuclei_dsb2018", {(LABELLED, None): 117}, {0, 1}),
    ("data/marsdata", {(LABELLED, None): 79}, {0, 1}),
    ("data/formats/keras_segmentation_example", {(LABELLED, "train"): 5, (LABELLED, "test"): 3}, set(range(12))),
    ("data/formats/datumaro_assets/synthia_dataset/dataset_with_custom_labelmap", {(LABELLED, None): 2}, {1, 2, 3, 4}),
    ("data/formats/datumaro_assets/synthia_dataset/dataset_with_meta_file", {(LABELLED, None): 2}, {1, 2, 3, 4}),
    ("data/formats/datumaro_assets/common_semantic_segmentation_dataset/dataset", {(LABELLED, None): 2}, {1, 3, 4, 5}),
    (
        "data/formats/datumaro_assets/common_semantic_segmentation_dataset/non_standard_dataset",
        {(LABELLED, None): 2},
        {1, 3, 5, 7},
    ),
    (
        "data/formats/datumaro_assets/mapillary_vistas_dataset/v1.2",
        {(LABELLED, "train"): 2, (LABELLED, "val"): 1},
        {0, 1, 2},
    ),
    ("data/formats/datumaro_assets/image_zip_dataset/1.zip", {(False, None): 1}, set()),
    ("data/formats/datumaro_assets/kitti_dataset/kitti_segmentation", {(False, "train"): 2}, set()),
]


@pytest.mark.parametrize(("name", "counts", "ids"), REAL, ids=[name for name, _, _ in REAL])
def test_real_sets(name: str, counts: dict[tuple[bool, str | None], int], ids: set[int]) -> None:
    source = open_source(shared(name))
    out = take(source)
    source.close()
    assert out.counts() == counts
    assert out.ids() == ids
    assert out.refused == {}


def test_corrected_nuclei_masks_beside_the_given_ones_are_ignored() -> None:
    out = take(open_source(shared("data/nuclei_dsb2018")))
    assert out.ignored == ["54 files in masks_fixed/"]
    assert all(one.file.startswith("images/") and one.original for one in out.samples.values())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("data/formats/colour_masks_png", 9),
        ("data/formats/datumaro_assets/camvid_dataset", 8),
        ("data/formats/datumaro_assets/synthia_dataset/color_segm_dataset", 4),
        ("data/formats/datumaro_assets/ade20k2020_dataset/dataset", 3),
    ],
)
def test_real_colour_coded_sets_without_a_map_ask_for_one(name: str, count: int) -> None:
    with pytest.raises(UnknownColours) as caught:
        take(open_source(shared(name)))
    assert len(caught.value.colours) == count


def test_a_real_colour_coded_set_is_read_by_a_given_list() -> None:
    colours = ["000000", "0000ff", "00ff00", "8000ff", "808080", "80ffff", "ff0000", "ff8000", "ffff00"]
    rgbs = [tuple(bytes.fromhex(one)) for one in colours]
    classes = ClassList(tuple(named(i, f"class {i}", rgb) for i, rgb in enumerate(rgbs)))  # type: ignore[arg-type]
    out = take(open_source(shared("data/formats/colour_masks_png")), classes)
    assert out.counts() == {(True, "train"): 5, (True, "val"): 4}
    assert out.ids() == set(range(9))
    assert out.refused == {}
    assert out.ignored == ["1 file in output/README_media/"]


def test_16_bit_colour_masks_of_synthia_are_refused_not_misread() -> None:
    out = take(open_source(shared("data/formats/datumaro_assets/synthia_dataset/labels_segm_dataset")))
    assert len(out.refused) == 4
    assert all("16-bit" in reason for reason in out.refused.values())
