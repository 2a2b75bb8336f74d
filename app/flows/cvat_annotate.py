"""A trained network draws into a CVAT task. The work is a child process's, which has torch and CVAT's SDK."""

import importlib.util
import json
import os
import subprocess
import sys

from app.domain.errors import NotFound
from app.flows.child import TrainingFailed, folder_of
from app.flows.cvat_link import choose
from app.flows.progress import Progress, quiet
from app.settings import Settings
from app.store import runs
from app.store.db import Database


class NoSdk(NotFound):
    """CVAT's SDK isn't installed."""


def run(
    db: Database,
    settings: Settings,
    task: int,
    run_id: int,
    server: str | None = None,
    replace: bool = False,
    progress: Progress = quiet,
) -> int:
    """Draw the masks that a run's model sees into a task; how many shapes. ``replace``: take away what is there.

    Raises NotFound for a run without a model, NoSdk, BadServer, and TrainingFailed with the child's sentence.
    """
    target = choose(settings, server)
    with db.read() as session:
        runs.find(session, run_id)
    model = folder_of(settings.home, run_id) / "model.pt"
    if not model.exists():
        raise NotFound(f"Run {run_id} has no model yet; it is there after the first epoch.")
    if importlib.util.find_spec("cvat_sdk") is None:
        raise NoSdk("Drawing into CVAT needs its SDK; install it with: pip install 'remask[cvat]'")
    login = {
        "url": target.url,
        "authorization": target.authorization,
        "user": target.user,
        "password": target.password.get_secret_value() if target.password is not None else None,
        "organization": target.organization,
        "verify": target.verify,
    }
    command = [sys.executable, "-m", "ml.cvat_function", str(model), "--task", str(task)]
    command += ["--replace"] if replace else []
    # The SDK's HTTP client takes a certificate from here alone.
    trusted = {"SSL_CERT_FILE": str(target.ca)} if target.ca is not None else {}
    progress(0, 0, "drawing masks")
    sentence, shapes = "The program that draws ended without a word.", 0
    with subprocess.Popen(  # noqa: S603  (our own program)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | trusted
    ) as child:
        assert child.stdin is not None and child.stdout is not None  # noqa: S101  (pipes were asked for)
        child.stdin.write(json.dumps(login))  # never an argument: those are for all to see
        child.stdin.close()
        for line in child.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            match event.get("event"):
                case "frame":
                    progress(event["done"], 0, "drawing masks")
                case "end":
                    shapes = event["shapes"]
                case "error":
                    sentence = event["message"]
    if child.returncode:
        raise TrainingFailed(sentence)
    return shapes
