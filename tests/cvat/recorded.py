"""What real servers exported and answered, recorded; tests that need it skip where it isn't there."""

import base64
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.shared import shared

Packed = npt.NDArray[np.uint32]


def archive(name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(shared(f"cvat/exports/{name}"))


def colours(one: zipfile.ZipFile) -> dict[str, int]:
    """Label name -> packed colour, by the archive's own labelmap.txt."""
    out = {}
    for line in one.read("labelmap.txt").decode().splitlines():
        if line and not line.startswith("#"):
            name, rgb = line.split(":")[:2]
            red, green, blue = (int(part) for part in rgb.split(","))
            out[name] = red << 16 | green << 8 | blue
    return out


def exported_mask(one: zipfile.ZipFile, frame: str) -> Packed:
    """A frame's mask in packed colours, (H, W)."""
    image = Image.open(io.BytesIO(one.read(f"SegmentationClass/{frame}.png"))).convert("RGB")
    red, green, blue = np.asarray(image).astype(np.uint32).transpose(2, 0, 1)
    packed: Packed = red << 16 | green << 8 | blue
    return packed


@dataclass(frozen=True)
class Exchange:
    """One recorded request and what the server answered."""

    step: str
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any


def traffic(name: str = "traffic_sdk2.80.0.jsonl") -> list[Exchange]:
    return [_exchange(json.loads(line)) for line in shared(f"cvat/{name}").read_text().splitlines()]


def _exchange(row: dict[str, Any]) -> Exchange:
    return Exchange(
        row["step"],
        row["method"],
        row["path"],
        [(name, value) for name, value in row["query"]],
        {name.lower(): value for name, value in row["request_headers"]},
        _body(row["request_body"]),
        row["status"],
        _body(row["response_body"]),
    )


def _body(body: dict[str, Any]) -> Any:
    if "base64" in body:
        return base64.b64decode(body["base64"])
    return body.get("json", body.get("text"))
