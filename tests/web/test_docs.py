"""The schema, the page that shows it, and docs/rest.md say the same; what the schema promises is kept."""

import re
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from httpx import InvalidURL
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests import Request, RequestException
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.web.conftest import HOST, ORIGIN

DOCS = Path(__file__).parents[2] / "docs" / "rest.md"


def routes(client: TestClient) -> set[str]:
    paths = client.get("/openapi.json").json()["paths"]
    return {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs}


def test_every_route_is_documented_and_no_other(reader: TestClient) -> None:
    documented = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /\S+)` \|", DOCS.read_text(), re.MULTILINE))
    assert documented == routes(reader)


def test_the_reference_page_shows_every_route_without_a_script(reader: TestClient) -> None:
    page = reader.get("/docs")
    assert page.status_code == 200
    shown = unescape(page.text)
    for route in routes(reader):
        assert route in shown
    assert "cdn" not in shown
    assert not re.findall(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", page.text)
    for anchor in re.findall(r'href="#(\w+)"', page.text):
        assert f'id="{anchor}"' in page.text, anchor


def test_everything_in_the_schema_is_described(reader: TestClient) -> None:
    schema = reader.get("/openapi.json").json()
    for path, verbs in schema["paths"].items():
        for verb, route in verbs.items():
            assert route["description"].rstrip().endswith("."), (verb, path)
            assert "problem+json" in str(route["responses"]["default"]), (verb, path)
    named = re.findall(r"#/components/schemas/(\w+)", str(schema))
    assert set(named) <= set(schema["components"]["schemas"])


KNOWN = {"dataset": "mars", "key": "training_set/00000"}
# Streams that end with what they follow, or never; test_work and test_runs follow them.
ENDLESS = ("/api/v1/jobs/events", "/api/v1/runs/{run}/stream")
CHECKS: list[CheckFunction] = [not_a_server_error, response_schema_conformance, content_type_conformance]
FEW = settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.one_database  # test_fuzz asks on both
def test_answers_fit_the_schema_whatever_is_asked(client: TestClient) -> None:
    """Generated requests for each route, half of them to things that are there: never a 5xx, and always the shape and
    the content type that the schema names."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path in ENDLESS:
            continue
        names = re.findall(r"{(\w+)}", operation.path)
        there = operation.as_strategy(path_parameters={name: KNOWN.get(name, 1) for name in names})
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        for cases in (there, operation.as_strategy(), wrong):
            with suppress(Unsatisfiable):  # a route without parameters leaves nothing to get wrong
                FEW(given(cases)(lambda case: ask(client, case)))()
        asked += 1
    assert asked > 30


def ask(client: TestClient, case: Case[Any]) -> None:
    try:
        kwargs = case.as_transport_kwargs(base_url=f"http://{HOST}", headers=ORIGIN)
        request = Request(**kwargs).prepare()
        answer = client.request(str(request.method), str(request.url), headers=request.headers, content=request.body)
    except (InvalidURL, RequestException):  # the client itself won't send it
        return
    case.validate_response(answer, checks=CHECKS)
