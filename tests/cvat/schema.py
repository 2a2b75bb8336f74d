"""Requests checked against the server's own OpenAPI schema: method, path, query, content type, body."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

_REF = "#/components/schemas/"
# What the server's own SDK asks for though the schema doesn't list it: pieces of an upload, exports, empty bodies.
_PIECES = re.compile(r"/api/tasks/\d+/(data|annotations)/[^/]+")
_DOWNLOADS = re.compile(r"/api/\w+/\d+/dataset/download")
_DATA = re.compile(r"/api/tasks/\d+/(data|annotations)/")


class Unlawful(AssertionError):
    """A request that the schema doesn't allow."""


class Schema:
    """``check`` raises Unlawful with the reason."""

    def __init__(self, path: Path) -> None:
        self._document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        self._paths = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", one)), operations)
            for one, operations in self._document["paths"].items()
        ]
        self._bodies: dict[str, Any] = {}

    def check(self, method: str, path: str, query: list[tuple[str, str]], kind: str, body: bytes) -> None:
        operations = [found for pattern, found in self._paths if pattern.fullmatch(path)]
        if (method in ("PATCH", "HEAD") and _PIECES.fullmatch(path)) or _DOWNLOADS.fullmatch(path):
            return
        if not operations or method.lower() not in operations[0]:
            raise Unlawful(f"{method} {path} is not in the schema")
        operation = operations[0][method.lower()]
        self._check_query(operation, query)
        content = operation.get("requestBody", {}).get("content", {})
        if body and kind not in content:
            raise Unlawful(f"{method} {path} takes {', '.join(content) or 'no body'}, not {kind}")
        if body and kind == "application/json":
            self._check_body(content[kind]["schema"], body)
        if not body and operation.get("requestBody", {}).get("required") and not _DATA.fullmatch(path):
            raise Unlawful(f"{method} {path} needs a body")

    def _check_query(self, operation: dict[str, Any], query: list[tuple[str, str]]) -> None:
        known = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
        for name, value in query:
            if name == "conv_mask_to_poly":
                continue  # taken by the server, and left out of its schema
            if name not in known:
                raise Unlawful(f"no query parameter {name}")
            schema = known[name]["schema"]
            if schema.get("type") == "integer" and not re.fullmatch(r"-?\d+", value):
                raise Unlawful(f"{name}={value} is no integer")
            if "enum" in schema and value not in schema["enum"]:
                raise Unlawful(f"{name}={value} is none of {schema['enum']}")
        missing = {name for name, one in known.items() if one.get("required")} - {name for name, _ in query}
        if missing:
            raise Unlawful(f"query parameters {missing} are missing")

    def _check_body(self, schema: dict[str, Any], body: bytes) -> None:
        key = json.dumps(schema)
        if key not in self._bodies:
            self._bodies[key] = jsonschema_rs.validator_for(self._whole(schema))
        try:
            value = json.loads(body)
        except ValueError as error:
            raise Unlawful(f"the body is no JSON: {error}") from None
        errors = [
            f"{'/'.join(map(str, one.instance_path))}: {one.message}" for one in self._bodies[key].iter_errors(value)
        ]
        if errors:
            raise Unlawful("; ".join(errors[:3])[:500])

    def _whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A JSON schema that stands alone; OpenAPI's ``nullable`` said in JSON schema's words."""
        wanted, seen = [schema], {}
        while wanted:
            for name in re.findall(rf'"{_REF}(\w+)"', json.dumps(wanted.pop())):
                if name not in seen:
                    seen[name] = self._document["components"]["schemas"][name]
                    wanted.append(seen[name])
        whole = {**schema, "components": {"schemas": seen}, "$schema": "http://json-schema.org/draft-07/schema#"}
        plain: dict[str, Any] = _nullable(whole)
        return plain


@cache
def recorded_schema(path: Path) -> Schema:
    return Schema(path)


def _nullable(value: Any) -> Any:
    if isinstance(value, list):
        return [_nullable(one) for one in value]
    if not isinstance(value, dict):
        return value
    out = {key: _nullable(one) for key, one in value.items() if key not in ("nullable", "format", "readOnly")}
    return {"anyOf": [out, {"type": "null"}]} if value.get("nullable") is True else out
