"""Documents with anything put anywhere: what comes out is samples and named refusals, never another exception."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import RemaskError
from app.domain.formats import coco, datumaro, labelme, panoptic
from app.domain.formats.base import Format, Found, Ignored, Labelled, Refused
from tests.domain.formats.made import picture, source_of

IMAGE = {"id": 1, "file_name": "a.png", "width": 6, "height": 4}
CATEGORIES = [{"id": 1, "name": "a", "color": [1, 2, 3]}, {"id": 2, "name": "b", "role": "void"}]
RLE = {"size": [4, 6], "counts": [3, 4, 17]}
DOCUMENTS: list[tuple[Format, dict[str, Any]]] = [
    (
        coco,
        {
            "images": [IMAGE],
            "categories": CATEGORIES,
            "annotations": [
                {"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 3]]},
                {"image_id": 1, "category_id": 2, "segmentation": RLE, "iscrowd": 1},
            ],
        },
    ),
    (
        panoptic,
        {
            "images": [IMAGE],
            "categories": CATEGORIES,
            "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 0, "category_id": 1}]}],
        },
    ),
    (
        datumaro,
        {
            "categories": {
                "label": {"labels": [{"name": "a"}]},
                "mask": {"colormap": [{"label_id": 0, "r": 1, "g": 2, "b": 3}]},
            },
            "items": [
                {
                    "id": "a",
                    "image": {"path": "a.png", "size": [4, 6]},
                    "annotations": [
                        {"type": "polygon", "label_id": 0, "z_order": 0, "points": [0, 0, 3, 0, 3, 3]},
                        {"type": "mask", "label_id": 0, "z_order": 1, "rle": RLE},
                    ],
                }
            ],
        },
    ),
    (
        labelme,
        {
            "shapes": [
                {"label": "a", "shape_type": "polygon", "points": [[0, 0], [3, 0], [3, 3]]},
                {"label": "b", "shape_type": "circle", "points": [[2, 2], [3, 3]]},
                {"label": "c", "shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "iVBORw0KGgo="},
            ],
            "imagePath": "a.png",
            "imageData": None,
            "imageWidth": 6,
            "imageHeight": 4,
        },
    ),
]

junk: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, -1, 0, 1e308, float("nan"), float("inf"), -0.5, 10**30, True),
        *("", "x", "\ud800", "a\0b", "../../x", "/"),
        *([], {}, [[]], [None], [[1, 2, 3, 4, 5, 6]], {"size": [1, 1], "counts": "1"}, {"a": 1}),
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    out = copy.deepcopy(document)
    holder = out
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return out


@pytest.mark.parametrize(("format", "document"), DOCUMENTS)
@settings(max_examples=60)
@given(st.data())
def test_nothing_but_refusals(format: Format, document: dict[str, Any], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 2))):
        document = changed(document, data.draw(st.sampled_from(list(places(document)))), data.draw(junk))
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(Path(folder), {"x.json": document, "a.png": picture(6, 4)})
        try:
            for one in format.read(source, None):
                match one:
                    case Labelled():
                        assert one.mask is None or one.mask.shape == (4, 6)
                        storable(one.key)
                    case Refused():
                        storable(one.file, one.reason)
                    case Found():
                        storable(*(each.name for each in one.classes.classes))
                    case Ignored():
                        storable(one.what)
        except RemaskError as error:
            pytest.fail(f"one bad file stopped the whole import: {error}")


def storable(*texts: str) -> None:
    """What databases and pages take."""
    for text in texts:
        assert "\0" not in text
        text.encode()
