"""How well label errors are found: the detector beside cleanlab, on the same predictions.

    python -m benchmarks.label_errors --bench FILE.npz [FILE.npz ...] [--peer-python PATH] [--json]
    python -m benchmarks.label_errors --images DIR --masks DIR --predictions DIR [--truth DIR] [--classes FILE]

Image scores: area under the ROC and precision-recall curves over images with any error but contamination, and the
AUROC of each kind against the clean images. Regions: told with probability 0.2 or more; right if at least half of the
pixels are wrong; a wrong region (connected, 16 pixels or more) is found if at least half of it lies in told regions.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from app.domain.detector import Detector, ImageScore, critic
from app.domain.detector.predicted import channels_of, places_of, scene_of
from app.domain.formats.rle import coco_decode
from benchmarks.label_sets import BenchSet, read_bench, read_folders
from benchmarks.reliability import reliability, sentence
from ml.config import Config
from ml.critic import train
from ml.lessons import Lessons

TOLD = 0.2
LEAST_PIXELS = 16
CONTAMINATION = ("contam", "contaminated", "foreign")
Bool = npt.NDArray[np.bool_]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What ``--json`` prints of one score; None where a score says nothing of it."""

    auroc: float
    auprc: float
    per_type: dict[str, float]
    region_precision: float | None
    region_recall: float | None
    seconds_per_mpx: float


def image_result(scores: F64, kinds: Sequence[str], regions: tuple[float, float] | None, seconds: float) -> Result:
    kind = np.array(kinds)
    clean, counted = kind == "clean", ~np.isin(kind, CONTAMINATION)
    per_type = {}
    for one in sorted(set(kinds) - {"clean"}):
        chosen = clean | (kind == one)
        per_type[one] = float(roc_auc_score(~clean[chosen], scores[chosen]))
    return Result(
        float(roc_auc_score(~clean[counted], scores[counted])),
        float(average_precision_score(~clean[counted], scores[counted])),
        per_type,
        regions[0] if regions else None,
        regions[1] if regions else None,
        seconds,
    )


@dataclass(frozen=True)
class Lead:
    """By how much one AUROC lies above another, and the same for ``draws`` samples of the images."""

    value: float
    draws: F64

    def __str__(self) -> str:
        low, high = np.quantile(self.draws, [0.025, 0.975])
        return f"{self.value:+.3f} (95 %: {low:+.3f} to {high:+.3f})"


def lead(ours: F64, other: F64, bad: Bool, draws: int = 2000) -> Lead:
    """Of ``ours`` above ``other``; samples are drawn with replacement, for both at once (paired bootstrap)."""
    rng = np.random.default_rng(0)
    rows: list[npt.NDArray[np.int64]] = []
    while len(rows) < draws:
        drawn = rng.integers(0, bad.size, bad.size)
        if 0 < bad[drawn].sum() < bad.size:
            rows.append(drawn)
    above = [roc_auc_score(bad[row], ours[row]) - roc_auc_score(bad[row], other[row]) for row in rows]
    return Lead(float(roc_auc_score(bad, ours) - roc_auc_score(bad, other)), np.array(above))


def mean_lead(leads: Sequence[Lead]) -> Lead:
    return Lead(float(np.mean([one.value for one in leads])), np.mean([one.draws for one in leads], axis=0))


def judged_regions(told: Sequence[Sequence[Bool]], wrong: Sequence[Bool]) -> tuple[float, float]:
    """Precision and recall of the told regions of each image against its wrong pixels (see above)."""
    right = count = found = there = 0
    for regions, truth in zip(told, wrong, strict=True):
        count += len(regions)
        right += sum(2 * int((region & truth).sum()) >= int(region.sum()) for region in regions)
        covered = np.any(regions, axis=0) if regions else np.zeros(truth.shape, np.bool_)
        labels, total = ndimage.label(truth)
        areas = np.bincount(labels.ravel(), minlength=total + 1)[1:]
        held = np.bincount(labels[covered], minlength=total + 1)[1:]
        large = areas >= LEAST_PIXELS
        there += int(large.sum())
        found += int((2 * held >= areas)[large].sum())
    return right / max(1, count), found / max(1, there)


def told_regions(score: ImageScore, shape: tuple[int, ...]) -> list[Bool]:
    return [
        coco_decode({"size": list(shape), "counts": list(region.counts)})
        for region in score.regions
        if region.probability >= TOLD
    ]


