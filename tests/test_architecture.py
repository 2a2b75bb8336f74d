"""The house: imports run one way, and SQL, HTTP, torch and the job engine stay in their rooms."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each layer may import of ours besides itself and the root modules without a layer.
MAY = {
    "app.domain": set[str](),
    "app.store": {"app.domain"},
    "app.cvat": {"app.domain"},
    "app.flows": {"app.domain", "app.store", "app.cvat"},
    "app.jobs.engine": {"app.domain", "app.store", "app.jobs"},
    "app.jobs": {"app.domain", "app.store", "app.flows"},
    "app.web": {"app.domain", "app.store", "app.flows", "app.jobs"},
    "app.cli": {"app.domain", "app.store", "app.flows", "app.jobs", "app.serving"},
    "app.serving": {"app.domain", "app.store", "app.jobs", "app.jobs.engine", "app.web"},
    "app.__main__": {"app.domain", "app.store", "app.cli"},
    "app.settings": set[str](),
    "app.paths": set[str](),
    "app.logs": set[str](),
}
FREE = {"app", "app.settings", "app.paths", "app.logs"}
ONLY_IN = {
    "sqlalchemy": {"app.store", "migrations"},
    "alembic": {"app.store", "migrations"},
    "fastapi": {"app.web"},
    "starlette": {"app.web"},
    "uvicorn": {"app.serving"},
    "dbos": {"app.jobs.engine"},
    "urllib3": {"app.cvat"},
    "typer": {"app.cli", "app.__main__"},
    "torch": {"ml"},
    "obstore": {"app.store"},
    "prometheus_client": {"app.web"},
}
TORCH_FREE = ("ml.config", "ml.snapshot", "ml.predictions", "ml.lessons", "ml.split", "ml.errors")
SOURCES = sorted(path for top in ("app", "ml", "migrations") for path in (ROOT / top).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    return next((layer for layer in MAY if module == layer or module.startswith(layer + ".")), module.split(".")[0])


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    layer = layer_of(name_of(path))
    for imported in imports_of(path):
        top = imported.split(".")[0]
        if top == "app" and layer != "migrations":
            target = layer_of(imported)
            allowed = MAY[layer] | FREE | {layer} if layer in MAY else set()
            assert target in allowed, f"{layer} must not import {imported}"
        if top == "ml" and layer != "ml":
            # Those that are free of torch, for the flows that write snapshots, start trainings and read predictions.
            assert layer == "app.flows", f"{layer} must not import {imported}"
            assert any(imported == one or imported.startswith(one + ".") for one in TORCH_FREE), imported
        if top in ONLY_IN:
            # A flow hands a session on, so it may name the type; it writes no SQL.
            handed_on = imported == "sqlalchemy.orm.Session"
            assert layer in ONLY_IN[top] or handed_on, f"{layer} must not import {top}"
