"""What a run is told: one flat, frozen set of keys, checked when it is made. Free of torch."""

import json
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from ml.errors import Refused

MODELS = ("unet", "marsseg", "transformer")
GEOMETRIC = ("affine", "hflip", "vflip", "elastic", "grid_distortion")
PHOTOMETRIC = ("brightness_contrast", "clahe", "gamma", "gray", "noise", "blur")
AUGMENTATIONS = (*GEOMETRIC, *PHOTOMETRIC, "cutmix")


def _key(default: Any, *, low: float | None = None, high: float | None = None, among: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "among": among})


@dataclass(frozen=True)
class Config:
    """Every key of a run. ``auto`` is resolved by measurement when a run starts and written down resolved."""

    # The network. width: channels of the first level; depth: times the picture is halved.
    model: str = _key("unet", among=MODELS)
    width: int = _key(32, low=4, high=512)
    depth: int = _key(4, low=1, high=6)
    norm: str = _key("batch", among=("batch", "group"))
    dropout: float = _key(0.0, low=0, high=0.9)
    residual: bool = False
    squeeze_excitation: bool = False
    attention_gates: bool = False
    pyramid_pooling: bool = False
    transformer_bottleneck: bool = False
    # The loss: a weighted sum. ignore_background: pixels of the background role teach nothing.
    cross_entropy: float = _key(1.0, low=0, high=1)
    dice: float = _key(0.0, low=0, high=1)
    focal: float = _key(0.0, low=0, high=1)
    focal_gamma: float = _key(2.0, low=0, high=10)
    ignore_background: bool = False
    class_balance: str = _key("none", among=("none", "sqrt"))
    pseudo_weight: float = _key(1.0, low=0, high=1)
    # The optimiser and when it stops.
    epochs: int = _key(100, low=1, high=100_000)
    batch: int = _key(16, low=1, high=65_536)
    learning_rate: float = _key(1e-3, low=1e-8, high=10)
    weight_decay: float = _key(1e-4, low=0, high=1)
    clip: float = _key(1.0, low=0)
    plateau_factor: float = _key(0.5, low=0.01, high=0.99)
    plateau_patience: int = _key(5, low=0)
    patience: int = _key(15, low=1)
    monitor: str = _key("miou", among=("miou", "miou_on_foreground", "loss"))
    # The pictures. versions: augmented ones beside each original (0: each picture is augmented anew every epoch).
    augment: tuple[str, ...] = _key(("affine", "hflip", "vflip"), among=AUGMENTATIONS)
    strength: float = _key(1.0, low=0, high=3)
    versions: int = _key(0, low=0, high=100)
    oversample: int = _key(0, low=0, high=100)
    oversample_pixels: int = _key(50, low=1)
    oversample_classes: tuple[str, ...] = ()
    crop: int = _key(512, low=16, high=8192)
    overlap: int = _key(64, low=0, high=1024)
    tta: bool = False
    samples: int = _key(6, low=0, high=64)
    samples_every: int = _key(5, low=1)
    # The machine. threads 0: all cores but one.
    seed: int = _key(0, low=0, high=2**31)
    device: str = _key("auto", among=("auto", "cpu", "cuda", "mps"))
    precision: str = _key("auto", among=("auto", "fp32", "bf16", "fp16"))
    layout: str = _key("auto", among=("auto", "contiguous", "channels_last"))
    compile: str = _key("auto", among=("auto", "off", "on"))
    threads: int = _key(0, low=0, high=1024)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _checked(one.name, getattr(self, one.name), one.type, one.metadata))
        if self.cross_entropy + self.dice + self.focal == 0:
            raise Refused("The loss is nothing: give cross_entropy, dice or focal a weight above 0.")
        if self.overlap >= self.crop:
            raise Refused(f"overlap ({self.overlap}) has to be smaller than crop ({self.crop}).")

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this."""
        multiples: dict[str, int] = {"unet": 2**self.depth, "marsseg": 8, "transformer": 32}
        return multiples[self.model]

    def as_json(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


PRESETS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "no_background": {"ignore_background": True, "monitor": "miou_on_foreground"},
}


def make(*layers: Mapping[str, Any]) -> Config:
    """A config from layers of keys, later ones winning. ``preset`` names the first. Raises Refused in one sentence."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    preset = merged.pop("preset", "baseline")
    if preset not in PRESETS:
        raise Refused(f"There is no preset {preset!r}{_nearest(str(preset), PRESETS)}")
    known = {one.name for one in fields(Config)}
    for key in merged:
        if key not in known:
            raise Refused(f"There is no key {key!r}{_nearest(key, known)}")
    return Config(**(PRESETS[preset] | merged))


def load(path: Path) -> dict[str, Any]:
    """The keys in a JSON or TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
        read = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise Refused(f"The config {path} can't be read: {error}.") from error
    if not isinstance(read, dict):
        raise Refused(f"The config {path} has to hold keys and values.")
    return read


def add_arguments(parser: ArgumentParser) -> None:
    """``--config`` and ``--set``, as every command that trains takes them."""
    parser.add_argument("--config", type=Path, help="JSON or TOML file of keys")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one key; may be repeated")


def from_arguments(given: Namespace) -> Config:
    file = load(given.config) if given.config else {}
    return make(file, *(parse_set(one) for one in given.set))


def parse_set(text: str) -> dict[str, Any]:
    """``key=value`` of a command line; the value is JSON, or else plain text; a list may be given as ``a,b``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Refused(f"{text!r} is not of the form key=value.")
    try:
        return {key: json.loads(value)}
    except json.JSONDecodeError:
        return {key: value}


def resolve(config: Config, **keys: Any) -> Config:
    """``config`` with ``keys`` settled."""
    return replace(config, **keys)


def _nearest(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}."


def _checked(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    if get_origin(kind) is tuple and get_args(kind):
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise Refused(f"{name} has to be a list of names, not {value!r}.")
        for part in parts:
            _among(name, part, limits.get("among", ()))
        return tuple(parts)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "a name"}
        raise Refused(f"{name} has to be {words[kind]}, not {value!r}.")
    _among(name, value, limits.get("among", ()))
    low, high = limits.get("low"), limits.get("high")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        span = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise Refused(f"{name} has to be {span}, not {value!r}.")
    return value


def _among(name: str, value: Any, among: tuple[str, ...]) -> None:
    if among and value not in among:
        raise Refused(f"{name} can't be {value!r}{_nearest(str(value), among)}")
