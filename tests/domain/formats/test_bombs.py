"""Files that would fill the memory: all are read by one process that may have no more than a stated bound of it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.domain.formats.bombs import BOMBS
from tests.domain.formats.made import picture

# Addresses, libraries included. A picture may have 350 million pixels, and is in memory twice while it is decoded.
BOUND = 2 << 30
PEAK = 1 << 30
# Read as what they are without them: a picture whose first pixels are all it needs, or that lies beside a document that
# no format takes for its own.
HARMLESS = (
    "png pixels without end",
    "tiff pages in a circle",
    "xml laughs, voc",
    "json deep",
    "json deep, closed",
    "json number",
)
PATIENCE = 10.0  # seconds of one file, on a busy machine


def read_all(folder: Path, paths: list[Path]) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "tests.domain.formats.read_all", str(BOUND), *map(str, paths)]
    root = Path(__file__).parents[3]
    env = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    root = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        for file, data in make().items():
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    read = read_all(root, [root / name for name in BOMBS])
    assert not (root / "pickle-ran").exists()
    return dict(zip(BOMBS, read, strict=True))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_words_or_does_nothing_within_the_bounds(
    outcomes: dict[str, dict[str, object]], name: str
) -> None:
    outcome = outcomes[name]
    refused = outcome["refused"]
    assert isinstance(refused, list)
    assert (outcome["samples"], bool(refused)) == ((1, False) if name in HARMLESS else (0, True)), outcome
    assert all(reason and "Traceback" not in reason and "MemoryError" not in reason for _, reason in refused)
    assert float(str(outcome["seconds"])) < PATIENCE
    assert int(str(outcome["peak"])) < PEAK


def test_zips_that_lie_or_climb(tmp_path: Path) -> None:
    small = picture(6, 4)
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as archive:
        for name in ("../../a.png", "/etc/a.png", "C:/a.png", "x/../../a.png", "ok.png"):
            archive.writestr(name, small)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(tmp_path / "zeros.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * (150 << 20))
        archive.writestr("ok.png", small)
    lying = bytearray((tmp_path / "zeros.zip").read_bytes())
    at = lying.index(b"PK\x01\x02")
    lying[at + 24 : at + 28] = (1000).to_bytes(4, "little")  # the central directory's unpacked size
    (tmp_path / "lies.zip").write_bytes(lying)
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as archive:
        for index in range(20_000):
            archive.writestr(f"{index}.txt", b"")
        archive.writestr("ok.png", small)
    climbs, zeros, lies, lots = read_all(tmp_path, [tmp_path / f"{n}.zip" for n in ("climbs", "zeros", "lies", "many")])
    assert [outcome["samples"] for outcome in (climbs, zeros, lies, lots)] == [1, 1, 1, 1]
    assert len(climbs["refused"]) == 5  # type: ignore[arg-type]  # a list, as JSON has it
    assert "thousand times" in str(zeros["refused"])
    assert lies["refused"]
    assert max(int(str(outcome["peak"])) for outcome in (climbs, zeros, lies, lots)) < PEAK
