"""Sets to measure label-error detection on: a benchmark file, or folders of images, masks and predictions.

A benchmark file (.npz) holds ``images`` (N, H, W[, C]) uint8, ``given`` and ``true`` (N, H, W) class ids,
``error_type`` (N,) with "clean" for those without an error, and the predictions: ``logit_u6`` (N, K, H, W), where
p = 1 / (1 + exp(-(v * 18 / 63 - 9))), or ``probabilities`` (N, H, W, K). ``void`` (an id, -1: none) may say which
class is void; else 11 of 12 is, as in CamVid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.domain.classes import Class, ClassList, Role, named, parse_classes
from app.domain.detector import Predicted
from app.domain.mask import decode_ids
from app.domain.picture import decode


@dataclass(frozen=True)
class Sample:
    """``truth`` is None where it isn't known; ``kind`` is "clean" or the kind of error."""

    predicted: Predicted
    truth: npt.NDArray[np.generic] | None
    kind: str


@dataclass(frozen=True)
class BenchSet:
    name: str
    classes: ClassList
    samples: list[Sample]

    def stream(self) -> Iterator[Predicted]:
        return (sample.predicted for sample in self.samples)


def _classes(count: int, void: int) -> ClassList:
    def one(id: int) -> Class:
        return named(id, "void" if id == void else f"class {id}", role=Role.VOID if id == void else Role.FOREGROUND)

    return ClassList(tuple(one(id) for id in range(count)), guessed=False)


def read_bench(path: Path, void: int | None = None) -> BenchSet:
    with np.load(path) as data:
        if "logit_u6" in data:
            steps = data["logit_u6"].transpose(0, 2, 3, 1)
            table = (1 / (1 + np.exp(-(np.arange(64) * 18 / 63 - 9)))).astype(np.float16)
            chances = [table[one] for one in steps]
        else:
            chances = list(data["probabilities"])
        count = chances[0].shape[2]
        if void is None:
            void = int(data["void"]) if "void" in data else (11 if count == 12 else -1)
        kinds = data["error_type"].astype(str)
        parts = zip(data["images"], data["given"], data["true"], chances, kinds, strict=True)
        samples = [
            Sample(Predicted(f"{i:05}", image, given, chance), true, str(kind))
            for i, (image, given, true, chance, kind) in enumerate(parts)
        ]
    return BenchSet(path.stem, _classes(count, void), samples)


def read_folders(
    images: Path, masks: Path, predictions: Path, truth: Path | None, classes: Path | None, void: int | None
) -> BenchSet:
    """Files of one stem belong together; predictions are .npy, (H, W, K) probabilities as float or uint8."""
    pictures = {path.stem: path for path in sorted(images.iterdir()) if path.is_file()}
    drawn = {path.stem: path for path in sorted(masks.iterdir()) if path.is_file()}
    right = {path.stem: path for path in sorted(truth.iterdir())} if truth else {}
    samples = []
    for path in sorted(predictions.glob("*.npy")):
        if path.stem not in pictures or path.stem not in drawn:
            continue
        given = decode_ids(drawn[path.stem].read_bytes())
        image = decode(pictures[path.stem].read_bytes()).pixels
        true = decode_ids(right[path.stem].read_bytes()) if path.stem in right else None
        kind = "error" if true is not None and (true != given).any() else "clean"
        samples.append(Sample(Predicted(path.stem, image, given, np.load(path)), true, kind))
    if not samples:
        raise SystemExit(f"No predictions (.npy) in {predictions} that have an image and a mask of the same name.")
    listed = parse_classes(classes.read_text()) if classes else None
    count = samples[0].predicted.probabilities.shape[2]
    return BenchSet(predictions.parent.name, listed or _classes(count, -1 if void is None else void), samples)
