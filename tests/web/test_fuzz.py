"""Sequences of generated requests to a real server: what one answer gives, ids above all, is used in the next one."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.core.transport import Response
from sqlalchemy import make_url

from app.settings import Settings
from tests.postgres import Cluster
from tests.web.live import serving
from tests.web.test_docs import CHECKS, ENDLESS, KNOWN

SHORT = {"max_examples": 8, "stateful_step_count": 8}
LONG = {"max_examples": 400, "stateful_step_count": 30}
THERE = 15  # samples that the server has; ids beyond are mostly led back to them


@dataclass(frozen=True)
class Data:
    """The data that a server starts on: where, besides ``tmp_path``; ``renew`` makes it again what it was."""

    url: str | None
    renew: Callable[[], object]


@pytest.fixture
def data(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Data]:
    if backend == "sqlite":
        live, home = Settings(home=tmp_path).database, request.getfixturevalue("home")
        shutil.copyfile(Settings(home=home).database, live)

        def renew() -> None:
            with closing(sqlite3.connect(live)) as to:
                pristine.backup(to)

        with closing(sqlite3.connect(Settings(home=home).database)) as pristine:
            yield Data(None, renew)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    template = request.getfixturevalue("filled")[0]
    url = cluster.create(template=template)
    name = make_url(url).database

    def make_anew() -> None:
        cluster.drop(url)  # its connections too; the server makes new ones
        cluster.create(name, template)

    yield Data(url, make_anew)
    cluster.drop(url)


@pytest.mark.parametrize("size", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "long"])
def test_no_sequence_of_requests_breaks_the_server(data: Data, tmp_path: Path, size: dict[str, int]) -> None:
    """Never a 5xx, always the schema's shape and content type; and afterwards the server still answers."""
    with serving(tmp_path, reviewer="Test", database_url=data.url) as (address, _):
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json").exclude(path=list(ENDLESS))
        asked: set[str] = set()

        class Machine(schema.as_state_machine()):  # type: ignore[misc]  # a class made of the schema
            def setup(self) -> None:
                """Every sequence begins with the same data: it could not be repeated else."""
                data.renew()

            def get_call_kwargs(self, *_: Case[Any]) -> dict[str, Any]:
                return {"headers": {"Origin": address}, "timeout": 120}

            def before_call(self, case: Case[Any]) -> None:
                super().before_call(case)
                for name, value in case.path_parameters.items():
                    if isinstance(value, int) and value % 10:
                        case.path_parameters[name] = 1 + value % THERE
                    elif isinstance(value, str) and name in KNOWN and len(value) % 4:
                        case.path_parameters[name] = KNOWN[name]

            def validate_response(self, response: Response, case: Case[Any], **_: Any) -> None:
                asked.add(case.operation.label)
                case.validate_response(response, checks=CHECKS)

        Machine.run(
            settings=settings(
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                **size,  # type: ignore[arg-type]  # each is one of the settings
            )
        )
        assert len(asked) > 10
        assert schemathesis.openapi.from_url(f"{address}/openapi.json") is not None