def reliabilities(scores: Sequence[ImageScore], bad: Bool, wrong: Sequence[Bool]) -> list[str]:
    """Of images, and of all regions that were told: right if at least half of the pixels are wrong."""
    told, right = [], []
    for score, truth in zip(scores, wrong, strict=True):
        for region in score.regions:
            mask = coco_decode({"size": list(truth.shape), "counts": list(region.counts)})
            told.append(region.probability)
            right.append(2 * int((mask & truth).sum()) >= int(mask.sum()))
    images = reliability(np.array([one.probability for one in scores]), bad)
    regions = reliability(np.array(told, np.float64), np.array(right, np.bool_))
    return [
        f"told -> wrong (how many), images: {sentence(images)}",
        f"told -> wrong (how many), regions: {sentence(regions)}",
    ]


def wrong_pixels(bench: BenchSet) -> list[Bool]:
    return [np.asarray(one.predicted.given != one.truth) for one in bench.samples if one.truth is not None]


def pixel_precision(maps: Sequence[npt.NDArray[np.generic]], bench: BenchSet) -> float:
    """Average precision over all pixels of images without contamination."""
    wrong = wrong_pixels(bench)
    kept = [i for i, one in enumerate(bench.samples) if one.kind not in CONTAMINATION]
    return float(
        average_precision_score(
            np.concatenate([wrong[i].ravel() for i in kept]), np.concatenate([maps[i].ravel() for i in kept])
        )
    )


def teach(lessons: critic.Lessons) -> tuple[critic.Layers, critic.Layers]:
    arrays = lessons.pictures, lessons.chances, lessons.masks, lessons.halves
    return train(Lessons(*arrays), Config(device="cpu", threads=1))


def ours(bench: BenchSet, without: frozenset[str], critics: bool) -> tuple[list[ImageScore], float, float]:
    """The scores, and the processor seconds per megapixel of learning and of scoring."""
    start = time.process_time()
    fitted = Detector(bench.classes, without=without, teach=teach if critics else None).fit(bench.stream)
    middle = time.process_time()
    scores = [fitted.score(one) for one in bench.stream()]
    megapixels = sum(one.given.size for one in bench.stream()) / 1e6
    return scores, (middle - start) / megapixels, (time.process_time() - middle) / megapixels


def peers(bench: BenchSet, python: str) -> dict[str, npt.NDArray[np.generic]] | None:
    """cleanlab's scores, run by ``python``; None where the pictures have several sizes, which it can't take."""
    if len({one.given.shape for one in bench.stream()}) > 1:
        return None
    channels = channels_of(bench.classes, bench.samples[0].predicted.probabilities.shape[2])
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        labels = np.stack([places_of(one.given, channels) for one in bench.stream()])
        chances = np.stack([scene_of(one, channels).chance.transpose(2, 0, 1) for one in bench.stream()])
        np.savez(source, labels=labels, chances=chances)
        script = Path(__file__).with_name("cleanlab_scores.py")
        subprocess.run([python, str(script), str(source), str(target)], check=True)
        with np.load(target) as data:
            return {name: data[name] for name in data.files}


