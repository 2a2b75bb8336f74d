"""The benchmark: its own numbers are right, and its one line of JSON has the promised shape."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.label_errors import image_result, judged_regions, lead, main, mean_lead
from benchmarks.label_sets import read_bench
from benchmarks.reliability import reliability, sentence
from tests.domain.detector.sets import make
from tests.shared import shared

FIELDS = {"auroc", "auprc", "per_type", "region_precision", "region_recall", "seconds_per_mpx"}


def test_contamination_counts_by_kind_only() -> None:
    scores = np.array([0.1, 0.2, 0.9, 0.0])
    result = image_result(scores, ["clean", "clean", "drop", "contam"], None, 0.5)
    assert (result.auroc, result.auprc, result.per_type) == (1.0, 1.0, {"contam": 0.0, "drop": 1.0})


def test_regions_are_judged_by_half_of_their_pixels() -> None:
    wrong = np.zeros((10, 10), np.bool_)
    wrong[:4, :4] = wrong[6:, 6:] = True
    right, half_off = np.zeros_like(wrong), np.zeros_like(wrong)
    right[:4, :2] = True
    half_off[4:6, :] = True
    assert judged_regions([[right, half_off]], [wrong]) == (0.5, 0.5)
    assert judged_regions([[]], [wrong]) == (0.0, 0.0)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    made = make(24, kinds=3)
    path = tmp_path / "made.npz"
    np.savez(
        path,
        images=np.stack([one.image for one in made.samples]),
        given=np.stack([one.given for one in made.samples]),
        true=np.stack([made.truth[one.key] for one in made.samples]),
        error_type=np.array(["swap" if one.key in made.wrong else "clean" for one in made.samples]),
        probabilities=np.stack([one.probabilities for one in made.samples]),
    )
    return path


def test_one_line_of_json_holds_what_was_promised(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--bench", str(bench), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert set(found["ours"]) == FIELDS
    assert set(found["ours"]["per_type"]) == {"swap"}


def test_folders_without_truth_are_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {name: tmp_path / name for name in ("images", "masks", "predictions")}
    for folder in folders.values():
        folder.mkdir()
    for one in make(12).samples:
        Image.fromarray(one.image).save(folders["images"] / f"{one.key}.png")
        Image.fromarray(one.given).save(folders["masks"] / f"{one.key}.png")
        np.save(folders["predictions"] / f"{one.key}.npy", one.probabilities)
    main([part for name, folder in folders.items() for part in (f"--{name}", str(folder))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13 and lines[1].split()[0].startswith("s")


def test_the_published_file_is_read_as_its_readme_says() -> None:
    bench = read_bench(shared("bench/camvid_L_seed0.npz"))
    first = bench.samples[0].predicted
    assert len(bench.samples) == 280 and first.probabilities.shape == (96, 128, 12)
    assert bench.classes.void_ids == {11}
    agree = [(one.predicted.probabilities.argmax(axis=2) == one.truth).mean() for one in bench.samples[:20]]
    assert np.mean(agree) > 0.7


def test_what_was_told_is_held_against_what_was_wrong() -> None:
    told = np.concatenate([np.full(20, 0.1), np.full(20, 0.9), np.full(9, 0.5)])
    wrong = np.concatenate([np.arange(20) < 2, np.arange(20) < 10, np.ones(9, np.bool_)])
    bins = reliability(told, wrong)
    assert [(round(one.told, 6), one.wrong, one.count) for one in bins] == [(0.1, 0.1, 20), (0.9, 0.5, 20)]
    assert sentence(bins) == "0.10 -> 0.10 (20), 0.90 -> 0.50 (20); at most 0.40 off"
    assert sentence([]) == "too few to tell"


def test_a_lead_is_told_with_its_chance() -> None:
    bad = np.arange(40) < 10
    sure, blind, noise = bad.astype(float), np.zeros(40), np.random.default_rng(1).random(40)
    clear, none = lead(sure, blind, bad, 50), lead(blind, blind, bad, 50)
    assert str(clear) == "+0.500 (95 %: +0.500 to +0.500)"
    assert str(mean_lead([clear, none])) == "+0.250 (95 %: +0.250 to +0.250)"
    low, high = np.quantile(lead(noise, noise[::-1], bad, 200).draws, [0.025, 0.975])
    assert low < 0 < high
