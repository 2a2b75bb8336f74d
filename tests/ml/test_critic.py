"""Critics are trained to tell spoilt masks, and what they have learned can be worked out without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from app.domain.detector import critic as worked_out
from ml.config import Config
from ml.critic import Critic, main, seen, train
from ml.errors import Refused
from ml.lessons import Lessons, read_critics, read_lessons, steps_for, write_lessons

CONFIG = Config(device="cpu", threads=1, precision="fp32")


def made(count: int, seed: int = 0) -> Lessons:
    """Two classes, a square of the second on the first; in spoilt copies it lies elsewhere than in the picture."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, 3, 32, 32), np.uint8)
    pictures = np.zeros((count, 3, 32, 32), np.uint8)
    for i in range(count):
        for copy, (top, left) in enumerate(rng.permutation([(2, 2), (2, 18), (18, 2), (18, 18)])[:3]):
            masks[i, copy, top : top + 12, left : left + 12] = 1
        pictures[i] = 200 * masks[i, 0]
    chances = np.full((count, 2, 16, 16), 200, np.uint8)
    return Lessons(pictures, chances, masks, (np.arange(count) % 2).astype(np.uint8))


def test_numpy_says_what_torch_says() -> None:
    torch.manual_seed(0)
    network = Critic(5).train()
    rng = np.random.default_rng(0)
    chances = rng.integers(0, 256, (4, 5, 16, 24)).astype(np.uint8)
    pictures = rng.integers(0, 256, (4, 3, 32, 48)).astype(np.uint8)
    masks = rng.integers(0, 5, (4, 32, 48)).astype(np.uint8)
    x = seen(*(torch.from_numpy(one) for one in (pictures, chances, masks)))
    for _ in range(3):
        network(x)  # so that the norms have seen something
    with torch.no_grad():
        cells, whole = network.eval()(x)
    assert cells.shape == (4, 16, 24)
    views = [worked_out.View(*one) for one in zip(pictures, chances, strict=True)]
    own = [worked_out.score(network.layers(), view, mask[None])[0] for view, mask in zip(views, masks, strict=True)]
    assert own == pytest.approx(whole.tolist(), abs=1e-5)


def test_a_critic_learns_to_tell_spoilt_masks_of_samples_it_never_saw() -> None:
    lessons = made(24)
    critics = train(lessons, CONFIG)
    for half in (0, 1):
        given, spoilt = [], []
        for i in np.flatnonzero(lessons.halves == half):
            view = worked_out.View(lessons.pictures[i], lessons.chances[i])
            odds = worked_out.score(critics[half], view, lessons.masks[i, :2])
            given.append(odds[0])
            spoilt.append(odds[1])
        assert roc_auc_score([0] * len(given) + [1] * len(spoilt), given + spoilt) > 0.9


def test_more_lessons_more_steps_up_to_a_bound() -> None:
    assert [steps_for(count) for count in (1, 60, 200, 100_000)] == [60, 150, 500, 700]


def test_the_program_goes_from_file_to_file_and_says_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lessons = made(8)
    hash = write_lessons(tmp_path / "lessons", lessons)
    back = read_lessons(tmp_path / "lessons")
    assert back.hash == hash and (back.masks == lessons.masks).all() and (back.halves == lessons.halves).all()
    assert (
        main([str(tmp_path / "lessons"), "--out", str(tmp_path / "critics"), "--device", "cpu", "--threads", "1"]) == 0
    )
    learned_from, (one, other) = read_critics(tmp_path / "critics")
    assert learned_from == hash and len(one) == len(other) == 16
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["step"] for event in events if event["event"] == "critic"] == list(range(10, 121, 10))
    assert events[-1]["event"] == "end"


def test_a_file_that_holds_no_lessons_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lessons").write_bytes(bytes(500))
    with pytest.raises(Refused, match="is no remask lessons file"):
        read_lessons(tmp_path / "lessons")
    assert main([str(tmp_path / "lessons"), "--out", str(tmp_path / "critics")]) == 2
    assert "is no remask lessons file" in capsys.readouterr().out
