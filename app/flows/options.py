"""What a training can be told: every key with its bounds and its meaning, and values that suit a data set."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_origin

from sqlalchemy.orm import Session

from app.domain.classes import Role
from app.store import datasets, summary
from app.store.members import ARMS
from app.store.tables import Dataset
from ml import config as configs

TITLES = {"baseline": "Baseline U-Net", "no_background": "No-background U-Net"}
ABOUT_PRESETS = {
    "baseline": "Every class teaches, background too.",
    "no_background": (
        "Background pixels teach nothing. Foreground classes are told apart better; background is painted over, and "
        "precision falls with it."
    ),
}
ABOUT_ARMS = {
    "curated": "Everything that isn't excluded, with its current mask.",
    "imported": "Everything, excluded samples too, with the masks that came in.",
    "without_excluded": "The masks that came in, excluded samples left out.",
    "without_flagged": "The masks that came in; excluded samples and those with an open flag left out.",
    "with_pseudo": "As curated, and unlabelled samples with what a model is sure of; those only teach.",
}
HELP: dict[str, dict[str, str]] = {
    "Network": {
        "model": "Which network.",
        "width": "Channels of the first level; twice as many take about four times as long.",
        "depth": "How many times the picture is halved.",
        "norm": "Batch normalisation; group normalisation suits small batches.",
        "dropout": "Share of features dropped while training.",
        "residual": "Residual blocks.",
        "squeeze_excitation": "Channels weighted by what the picture holds.",
        "attention_gates": "Gates on the skip connections.",
        "pyramid_pooling": "Context of several scales at the bottom.",
        "transformer_bottleneck": "Self-attention at the bottom.",
    },
    "Loss": {
        "cross_entropy": "Weight of cross-entropy.",
        "dice": "Weight of the Dice loss.",
        "focal": "Weight of the focal loss.",
        "focal_gamma": "How much the focal loss looks away from what is easy.",
        "ignore_background": "Pixels of the background class teach nothing.",
        "class_balance": "sqrt: a class counts by one over the root of its frequency.",
        "pseudo_weight": "Weight of a pixel that a model labelled.",
    },
    "Training": {
        "epochs": "At most so many passes over the training samples.",
        "batch": "Pictures a step.",
        "learning_rate": "Step size of AdamW at the start.",
        "weight_decay": "Pull of the weights towards zero.",
        "clip": "Largest norm of the gradient; 0: no bound.",
        "plateau_factor": "What the learning rate is multiplied by when the validation loss stands still.",
        "plateau_patience": "Epochs of standing still before that.",
        "patience": "Epochs without improvement after which training stops.",
        "monitor": "Which validation figure picks the best epoch.",
    },
    "Pictures": {
        "augment": "Changes made at random to training pictures.",
        "strength": "How strong those changes are; 1 is usual.",
        "versions": "Changed versions beside each original; 0: each picture anew every epoch.",
        "oversample": "Further copies of pictures that show a rare class.",
        "oversample_pixels": "Pixels of the class that such a picture has to show.",
        "oversample_classes": "Which classes are rare; none named: the trainer picks.",
        "crop": "Larger pictures are trained on in cuts of this side.",
        "overlap": "How far cuts overlap when a large picture is judged.",
        "tta": "Judge the test on the mean over flips.",
        "samples": "Validation pictures shown while it trains.",
        "samples_every": "Epochs between those.",
    },
    "Machine": {
        "seed": "The same seed gives the same weights on the same machine.",
        "device": "auto takes the fastest that is there.",
        "precision": "auto is chosen by measurement.",
        "layout": "auto is chosen by measurement.",
        "compile": "auto compiles where a run is long enough to pay for it.",
        "threads": "0: all cores but one.",
    },
}
_TYPES = {int: "integer", float: "number", bool: "boolean", str: "name"}


@dataclass(frozen=True)
class Key:
    """One key of a config. ``value`` is suggested for the data set; ``choices`` of a ``list`` may be empty: any."""

    key: str
    group: str
    type: str
    default: Any
    value: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Advice:
    """Values that suit a data set, and why."""

    values: Mapping[str, Any]
    reasons: tuple[str, ...]


def presets() -> list[dict[str, Any]]:
    """name, title, about, and the keys that it sets."""
    return [
        {"name": name, "title": TITLES[name], "about": ABOUT_PRESETS[name], "config": keys}
        for name, keys in configs.PRESETS.items()
    ]


def arms() -> list[dict[str, str]]:
    return [{"name": name, "about": ABOUT_ARMS[name]} for name in ARMS]


def keys(values: Mapping[str, Any]) -> list[Key]:
    """Every key by group; ``values`` in place of defaults."""
    known = {one.name: one for one in fields(configs.Config)}
    defaults = configs.Config().as_json()
    return [
        Key(
            key=name,
            group=group,
            type="list" if get_origin(known[name].type) is tuple else _TYPES[known[name].type],  # type: ignore[index]
            default=defaults[name],
            value=values.get(name, defaults[name]),
            low=known[name].metadata.get("low"),
            high=known[name].metadata.get("high"),
            choices=tuple(known[name].metadata.get("among", ())),
            help=help,
        )
        for group, listed in HELP.items()
        for name, help in listed.items()
    ]


def changed(config: Mapping[str, Any]) -> list[str]:
    """The keys of a config that aren't at their default."""
    defaults = configs.Config().as_json()
    return [name for name, value in config.items() if defaults.get(name) != value]


def advise(session: Session, dataset: Dataset) -> Advice:
    """Values that suit the data set, from its counts alone."""
    values: dict[str, Any] = {}
    reasons = []
    sizes = summary.by_size(session, dataset.id)
    count = round(0.7 * sum(one.count for one in sizes))  # the share that trains
    if sizes:
        side = min(min(one.width, one.height) for one in sizes)
        depth = next((depth for depth in (4, 3, 2) if side >= 8 * 2**depth), 1)
        if depth < 4:
            values["depth"] = depth
            reasons.append(f"The smallest side is {side} pixels, so the picture is halved {depth} times only.")
    if count < 128:
        values["batch"] = max(2, min(16, count // 8))
        reasons.append(f"About {count} samples train, so batches are small.")
    if shutil.which("nvidia-smi") is None:
        values["width"] = 16
        reasons.append("There seems to be no GPU, so the network is half as wide as usual.")
    listed = datasets.classes(session, dataset)
    foreground = {one.id for one in listed.classes if one.role is Role.FOREGROUND}
    pixels = [one.pixels for one in summary.by_class(session, dataset.id) if one.class_id in foreground and one.pixels]
    if pixels and max(pixels) > 10 * min(pixels):
        values["class_balance"] = "sqrt"
        reasons.append(
            f"One class has {max(pixels) // min(pixels):,} times the pixels of another, so rare ones count more."
        )
    return Advice(values, tuple(reasons))
