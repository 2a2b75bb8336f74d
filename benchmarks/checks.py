"""Seconds and flags of every check, beside a floor (reading and hashing the same bytes) and beside cleanvision.

python -m benchmarks.checks --data synthetic:2615
python -m benchmarks.checks --data path/to/set.npz --peer-python path/to/venv/bin/python --json
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.checks.base import Finding, Group, View
from app.domain.checks.registry import CHECKS
from app.domain.classes import ClassList, unnamed
from app.domain.mask import Mask, as_mask, encode_png, pixel_hash
from app.domain.picture import to_display
from benchmarks.replicas import Plant, replica

Array = npt.NDArray[np.generic]
Pairs = list[tuple[Array, Mask | None]]

PEER = """
import json, sys, time
from cleanvision import Imagelab
start = time.perf_counter()
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(n_jobs=1, verbose=False)
seconds = time.perf_counter() - start
flags = {c[3:-6]: int(lab.issues[c].sum()) for c in lab.issues.columns if c.endswith("_issue")}
print(json.dumps({"seconds": round(seconds, 2), "flags": flags}))
"""


def load(data: str) -> Pairs:
    """Pairs of an NPZ in the course layout, of a folder with images/ and masks/, or of synthetic:N."""
    if data.startswith("synthetic:"):
        count = int(data.partition(":")[2])
        made = replica(0, max(count - 110, 1), [Plant(110, "drawn", "exact")])
        return list[tuple[Array, Mask | None]](zip(made.images, made.masks, strict=True))[:count]
    path = Path(data)
    if path.suffix == ".npz":
        return [(pair[0], as_mask(pair[1])) for pair in np.load(path)["training_set"]]
    pairs: Pairs = []
    for mask in sorted((path / "masks").rglob("*.png")):
        stem = (path / "images" / mask.relative_to(path / "masks")).with_suffix("")
        image = next(stem.parent.glob(stem.name + ".*"))
        pairs.append((np.asarray(Image.open(image)), as_mask(np.asarray(Image.open(mask)))))
    return pairs


def measure(pairs: Pairs) -> list[dict[str, object]]:
    """One row for the floor and one for each check: processor seconds, flags, groups, looks."""
    start = time.process_time()
    seen = [
        View(i, image, pixel_hash(image), mask, None if mask is None else pixel_hash(mask))
        for i, (image, mask) in enumerate(pairs)
    ]
    rows: list[dict[str, object]] = [{"check": "floor: hash", "seconds": round(time.process_time() - start, 2)}]
    ids = {int(id) for _, mask in pairs if mask is not None for id in np.unique(mask)}
    classes = ClassList(tuple(unnamed(id) for id in sorted(ids)))
    for factory in CHECKS:
        check, looks = factory(classes), [0]
        look = _counted(seen, looks)
        start = time.process_time()
        for view in seen:
            check.see(view)
        middle = time.process_time()
        out = list(check.finish(look))
        stop = time.process_time()
        rows.append(
            {
                "check": check.name,
                "seconds": round(stop - start, 2),
                "see": round(middle - start, 2),
                "finish": round(stop - middle, 2),
                "looks": looks[0],
                "flagged": sum(one.flagged for one in out if isinstance(one, Finding)),
                "groups": sum(isinstance(one, Group) for one in out),
                "flagged_groups": sum(one.flagged for one in out if isinstance(one, Group)),
            }
        )
    return rows


def _counted(seen: list[View], looks: list[int]) -> Callable[[int], View]:
    def look(sample: int) -> View:
        looks[0] += 1
        return seen[sample]

    return look


def peer(pairs: Pairs, python: str) -> dict[str, object]:
    """cleanvision on the same images as PNG files, one process, in the interpreter where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        for i, (image, _) in enumerate(pairs):
            Path(folder, f"{i:06}.png").write_bytes(encode_png(to_display(image), level=1))
        start = time.perf_counter()
        for file in sorted(Path(folder).iterdir()):
            pixel_hash(np.asarray(Image.open(file)))
        floor = time.perf_counter() - start
        done = subprocess.run([python, "-c", PEER, folder], capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return {"check": "cleanvision", "floor_read_and_hash": round(floor, 2), **answer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default="synthetic:2615", help="an NPZ, a folder with images/ and masks/, or synthetic:N"
    )
    parser.add_argument("--peer-python", help="an interpreter that has cleanvision")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    pairs = load(args.data)
    rows = measure(pairs)
    if args.peer_python:
        rows.append(peer(pairs, args.peer_python))
    if args.json:
        print(json.dumps({"data": args.data, "samples": len(pairs), "machine": platform.machine(), "rows": rows}))
        return
    print(f"{len(pairs):,} samples of {args.data}")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
