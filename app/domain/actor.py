"""Who did something."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "rule", "import", "model", "cvat"]


@dataclass(frozen=True)
class Actor:
    kind: Kind
    name: str


def person(name: str) -> Actor:
    """A reviewer; the name is trimmed to one line of at most 120 characters."""
    return Actor("person", " ".join(name.split())[:120] or "someone")
