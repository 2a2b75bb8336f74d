import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.classes import ClassList, named
from app.domain.formats import labelme, voc
from app.domain.formats.source import open_source
from tests.domain.formats.made import outcome, picture, png, source_of
from tests.shared import shared


def shape(label: str, points: Any, kind: str | None = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, **more}


def document(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "5.0", "shapes": list(shapes), "imagePath": "a.png", "imageData": None} | more


def files(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"a.json": document(*shapes, **more), "a.png": picture(6, 5)}


def test_every_kind_of_area(tmp_path: Path) -> None:
    drawn = png(np.array([[255, 0], [255, 255]], np.uint8))
    shapes = (
        shape("a", [[0, 0], [1, 0], [1, 1], [0, 1]]),
        shape("b", [[5, 1], [4, 0]], "rectangle"),
        shape("c", [[1, 3], [1, 4]], "circle"),
        shape("d", [[4, 3], [5, 4]], "mask", mask=base64.b64encode(drawn).decode()),
        shape("e", [[0, 0], [1, 1]], "line"),
        shape("e", [[0, 0]], "point"),
        shape("e", [[0, 0], [1, 1], [2, 2]], "linestrip"),
    )
    source = source_of(tmp_path, files(*shapes))
    assert labelme.detect(source)
    got = outcome(labelme, source)
    assert got.names() == {0: "background", 1: "a", 2: "b", 3: "c", 4: "d"}
    assert got.mask("a") == [
        [1, 1, 0, 0, 2, 2],
        [1, 1, 0, 0, 2, 2],
        [0, 3, 0, 0, 0, 0],
        [3, 3, 3, 0, 4, 0],
        [0, 3, 0, 0, 4, 4],
    ]
    assert got.ignored == ["2 polylines", "1 point"]


def test_later_shapes_lie_on_top(tmp_path: Path) -> None:
    whole = [[0, 0], [5, 0], [5, 4], [0, 4]]
    got = outcome(labelme, source_of(tmp_path, files(shape("a", whole[:3]), shape("b", whole, None))))
    assert got.mask("a") == [[2] * 6] * 5
    assert got.samples["a"].overlapped > 10


def test_names_in_a_list_keep_their_order(tmp_path: Path) -> None:
    whole = [[0, 0], [5, 0], [5, 4], [0, 4]]
    listed = {"labels.txt": "__ignore__\n_background_\nzebra\nant\n"}
    got = outcome(labelme, source_of(tmp_path, files(shape("ant", whole), shape("__ignore__", whole)) | listed))
    assert got.names() == {0: "_background_", 1: "zebra", 2: "ant", 255: "__ignore__"}
    assert got.mask("a") == [[255] * 6] * 5


def test_pictures_beside_inside_and_without_a_json(tmp_path: Path) -> None:
    inside = base64.b64encode(picture(6, 5)).decode()
    made = {
        "sub/a.json": document(),
        "sub/a.png": picture(6, 5),
        "sub/b.json": document(imagePath="..\\elsewhere\\b.jpg", imageData=inside),
        "sub/c.json": document(imagePath="gone.png"),
        "sub/d.json": document(imagePath="gone.png", imageData="!"),
        "sub/e.png": picture(6, 5),
        "other/f.png": picture(6, 5),
    }
    got = outcome(labelme, source_of(tmp_path, made))
    assert {key: one.mask is not None for key, one in got.samples.items()} == {
        "sub/a": True,
        "sub/b": True,
        "sub/e": False,
    }
    assert got.refused["sub/c.json"] == "the image gone.png is not in the source, nor inside the JSON"
    assert set(got.refused) == {"sub/c.json", "sub/d.json"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (shape("a", [[0, 0], [1, 1]]), "three points"),
        (shape("a", [[0, 0], [1, 1], [float("nan"), 2]]), "finite"),
        (shape("a", [[0, 0], [1, 1], [1e7, 2]]), "beyond"),
        (shape("a", [[0, 0]], "circle"), "three points"),
        (shape("a", [[5, 4], [6, 5]], "mask", mask=base64.b64encode(picture(2, 2)).decode()), "a mask at 5, 4"),
        (shape("a", [[0, 0], [1, 1]], "mask", mask="AAAA"), "not an image"),
        (shape("a", [[0, 0], [1, 1]], "mask"), "not valid base64|not an image"),
        (shape("", [[0, 0], [1, 1], [2, 0]]), "category ''"),
    ],
)
def test_bad_shapes_refuse_their_file(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    got = outcome(labelme, source_of(tmp_path, files(bad)))
    assert any(part in got.refused["a.json"] for part in reason.split("|"))


def test_sizes_files_and_lists(tmp_path: Path) -> None:
    made = files(imageWidth=100_000, imageHeight=100_000) | {"b.json": {"shapes": 3}, "c.json": b"{"}
    got = outcome(labelme, source_of(tmp_path, made))
    assert got.refused["a.json"] == "the annotations say 100000 x 100000 pixels, the picture has 6 x 5"
    assert got.refused["b.json"] == "no LabelMe annotations: it has no list of shapes"
    assert got.refused["c.json"].startswith("unreadable JSON")
    given = ClassList((named(0, "background"), named(8, "rock")))
    whole = [[0, 0], [5, 0], [5, 4], [0, 4]]
    got = outcome(labelme, source_of(tmp_path / "g", files(shape("rock", whole))), given)
    assert got.mask("a") == [[8] * 6] * 5
    got = outcome(labelme, source_of(tmp_path / "h", files(shape("boat", whole))), given)
    assert got.refused == {"a.json": "class boat is not in the class list"}


@pytest.mark.parametrize("kind", ["semantic_segmentation", "instance_segmentation"])
def test_pixels_are_those_of_labelmes_own_export(kind: str) -> None:
    """One pixel of 544,000 differs: Pillow has moved the edge of one polygon since that export was made."""
    drawn = outcome(labelme, open_source(shared(f"data/formats/labelme_examples/{kind}/data_annotated")))
    reference = outcome(voc, open_source(shared(f"data/formats/labelme_examples/{kind}/data_dataset_voc")))
    same = {"_background_": "background", "__ignore__": "void"}
    names = {id: same.get(name, name) for id, name in drawn.names().items()}
    others = {id: same.get(name, name) for id, name in reference.names().items()}
    differing = 0
    for key, one in drawn.samples.items():
        ours = np.vectorize(names.get)(one.mask)
        differing += int((ours != np.vectorize(others.get)(reference.samples[key].mask)).sum())
    assert drawn.counts == reference.counts == (3, 0, 0)
    assert differing <= 1


@pytest.mark.parametrize(
    ("name", "counts"), [("labelme_examples/tutorial", (1, 0, 0)), ("datumaro_assets/labelme_dataset", (0, 0, 1))]
)
def test_real_samples(name: str, counts: tuple[int, int, int]) -> None:
    source = open_source(shared(f"data/formats/{name}"))
    assert labelme.detect(source)
    assert outcome(labelme, source).counts == counts


def test_the_old_web_tool_is_named(tmp_path: Path) -> None:
    old = "<annotation><object><polygon><pt><x>1</x></pt></polygon></object></annotation>"
    got = outcome(labelme, source_of(tmp_path, {"a.xml": old, "a.png": picture(2, 2)}))
    assert "old LabelMe web tool" in got.refused["a.xml"]
    assert json.dumps(got.ignored) == "[]"
