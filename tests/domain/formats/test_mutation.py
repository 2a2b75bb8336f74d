"""Real files with a few bytes changed, cut or put in: pictures or named refusals come out, never another exception."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.domain.errors import RemaskError
from app.domain.formats import registry
from app.domain.formats.base import Labelled
from app.domain.formats.source import open_source
from app.domain.mask import BadMask, decode_ids
from app.domain.picture import BadPicture, decode, to_display
from tests.domain.formats.bombs import coco, labelme, npz, saved
from tests.domain.formats.made import picture

GRADIENT = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def image(kind: str, mode: str) -> bytes:
    pixels = Image.fromarray(GRADIENT * 100) if mode == "I;16" else Image.fromarray(GRADIENT.astype(np.uint8))
    out = io.BytesIO()
    (pixels if mode == "I;16" else pixels.convert(mode)).save(out, kind)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


PICTURES = {
    f"{kind} {mode}": image(kind, mode)
    for kind, mode in (
        *(("PNG", "L"), ("PNG", "I;16"), ("PNG", "P"), ("PNG", "RGBA"), ("TIFF", "L"), ("TIFF", "I;16")),
        *(("JPEG", "RGB"), ("WEBP", "RGB"), ("BMP", "P"), ("GIF", "P")),
    )
}
ARRAYS = {"training_set": saved(GRADIENT.astype(np.uint8).reshape(2, 2, 10, 15) % 5)}
CVAT = (
    b'<annotations><version>1.1</version><image id="0" name="a.png" width="6" height="4">'
    b'<polygon label="a" points="0,0;3,0;3,3"/></image></annotations>'
)
ARCHIVES = {
    "set.npz": npz(**ARRAYS),
    "pairs.zip": zipped({"images/a.png": picture(6, 4), "masks/a.png": picture(6, 4)}),
    "coco.zip": zipped({"a.json": coco({"segmentation": [[0, 0, 3, 0, 3, 3]]}), "a.png": picture(6, 4)}),
    "labelme.zip": zipped({"a.json": labelme(6, 4), "a.png": picture(6, 4)}),
    "cvat.zip": zipped({"annotations.xml": CVAT, "a.png": picture(6, 4)}),
    "npz in a.zip": zipped({"set.npz": npz(**ARRAYS)}),
}
EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
changes = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "put", "double"]), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)


def mutated(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    out = bytearray(data)
    for what, share, more in changes:
        at = int(share * len(out))
        if what == "set":
            out[at : at + len(more)] = more[: len(out) - at]
        elif what == "cut":
            del out[at : at + 1 + more[0]]
        elif what == "put":
            out[at:at] = more
        else:
            out[at:at] = out[at : at + 64]
    return bytes(out)


@pytest.mark.parametrize("name", PICTURES)
@EXAMPLES
@given(changes)
def test_pictures(name: str, changes: list[tuple[str, float, bytes]]) -> None:
    data = mutated(PICTURES[name], changes)
    try:
        found = decode(data)
        assert found.pixels.size < 10_000_000
        assert to_display(found.pixels).dtype == np.uint8
    except BadPicture as error:
        assert str(error)
    try:
        assert decode_ids(data).ndim == 2
    except (BadPicture, BadMask) as error:
        assert str(error)


@pytest.mark.parametrize("name", ARCHIVES)
@EXAMPLES
@given(changes)
def test_archives(name: str, changes: list[tuple[str, float, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(mutated(ARCHIVES[name], changes))
        try:
            source = open_source(path)
            for one in registry.detect(source).read(source, None):
                assert (
                    not isinstance(one, Labelled) or one.mask is None or one.mask.shape == one.picture.pixels.shape[:2]
                )
            source.close()
        except RemaskError as error:
            assert str(error)
