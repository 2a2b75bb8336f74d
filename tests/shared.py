"""Real data that lies beside a checkout on some machines; tests that need it skip elsewhere, with the reason."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("REMASK_SHARED", Path(__file__).parents[2] / "shared"))


def shared(name: str) -> Path:
    """The path of ``name`` in the shared folder; skips the test where it isn't there."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"needs real data: {name} in REMASK_SHARED (default: a folder `shared` beside the checkout)")
    return path
