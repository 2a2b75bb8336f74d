"""What rounds of self-training a run was asked for, and how far each of them is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.flows import child
from app.flows.snapshot import CantTrain
from app.store.tables import Run

KEYS = ("rounds", "wished")  # of a run's config, beside the trainer's own
MOST = 10
LOWEST, HIGHEST = 0.5, 0.999
PRECISION = 0.95


@dataclass(frozen=True)
class Standing:
    """One round. ``state``: waiting, labelling, training, done, or left out where the rounds ended before it. ``miou``
    on validation, of its best epoch so far; ``test``: mean IoU there, where it was judged on it. ``pseudo``: what the
    model of the round before said of samples without a mask, as ``app.domain.rounds.Pseudo``."""

    number: int
    state: str
    miou: float | None
    test: float | None
    pseudo: Mapping[str, Any] | None
    kept: bool


def asked(rounds: int, precision: float) -> dict[str, Any]:
    """What a run's config holds beside the trainer's keys; nothing without rounds. Raises CantTrain."""
    if not 0 <= rounds <= MOST:
        raise CantTrain(f"Ask for 0 to {MOST} rounds of self-training, not {rounds}.")
    if not LOWEST <= precision <= HIGHEST:
        raise CantTrain(f"Ask for a precision of {LOWEST} to {HIGHEST}, not {precision}.")
    return {"rounds": rounds, "wished": precision} if rounds else {}


def place(folder: Path, number: int) -> Path:
    """Where a round lies in its run's folder."""
    return folder / f"round_{number}"


def shown(told: list[dict[str, Any]], result: Mapping[str, Any]) -> int | None:
    """The round whose epochs tell of the run: the one that is kept, before that the newest; None without rounds."""
    found: int | None = result.get("best_round", told[-1].get("round") if told else None)
    return found


def rounds_of(home: Path, run: Run) -> list[Standing]:
    """Every round that was asked for, in order; none for a run without."""
    if "rounds" not in run.config:
        return []
    numbers = range(run.config["rounds"] + 1)
    if run.result:
        ended = {one["number"]: one for one in run.result["rounds"]}
        return [_ended(number, ended.get(number), number == run.result["best_round"]) for number in numbers]
    folder = child.folder_of(home, run.id)
    pseudo = {number: _said(folder, number) for number in numbers}
    last = min((number for number, one in pseudo.items() if one and "reason" in one), default=len(numbers))
    figures: dict[int, float | None] = {}
    for event in child.events(home, run.id):
        if event["event"] == "epoch" and event["improved"]:
            figures[event["round"]] = event["val"]["miou"]
    return [
        _going(folder, number, figures.get(number), pseudo[number])
        if number < last
        else Standing(number, "left out", None, None, None, False)
        for number in numbers
    ]


def _ended(number: int, one: Mapping[str, Any] | None, kept: bool) -> Standing:
    if one is None:
        return Standing(number, "left out", None, None, None, False)
    return Standing(number, "done", one["miou"], one["test"], one["pseudo"], kept)


def _said(folder: Path, number: int) -> dict[str, Any] | None:
    path = place(folder, number) / "pseudo.json"
    said: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return said


def _going(folder: Path, number: int, miou: float | None, pseudo: Mapping[str, Any] | None) -> Standing:
    mine = place(folder, number)
    for state, name in (("done", "result.json"), ("training", "wanted.json"), ("labelling", "")):
        if (mine / name).exists():
            return Standing(number, state, miou, None, pseudo, False)
    return Standing(number, "waiting", None, None, None, False)
