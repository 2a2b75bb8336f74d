"""The experiments that are tried on a data set: what each one changes, and what it is compared with.

They are those of a course report on terrain segmentation: losses, class balance, augmentation, other networks,
pseudo-labels, contaminated samples, masks corrected by hand, and a validation set that leaks. Everything but what an
experiment changes is that of the baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Invalid

BASELINE, HALF = "baseline", "half_of_labels"
DEFAULT_AUGMENT = ("affine", "hflip", "vflip")
MORE_AUGMENT = (
    "brightness_contrast",
    "clahe",
    "gamma",
    "gray",
    "noise",
    "blur",
    "elastic",
    "grid_distortion",
    "cutmix",
)
DICE_PERCENT = (0, 25, 50, 75, 100)
COPIES = 3  # augmented versions of each picture that is copied


class UnknownExperiment(Invalid):
    """A name that is neither an experiment's nor a family's."""


@dataclass(frozen=True)
class Facts:
    """What a data set offers. ``background``: it has such a class; ``foreground``: how many of that role.

    ``contaminated``, ``corrected``: samples to learn from that are excluded or flagged as contaminated, and whose mask
    was changed since the import. ``rare``: the rarest foreground class in train, ``copies`` how often its pictures are
    repeated (0: oversampling says nothing).
    """

    background: bool
    foreground: int
    contaminated: int
    corrected: int
    rare: str
    copies: int


@dataclass(frozen=True)
class Experiment:
    """``data`` names the snapshot it learns from, ``keys`` what it changes in the baseline's config, ``against`` the
    experiment that it is compared with (its own name: with nothing), ``times`` how many times the epochs it gets."""

    name: str
    family: str
    title: str
    data: str = "clean"
    keys: Mapping[str, Any] = field(default_factory=dict)
    against: str = BASELINE
    times: int = 1


@dataclass(frozen=True)
class Left:
    """An experiment that this data set gives no ground for."""

    name: str
    reason: str


def catalogue(facts: Facts) -> tuple[list[Experiment], list[Left]]:
    """Every experiment that the data set gives ground for, those that others are compared with first; and the rest."""
    no_background = {"preset": "no_background"}
    some = [
        Experiment(BASELINE, "presets", "Baseline U-Net"),
        Experiment("no_background", "presets", "No-background U-Net", keys=no_background),
        Experiment("longer", "presets", "Baseline, twice the epochs", times=2),
        Experiment(
            "contaminated",
            "contamination",
            f"Baseline, {facts.contaminated} contaminated samples in train",
            "contaminated",
        ),
        Experiment(
            "no_background_contaminated",
            "contamination",
            f"No background, {facts.contaminated} contaminated samples in train",
            "contaminated",
            no_background,
            "no_background",
        ),
        Experiment("given_masks", "relabelling", f"{facts.corrected} masks as imported, not as corrected", "given"),
        Experiment("class_balance", "classes", "Classes weighted by 1/√frequency", keys={"class_balance": "sqrt"}),
        Experiment(
            "oversample",
            "classes",
            f"Pictures of {facts.rare} {facts.copies + 1} times",
            keys={"oversample": facts.copies, "oversample_classes": [facts.rare]},
        ),
        *_losses(),
        Experiment("clean_copies", "leakage", f"{COPIES} augmented copies, made of training pictures", "clean_copies"),
        Experiment(
            "leaking_copies",
            "leakage",
            f"{COPIES} augmented copies of each validation picture put into train (the trap)",
            "leaking_copies",
            against="clean_copies",
        ),
        # As many steps as all masks would give: what pseudo-labels add is then no matter of training longer.
        Experiment(HALF, "pseudo", "Half of the training masks, twice the epochs", "half", times=2),
        Experiment(
            "pseudo_labels", "pseudo", "Half of the masks, pseudo-labels for the other half", "pseudo", against=HALF
        ),
        *_networks(),
        *_augmentations(),
    ]
    left = {one.name: one for one in _left(facts)}
    return [one for one in some if one.name not in left], list(left.values())


def chosen(experiments: Sequence[Experiment], left: Sequence[Left], only: Sequence[str]) -> list[Experiment]:
    """The experiments named in ``only`` (names or families; none: all), and those that they are compared with.

    Raises UnknownExperiment with what can be named, or the reason why the one named can't be run here.
    """
    reasons = {one.name: one.reason for one in left}
    known = {one.name for one in experiments} | {one.family for one in experiments}
    for name in only:
        if name in reasons:
            raise UnknownExperiment(f"{name} can't be tried here: {reasons[name]}.")
        if name not in known:
            raise UnknownExperiment(f"There is no experiment {name!r}; choose among {', '.join(sorted(known))}.")
    by_name = {one.name: one for one in experiments}
    wanted = {one.name for one in experiments if not only or one.name in only or one.family in only}
    for name in list(wanted):
        while name not in (BASELINE, by_name[name].against):
            name = by_name[name].against
            wanted.add(name)
    wanted.add(BASELINE)
    return [one for one in experiments if one.name in wanted]


def _losses() -> list[Experiment]:
    return [
        Experiment(
            f"dice_{percent}_focal_{100 - percent}",
            "losses",
            f"{percent / 100:g} Dice + {1 - percent / 100:g} Focal",
            keys={"cross_entropy": 0.0, "dice": percent / 100, "focal": 1 - percent / 100},
        )
        for percent in DICE_PERCENT
    ]


def _networks() -> list[Experiment]:
    keys: dict[str, tuple[str, dict[str, Any]]] = {
        "marsseg": ("MarsSeg", {"model": "marsseg"}),
        "transformer": ("Transformer segmenter", {"model": "transformer"}),
        "transformer_bottleneck": ("U-Net, transformer at the bottom", {"transformer_bottleneck": True}),
        "pyramid_pooling": ("U-Net, pyramid pooling at the bottom", {"pyramid_pooling": True}),
    }
    return [Experiment(name, "networks", title, keys=changed) for name, (title, changed) in keys.items()]


def _augmentations() -> list[Experiment]:
    fewer = [
        Experiment(
            f"without_{name}",
            "augmentation",
            f"Without {name}",
            keys={"augment": [one for one in DEFAULT_AUGMENT if one != name]},
        )
        for name in DEFAULT_AUGMENT
    ]
    more = [
        Experiment(f"with_{name}", "augmentation", f"With {name} too", keys={"augment": [*DEFAULT_AUGMENT, name]})
        for name in MORE_AUGMENT
    ]
    return [Experiment("no_augmentation", "augmentation", "No augmentation", keys={"augment": []}), *fewer, *more]


def _left(facts: Facts) -> list[Left]:
    left = []
    if not facts.background or facts.foreground < 2:
        reason = "no class has the role background" if not facts.background else "there is one foreground class only"
        left += [Left(name, reason) for name in ("no_background", "no_background_contaminated")]
    if not facts.contaminated:
        reason = "no sample to learn from is excluded, or flagged because it shares its mask"
        left += [Left(name, reason) for name in ("contaminated", "no_background_contaminated")]
    if not facts.corrected:
        left.append(Left("given_masks", "no mask to learn from was changed since the import"))
    if not facts.copies:
        left.append(Left("oversample", "the rarest class is in most of the pictures, or in none"))
    return left
