"""Files made to fill a reader's memory or time, or to run something: each a small one."""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.domain.formats.made import picture

Make = Callable[[], dict[str, bytes]]
IMAGE = {"id": 1, "file_name": "a.png", "width": 6, "height": 4}
CATEGORIES = [{"id": 1, "name": "a"}]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, depth: int = 8, colour: int = 0, data: bytes = b"\0") -> bytes:
    """A PNG of that size, whose pixels are missing."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info


def tiff(width: int, height: int, next_page: int = 0) -> bytes:
    """One page; ``next_page``: where the next one is said to be (8: the same again)."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 4, height)]
    tags += [(279, 4, 0xFFFFFFF0)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", next_page)


def webp(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + b"\0" * 20
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def npy(shape: tuple[int, ...], descr: str = "|u1", data: bytes = b"\0" * 64) -> bytes:
    head = str({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def npz(**arrays: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


class Runs:
    """What a pickle would run: it writes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (Path("pickle-ran"), "x"))


def pickled() -> bytes:
    return npy((1,), "|O", pickle.dumps(Runs()))


def saved(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, values, allow_pickle=False)
    return out.getvalue()


def laughs(root: str) -> bytes:
    lines = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "lol">{"".join(lines)}]><{root}>&e11;</{root}>'.encode()


def outside(root: str) -> bytes:
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><{root}>&e;</{root}>'
    return text.encode()


def coco(annotation: dict[str, object], **image: object) -> bytes:
    one = {"id": 1, "image_id": 1, "category_id": 1, **annotation}
    return json.dumps({"images": [IMAGE | image], "categories": CATEGORIES, "annotations": [one]}).encode()


def labelme(width: int, height: int, **shape: object) -> bytes:
    one = {"label": "a", "shape_type": "polygon", "points": [[0, 0], [3, 0], [3, 3]], **shape}
    document = {"shapes": [one], "imagePath": "a.png", "imageData": None, "imageWidth": width, "imageHeight": height}
    return json.dumps(document).encode()


SMALL = picture(6, 4)
NAN = np.full((2, 4, 6), np.nan)
INF = np.full((2, 4, 6), np.inf, np.float32)
BOMBS: dict[str, Make] = {
    "png huge": lambda: {"a.png": png(2_000_000_000, 2_000_000_000)},
    "png just too large": lambda: {"a.png": png(20_000, 20_000)},
    "png large, truncated": lambda: {"a.png": png(18_000, 18_000)},
    "png text": lambda: {"a.png": png(4, 4, _chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 80_000_000)))},
    "png profile": lambda: {"a.png": png(4, 4, _chunk(b"iCCP", b"k\0\0" + zlib.compress(b"\0" * 80_000_000)))},
    "png pixels without end": lambda: {"a.png": png(4, 4, data=b"\0" * 80_000_000)},
    "bmp huge": lambda: {"a.bmp": bmp(2_000_000_000, 2_000_000_000)},
    "bmp negative": lambda: {"a.bmp": bmp(-5, -2_000_000_000)},
    "tiff huge": lambda: {"a.tif": tiff(2_000_000_000, 2_000_000_000)},
    "tiff large, truncated": lambda: {"a.tif": tiff(18_000, 18_000)},
    "tiff pages in a circle": lambda: {"a.tif": tiff(6, 4, next_page=8)},
    "webp largest": lambda: {"a.webp": webp(16_384, 16_384)},
    "postscript": lambda: {"a.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"},
    "mask huge": lambda: {"images/a.png": SMALL, "masks/a.png": png(100_000, 100_000)},
    "xml laughs": lambda: {"annotations.xml": laughs("annotations"), "a.png": SMALL},
    "xml laughs, voc": lambda: {"Annotations/a.xml": laughs("annotation"), "JPEGImages/a.png": SMALL},
    "xml outside": lambda: {"annotations.xml": outside("annotations"), "a.png": SMALL},
    "json deep": lambda: {"annotations.json": b'{"images":' + b"[" * 500_000, "a.png": SMALL},
    "json deep, closed": lambda: {"a.json": b'{"shapes":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "a.png": SMALL},
    "json number": lambda: {"annotations.json": b'{"images": ' + b"9" * 1_000_000 + b"}", "a.png": SMALL},
    "coco size": lambda: {"a.json": coco({"segmentation": [[0, 0, 9, 0, 9, 9]]}, width=10**9, height=10**9)},
    "coco polygon far out": lambda: {"a.json": coco({"segmentation": [[-1e18, 0, 1e18, 1, 3, 1e18]]}), "a.png": SMALL},
    "coco runs": lambda: {"a.json": coco({"segmentation": {"size": [4, 6], "counts": [10**12]}}), "a.png": SMALL},
    "coco runs, packed": lambda: {
        "a.json": coco({"segmentation": {"size": [10**6, 10**6], "counts": "o" * 100_000}}),
        "a.png": SMALL,
    },
    "labelme size": lambda: {"a.json": labelme(10**9, 10**9), "a.png": SMALL},
    "labelme circle": lambda: {
        "a.json": labelme(6, 4, shape_type="circle", points=[[0, 0], [1e300, 1e300]]),
        "a.png": SMALL,
    },
    "npz pickle": lambda: {"a.npz": npz(images=pickled(), masks=pickled())},
    "npz shape": lambda: {"a.npz": npz(images=npy((1 << 40, 4, 6)))},
    "npz row": lambda: {"a.npz": npz(images=npy((1, 1 << 20, 1 << 20)))},
    "npz shape overflows": lambda: {"a.npz": npz(images=npy((1 << 62, 1 << 62, 4)))},
    "npz header": lambda: {"a.npz": npz(images=b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b" " * 1000)},
    "npz header, nested": lambda: {"a.npz": npz(images=b"\x93NUMPY\x01\x00\x00\x80" + b"(" * 0x8000)},
    "npz nan": lambda: {"a.npz": npz(images=saved(NAN), masks=saved(NAN))},
    "npz inf": lambda: {"a.npz": npz(images=saved(INF), masks=saved(np.zeros((2, 4, 6), np.uint8)))},
    "npz zeros": lambda: {"a.npz": npz(images=npy((1, 15_000, 10_000), data=b"\0" * 150_000_000))},
}
