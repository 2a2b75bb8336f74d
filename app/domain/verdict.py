"""What a comparison of two arms comes to, in a sentence that a person can repeat, and what to hold against it."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.bootstrap import Estimate, Paired

ENOUGH = 30  # content groups with a confirmed mask from which on those alone judge
FEW = 10  # content groups below which an interval of a bootstrap is too narrow to be believed
_NAMED = {
    ("imported", "curated"): "Curation",
    ("imported", "without_excluded"): "Leaving out what is excluded",
    ("imported", "without_flagged"): "Leaving out what is excluded or flagged",
    ("without_excluded", "curated"): "Correcting masks",
    ("curated", "with_pseudo"): "Adding pseudo-labels",
}


@dataclass(frozen=True)
class Reading:
    """One judgement of both arms. ``reference``: current or imported masks; ``verified``: only those that a person
    confirmed; ``classes``: names, in the order of ``paired.classes``."""

    reference: str
    verified: bool
    classes: tuple[str, ...]
    paired: Paired


@dataclass(frozen=True)
class Judging:
    """The test images that judge: how many, in how many content groups; ``verified`` of them with a mask that a person
    confirmed, in ``verified_groups``; ``changed``: with other pixels than were imported; ``left_out``: not judged by,
    since an arm was trained on a relative."""

    samples: int
    groups: int
    verified: int
    verified_groups: int
    changed: int
    left_out: int

    @property
    def enough_verified(self) -> bool:
        return self.verified_groups >= ENOUGH


def sentence(before: str, after: str, reading: Reading) -> str:
    """Gained, lost, or that no difference can be seen and how large one would have had to be."""
    found = reading.paired.overall
    images = "image" if reading.paired.samples == 1 else "images"
    if found.difference is None or found.low is None or found.high is None or found.smallest is None:
        return f"Nothing can be said: no foreground class is given in the {reading.paired.samples} test {images}."
    interval = f"95 % interval {_points(found.low)} to {_points(found.high)}"
    if not found.clear:
        return (
            f"No difference can be seen ({_points(found.difference)} points of mean IoU, {interval}); the test set of "
            f"{reading.paired.samples} {images} can only show differences above {_points(found.smallest)} points."
        )
    up = found.difference > 0
    verb = "gained" if up else "lost"
    most = _most(reading, up)
    tail = f"; {most} {verb} most" if most else ""
    return (
        f"{subject(before, after)} {verb} {_points(abs(found.difference))} points of mean IoU, {_turned(found)}{tail}."
    )


def notes(reading: Reading, judging: Judging, seeds: int) -> list[str]:
    """What a reader has to know before believing it, a sentence each."""
    said = []
    if reading.paired.groups < FEW:
        said.append(
            f"The test set has only {reading.paired.groups} pictures that aren't relatives of each other; an interval "
            "from so few is too narrow to be believed."
        )
    if seeds == 1:
        said.append("With one seed the interval leaves out what luck in training does; compare on three or more.")
    if reading.verified:
        said.append(f"Judged on the {judging.verified} test images whose mask a person confirmed.")
    else:
        said.append(
            f"A person confirmed {judging.verified or 'none'} of the {judging.samples} test masks; from {ENOUGH} "
            "pictures on, those alone would judge. An error in the other masks counts against both sides."
        )
    if judging.changed:
        said.append(
            f"{judging.changed} test masks were changed since the import, so both are shown: judged by the masks as "
            "they are now, and by those that were imported."
        )
    if judging.left_out:
        said.append(
            f"{judging.left_out} test images were left out, since one side was trained on them or on relatives."
        )
    return said


def subject(before: str, after: str) -> str:
    """What the difference is the work of."""
    return _NAMED.get((before, after), f"{_words(after).capitalize()}, against {_words(before)},")


def _words(arm: str) -> str:
    return arm.replace("_", " ").replace(":", " ")


def _most(reading: Reading, up: bool) -> str | None:
    """The class that gained, or lost, most; None where no class did so clearly."""
    clear = [
        (one.difference if up else -one.difference, name)
        for one, name in zip(reading.paired.classes, reading.classes, strict=True)
        if one.difference is not None and one.clear and (one.difference > 0) == up
    ]
    return max(clear)[1] if clear else None


def _turned(found: Estimate) -> str:
    """The interval of a gain or a loss, both told as positive numbers."""
    ends: Sequence[float] = sorted(abs(one) for one in (found.low, found.high) if one is not None)
    return f"95 % interval {_points(ends[0])} to {_points(ends[1])}"


def _points(share: float) -> str:
    text = f"{100 * share:.1f}"
    return ("0.0" if text == "-0.0" else text).replace("-", "−")
