"""Critics of masks: what the detector has them learn is written to a file, a child of ``ml`` trains them on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.domain.detector.critic import DOUBTED, FEWEST, Layers, Lessons
from app.flows import child
from app.flows.progress import Progress
from ml import lessons as files

_STEP = 0.19  # seconds of both critics' step on a core without a GPU, measured


def outlook(samples: int) -> float:
    """About how many seconds critics take to practise on a set."""
    lessons = int((1 - DOUBTED) * samples)
    return _STEP * files.steps_for(lessons) if lessons >= FEWEST else 0.0


def taught(folder: Path, lessons: Lessons, config: Mapping[str, Any], progress: Progress) -> tuple[Layers, Layers]:
    """The critics of ``lessons``, trained in ``folder`` on the device and threads of the run's ``config``; those that
    an interrupted judging has trained on the same are kept. Raises TrainingFailed."""
    asked, learned = folder / "lessons", folder / "critics"
    hash = files.write_lessons(asked, files.Lessons(lessons.pictures, lessons.chances, lessons.masks, lessons.halves))
    if not learned.exists() or files.read_critics(learned)[0] != hash:
        arguments = ["ml.critic", str(asked), "--out", str(learned)]
        arguments += ["--device", str(config["device"]), "--threads", str(config["threads"])]

        hear = child.counting(progress, "critic", "step", "steps", "practising on spoilt masks")
        child.see_done(arguments, folder, hear)
    asked.unlink()
    one, other = files.read_critics(learned)[1]
    return one, other
