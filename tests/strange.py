"""Names that a stranger might choose: markup, quotes, control characters, other directions of writing, no end."""

import zipfile
from pathlib import Path

import numpy as np

from app.domain.classes import Class, ClassList, Role
from app.domain.mask import encode_png

PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"'><svg onload=alert(3)>",
    "'\"`;alert(4)--",
    "{{7*7}}${7*7}{%raw%}",
    "a&amp;b&lt;c",
    "=HYPERLINK(1)",
    "＝1+1",
    "@SUM(1)\r=2+2\n=3+3",
    "javascript:alert(5)",
    "abc\u202egnp.exe\u2066\u200f",
    "bell\a\x1b[31m\x7f\x85\u2028end",
    "long " + "n" * 1000,
    "%2e%2e%2f%00",
    "?a=1#b",
    "..%5c..%5cetc",
    "CON",
)


TOO_LONG = "very long " + "n" * 4086  # more than the 1,024 characters that a key may have


def strange_zip(path: Path) -> Path:
    """A zip of a picture and a mask for each of the names."""
    random = np.random.default_rng(5)
    with zipfile.ZipFile(path, "w") as out:
        for index, name in enumerate((*PAYLOADS, TOO_LONG)):
            mask = np.full((12, 16), index % len(PAYLOADS), np.uint8)
            mask[:6] = 0
            plain = name.replace("/", "|")
            out.writestr(f"images/{plain}.png", encode_png(random.integers(0, 256, (12, 16), np.uint8)))
            out.writestr(f"masks/{plain}.png", encode_png(mask))
    return path


def strange_classes() -> ClassList:
    """A class of each name."""
    return ClassList(
        tuple(
            Class(index, f"{index} {name}" if index else name, Role.FOREGROUND, "#e69f00")
            for index, name in enumerate(PAYLOADS)
        ),
        guessed=False,
    )
