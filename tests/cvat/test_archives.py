import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.cvat.archives.base import Archive, ArchiveKind, BadArchive, Outgoing
from app.cvat.archives.registry import read_archive, read_manifest, write_archive
from app.cvat.shapes import EllipseRule, compose
from app.cvat.wire import CantPush, label_specs, pushed_ids, settled
from app.domain.classes import ClassList
from app.domain.classes import named as named_class
from app.domain.errors import RemaskError
from app.domain.formats.source import open_source
from app.domain.mask import Mask, encode_png, pixel_hash
from tests.cvat.journey import CLASSES
from tests.cvat.recorded import colours, exported_mask
from tests.shared import shared

SIZE = (128, 64)
FILES = {
    ArchiveKind.IMAGES: "CVAT_for_images_1.1",
    ArchiveKind.MASKS: "Segmentation_mask_1.1",
    ArchiveKind.COCO: "COCO_1.0",
    ArchiveKind.DATUMARO: "Datumaro_1.0",
}
Named = npt.NDArray[np.str_]


def opened(path: Path) -> Archive:
    """An export whose pictures are all of one size, as the caller's rows would say."""
    source = open_source(path)
    names = {frame.name for frame in read_archive(source, {}).frames()}
    return read_archive(source, dict.fromkeys(names, SIZE))


def named(archive: Archive, rule: EllipseRule = EllipseRule.DRAWN) -> dict[str, Named]:
    """Frames as label names, pixel by pixel."""
    words = np.array(["background", *archive.labels])
    ids = {number: number + 1 for number in range(len(archive.labels))}
    out = {}
    for frame in archive.frames():
        assert frame.size == SIZE
        out[frame.name] = words[compose(frame.shapes, ids, frame.size[1], frame.size[0], rule).mask]
    return out


def truth() -> dict[str, Named]:
    """What was drawn, by the frames' numbers; frame 6 has a polygon, of which CVAT's own mask export is the truth."""
    held = np.load(shared("cvat/exports/edge_truth.npy"), allow_pickle=True)
    return {f"f{number:02}": frame.astype(str) for number, frame in enumerate(held) if number != 6}


@pytest.mark.parametrize("kind", list(ArchiveKind))
def test_every_edge_case_decodes_to_what_was_drawn(kind: ArchiveKind) -> None:
    """Overlaps with z-order, holes, single pixels, a checkerboard, a full frame, an empty one, unicode, dots."""
    archive = opened(shared(f"cvat/exports/v217_edge/all_{FILES[kind]}.zip"))
    assert archive.kind is kind
    assert sorted(archive.labels) == ["bedrock", "big rock", "sand", "soil"]
    got = {name[:3]: mask for name, mask in named(archive).items()}
    assert len(got) == 12
    for name, mask in truth().items():
        assert np.array_equal(got[name], mask), name


def pairs() -> Iterator[tuple[str, ArchiveKind]]:
    for prefix in ("v217_edge/all_", "v217_set20/", "sub/", "sub/img_", "capture_sdk2.80.0/", "capture_sdk2.54.0/"):
        for kind in ArchiveKind:
            if kind is not ArchiveKind.MASKS:
                yield prefix, kind


@pytest.mark.parametrize(("prefix", "kind"), list(pairs()))
def test_all_formats_of_a_task_are_one(prefix: str, kind: ArchiveKind) -> None:
    reference = named(opened(shared(f"cvat/exports/{prefix}{FILES[ArchiveKind.MASKS]}.zip")))
    got = named(opened(shared(f"cvat/exports/{prefix}{FILES[kind]}.zip")))
    assert got.keys() == reference.keys()
    for name, mask in got.items():
        assert np.array_equal(mask, reference[name]), name


@pytest.mark.parametrize("server", ["2.17", "2.54"])
@pytest.mark.parametrize("kind", list(ArchiveKind))
def test_shapes_of_all_sorts_as_the_server_drew_them(server: str, kind: ArchiveKind) -> None:
    path = shared(f"cvat/exports/shapes/{server}_{FILES[kind]}.zip")
    rule = EllipseRule.DRAWN if server == "2.17" or kind is ArchiveKind.COCO else EllipseRule.OUTLINED
    with zipfile.ZipFile(shared(f"cvat/exports/shapes/{server}_{FILES[ArchiveKind.MASKS]}.zip")) as masks:
        words = {colour: name for name, colour in colours(masks).items()}
        for name, mask in named(opened(path), rule).items():
            if kind is ArchiveKind.COCO and server == "2.54" and name in ("s02", "s03", "s07"):
                continue  # its COCO export draws ellipses the other way than its masks
            assert np.array_equal(mask, np.vectorize(words.get)(exported_mask(masks, name))), name


def test_deleted_frames_do_not_come() -> None:
    got = opened(shared("cvat/exports/capture_sdk2.80.0/deleted_frame_Segmentation_mask_1.1.zip"))
    assert [(frame.name, len(frame.shapes)) for frame in got.frames()] == [("img_00000", 4), ("img_00002", 0)]


@pytest.mark.parametrize("name", ["bg_explicit_background_black", "bg_explicit_background_blue"])
def test_a_label_called_background_is_unlabelled_in_masks(name: str) -> None:
    archive = opened(shared(f"cvat/exports/{name}.zip"))
    assert "background" not in archive.labels and any(frame.shapes for frame in archive.frames())


def test_labels_that_masks_cannot_tell_apart() -> None:
    black = opened(shared("cvat/exports/bg_a_black_label.zip"))
    assert {black.labels[shape.label] for frame in black.frames() for shape in frame.shapes} == {"bedrock"}
    with pytest.raises(BadArchive, match="bedrock and soil have one colour"):
        opened(shared("cvat/exports/bg_same_colors.zip"))


