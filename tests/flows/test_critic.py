"""Critics are trained by a child process, once for the same lessons."""

from pathlib import Path

from app.domain.detector.critic import Layers, Lessons
from app.flows import critic
from tests.ml.test_critic import made


def test_critics_are_trained_once_and_their_lessons_go(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    like = made(4)
    lessons = Lessons(like.pictures, like.chances, like.masks, like.halves)

    def taught() -> tuple[Layers, Layers]:
        return critic.taught(tmp_path, lessons, {"device": "cpu", "threads": 1}, lambda *said: told.append(said))

    first = taught()
    assert told[-1] == (120, 120, "practising on spoilt masks")
    before = len(told)
    assert not (tmp_path / "lessons").exists()
    again = taught()
    assert len(told) == before  # nothing was trained
    assert all((a == b).all() for a, b in zip(first[0], again[0], strict=True))
