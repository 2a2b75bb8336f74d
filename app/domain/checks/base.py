"""What every check answers: how suspicious is this sample, in [0, 1], and why.

A check sees every sample once, in any order, and keeps a few bytes of each; then it gives a finding for *every*
sample that it saw (histograms need the good ones too) and the groups that it found. It may look at single samples
again while it does so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from app.domain.classes import ClassList
from app.domain.mask import Mask
from app.domain.picture import Pixels


@dataclass(frozen=True)
class View:
    """One sample as a check sees it: decoded pixels and their identities (see ``pixel_hash``)."""

    sample: int
    image: Pixels
    image_hash: str
    mask: Mask | None
    mask_hash: str | None


@dataclass(frozen=True)
class Finding:
    """``score`` in [0, 1], 1 = worst; ``flagged`` where it reaches the check's threshold.

    ``reason`` is one sentence that says why for this sample ("" where not flagged); ``group`` is the fingerprint of the
    group that it belongs to, flagged or not.
    """

    sample: int
    score: float
    flagged: bool
    reason: str = ""
    group: str | None = None


@dataclass(frozen=True)
class Group:
    """Samples that belong together. ``fingerprint`` is stable over runs on the same pixels; ``score`` as in Finding."""

    fingerprint: str
    members: tuple[int, ...]
    score: float
    flagged: bool
    reason: str


Look = Callable[[int], View]


class Check(Protocol):
    """One check, made new for each run: ``see`` each sample, then ``finish``.

    ``subject`` tells what its flags are about: the mask (a fixed mask sheds them) or the image (only a decision does).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    subject: ClassVar[Literal["mask", "image"]]
    version: ClassVar[int]
    threshold: ClassVar[float]

    def __init__(self, classes: ClassList) -> None: ...

    def see(self, view: View) -> None: ...

    def finish(self, look: Look) -> Iterator[Finding | Group]: ...


class Divisible(Check, Protocol):
    """A check that keeps a note of each sample, whatever it saw before: several processes can look at a share of the
    samples each. What one of them noted (plain values, as JSON can tell them) is added to what another has."""

    def notes(self) -> list[Any]: ...

    def add(self, notes: list[Any]) -> None: ...


CheckFactory = type[Check]