XML = (
    "<annotations><meta><label><name>rock</name></label></meta>"
    '<image name="a.png" width="4" height="3">{}</image></annotations>'
)
DATUMARO = {"info": {}, "categories": {"label": {"labels": [{"name": "rock"}]}}}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("annotations.xml", "<annotations><image>", "can't be read"),
        ("annotations.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "can't be read"),
        ("annotations.xml", XML.format('<mask label="sand" rle="0,1"/>'), "'sand', which it doesn't list"),
        ("annotations.xml", XML.format('<mask label="rock" rle="x"/>'), "other than a number"),
        ("annotations.xml", XML.format('<polygon label="rock" points="nan,1;2,3;4,5"/>'), "no picture has"),
        ("annotations/default.json", json.dumps({**DATUMARO, "items": [{"id": "a"}]}), "no labels or no items"),
        (
            "annotations/default.json",
            json.dumps({**DATUMARO, "items": [{"id": "a", "annotations": [{"type": "mask", "label_id": 3}]}]}),
            "doesn't list",
        ),
        ("annotations/i.json", '{"images":[{"id":1,"file_name":"a.png"}],"annotations":[{"image_id":1}]}', "category"),
        ("readme.txt", "hello", "none of CVAT's exports"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(RemaskError, match=reason):
        list(read_archive(open_source(tmp_path), {}).frames())


def test_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(XML.format(""))
    with pytest.raises(BadArchive, match="4 x 3 in the file and 9 x 9 here"):
        list(read_archive(open_source(tmp_path), {"a": (9, 9)}).frames())


SIDES = array_shapes(min_dims=2, max_dims=2, max_side=12)
MASKS = SIDES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 255])))


@settings(max_examples=10, deadline=None)
@given(masks=st.lists(MASKS, min_size=1, max_size=3), pictures=st.booleans(), kind=st.sampled_from(list(ArchiveKind)))
def test_what_is_written_is_read_again(
    masks: list[Mask], pictures: bool, kind: ArchiveKind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("zip") / "out.zip"
    names = ["a/höhe & <b>.png", "b.two.dots.png", "a/x.png"][: len(masks)]
    frames = [
        Outgoing(name, mask, 7 + number, f"key {number}", encode_png(mask) if pictures else None)
        for number, (name, mask) in enumerate(zip(names, masks, strict=True))
    ]
    specs = label_specs(CLASSES)
    write_archive(path, kind, frames, specs)
    source = open_source(path)
    ties = read_manifest(source)
    assert [ties[name.removesuffix(".png")].revision for name in names] == list(range(7, 7 + len(names)))
    archive = read_archive(source, {name: tie.size for name, tie in ties.items()})
    assert archive.kind is kind
    ids = {
        number: next(one.class_id for one in specs if one.name == name) for number, name in enumerate(archive.labels)
    }
    read = {frame.name: frame for frame in archive.frames()}
    assert sorted(read) == sorted(ties)
    for frame in frames:
        here = read[frame.name.removesuffix(".png")]
        got = compose(here.shapes, ids, frame.mask.shape[0], frame.mask.shape[1], EllipseRule.DRAWN)
        back = settled(got, frame.mask, CLASSES, pushed_ids(CLASSES))
        assert np.array_equal(back.mask, frame.mask)
        assert pixel_hash(back.mask) == ties[here.name].pixels
        if pictures:
            assert any(name.endswith(frame.name) and source.read(name) == frame.picture for name in source.names)
    source.close()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    frames = [Outgoing("a.png", np.eye(4, dtype=np.uint8), 1, "a")]
    for name in ("1.zip", "2.zip"):
        write_archive(tmp_path / name, ArchiveKind.MASKS, frames, label_specs(CLASSES))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_labels_that_a_labelmap_cannot_hold(tmp_path: Path) -> None:
    classes = ClassList((named_class(1, "a:b"),))
    with pytest.raises(CantPush, match="choose another format"):
        write_archive(tmp_path / "a.zip", ArchiveKind.MASKS, [], label_specs(classes))


def test_a_foreign_archive_has_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(XML.format(""))
    with pytest.raises(BadArchive, match="isn't an archive from here"):
        read_manifest(open_source(tmp_path))
    (tmp_path / "remask-manifest.csv").write_text("frame,revision\na.png,x\n")
    with pytest.raises(BadArchive, match="take it as it was written"):
        read_manifest(open_source(tmp_path))


WORDS = st.one_of(st.none(), st.integers(-2, 9), st.floats(), st.text(max_size=3))
FIELDS = st.dictionaries(
    st.sampled_from(
        ["type", "label_id", "category_id", "image_id", "rle", "segmentation", "bbox", "points", "z_order"]
    ),
    st.one_of(WORDS, st.lists(WORDS, max_size=7), st.dictionaries(st.sampled_from(["counts", "size"]), WORDS)),
)


@settings(deadline=None)
@given(annotations=st.lists(FIELDS, max_size=3), coco=st.booleans())
def test_any_annotation_is_drawn_or_refused(
    annotations: list[dict[str, object]], coco: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    document: dict[str, object] = {**DATUMARO, "items": [{"id": "a", "annotations": annotations}]}
    if coco:
        images = [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}]
        document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "rock"}]}
    (folder / "default.json").write_text(json.dumps(document))
    try:
        for frame in read_archive(open_source(folder), {"a": (8, 6)}).frames():
            compose(frame.shapes, {0: 1}, 6, 8, EllipseRule.DRAWN)
    except RemaskError:
        return