def results(
    bench: BenchSet, without: frozenset[str], critics: bool, python: str | None
) -> tuple[dict[str, Result], list[str], Lead]:
    """Of each score its Result, lines to print besides, and the lead of our AUROC over softmin's."""
    kinds, wrong = [one.kind for one in bench.samples], wrong_pixels(bench)
    scores, learning, scoring = ours(bench, without, critics)
    shapes = [one.given.shape for one in bench.stream()]
    regions = judged_regions([told_regions(one, shape) for one, shape in zip(scores, shapes, strict=True)], wrong)
    out = {"ours": image_result(np.array([one.score for one in scores]), kinds, regions, scoring)}
    lines = [f"learning from the set: {learning:.2f} s/Mpx"]
    lines.append(f"pixel average precision: ours {pixel_precision([one.pixel_map for one in scores], bench):.3f}")
    lines += reliabilities(scores, np.array(kinds) != "clean", wrong)
    odd = np.isin(kinds, CONTAMINATION)
    whole, softmin = (np.array(one)[~odd] for one in ([s.score for s in scores], [s.parts["softmin"] for s in scores]))
    above = lead(whole, softmin, np.array(kinds)[~odd] != "clean")
    lines.append(f"AUROC above softmin's: {above}")
    if odd.any():
        lines.append(
            f"contamination, part 'foreign': AUROC {roc_auc_score(odd, [s.parts['foreign'] for s in scores]):.3f}"
        )
    peer = peers(bench, python) if python else None
    if peer is not None:
        megapixels = wrong[0].size * len(wrong) / 1e6
        seconds = peer["seconds"].astype(float) / megapixels
        issues = np.asarray(peer["issues"], np.bool_)
        components = [[labels == i for i in range(1, n + 1)] for labels, n in map(ndimage.label, issues)]
        out["cleanlab softmin"] = image_result(1 - peer["softmin"].astype(float), kinds, None, float(seconds[0]))
        out["cleanlab count"] = image_result(
            issues.mean(axis=(1, 2)), kinds, judged_regions(components, wrong), float(seconds[1])
        )
        apart = np.abs([one.parts["softmin"] for one in scores] - (1 - peer["softmin"].astype(float))).max()
        lines.append(f"the part 'softmin' and cleanlab's lie at most {apart:.0e} apart")
        lines[1] += f", cleanlab {pixel_precision(list(-peer['pixels'].astype(float)), bench):.3f}"
    return out, lines, above


def table(name: str, found: dict[str, Result], lines: Sequence[str]) -> str:
    kinds = list(found["ours"].per_type)
    rows = [f"{name}", f"{'':18} AUROC  AUPRC  reg.P  reg.R  s/Mpx  " + "  ".join(kinds)]
    for label, one in found.items():
        region = [
            f"{value:.3f}" if value is not None else "    -" for value in (one.region_precision, one.region_recall)
        ]
        per_type = "  ".join(f"{one.per_type[kind]:.3f}".rjust(len(kind)) for kind in kinds)
        scores = f"{one.auroc:.3f}  {one.auprc:.3f}  {region[0]}  {region[1]}  {one.seconds_per_mpx:5.2f}"
        rows.append(f"{label:18} {scores}  {per_type}")
    return "\n".join([*rows, *lines])


def ranking(bench: BenchSet, without: frozenset[str], critics: bool) -> str:
    """Where the truth isn't known: the worst twenty."""
    scores, _, _ = ours(bench, without, critics)
    order = np.argsort([-one.score for one in scores])[:20]
    rows = []
    for i in order:
        regions = scores[i].regions
        said = f"{regions[0].reason} at {regions[0].box}" if regions else ""
        rows.append(f"{bench.samples[i].predicted.key}  {scores[i].score:.3f}  p={scores[i].probability:.2f}  {said}")
    return "\n".join([bench.name, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, nargs="+", default=[])
    for name in ("--images", "--masks", "--predictions", "--truth", "--classes"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--void", type=int, help="the id of the void class")
    parser.add_argument("--peer-python", help="a Python that has cleanlab; default: this one, if it does")
    parser.add_argument("--without", default="", help="families of errors not to practise, with commas between")
    parser.add_argument("--without-critic", action="store_true", help="don't train the network that criticises masks")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each set")
    args = parser.parse_args(arguments)
    sets = [read_bench(path, args.void) for path in args.bench]
    if args.images and args.masks and args.predictions:
        sets.append(read_folders(args.images, args.masks, args.predictions, args.truth, args.classes, args.void))
    if not sets:
        parser.error("give --bench FILE.npz, or --images, --masks and --predictions")
    without = frozenset(filter(None, args.without.split(",")))
    python = args.peer_python or (sys.executable if importlib.util.find_spec("cleanlab") else None)
    leads = []
    for bench in sets:
        kinds = {one.kind for one in bench.samples if one.truth is not None}
        if "clean" not in kinds or len(kinds) < 2:
            print(ranking(bench, without, not args.without_critic))
            continue
        found, lines, above = results(bench, without, not args.without_critic, python)
        leads.append(above)
        print(
            json.dumps({name: asdict(one) for name, one in found.items()})
            if args.json
            else table(bench.name, found, lines)
        )
    if len(leads) > 1 and not args.json:
        print(f"AUROC above softmin's, mean of {len(leads)} sets: {mean_lead(leads)}")


if __name__ == "__main__":
    main()
