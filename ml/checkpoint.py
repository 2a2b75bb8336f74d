"""The checkpoint that a run goes on from, and whether it is the same run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ml.errors import Refused

NAME = "checkpoint.pt"


def stored(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state of the run in ``folder``, None where there is none.

    ``identity``: snapshot, splits and the config as asked for. Raises Refused where the run there has another one,
    naming what differs, or where the checkpoint can't be read.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever bytes that are no checkpoint make of the reader
        raise Refused(f"{path} can't be read; remove it to start over, or restore it.") from error
    for what, mine in identity.items():
        theirs = state["identity"][what]
        if theirs != mine:
            differing = [key for key in mine if mine[key] != theirs.get(key)] if isinstance(mine, dict) else []
            detail = f" ({', '.join(differing)})" if differing else ""
            raise Refused(f"{folder} holds a run with another {what}{detail}; give another --out.")
    return state
