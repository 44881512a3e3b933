"""m3ter's own description of its API, as a validator of requests and answers."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema import Draft4Validator, FormatChecker

ABSENT = (
    "m3ter's OpenAPI description is needed and absent: set M3TER_OPENAPI to the path of m3ter-openapi.json. "
    "It is m3ter's file and not part of this repository; .ci/run says where it expects it."
)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_formats = FormatChecker(formats=())


@_formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or _DATE_TIME.fullmatch(value) is not None


@_formats.checks("date")
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


@_formats.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


class BrokenContractError(AssertionError):
    """A request or an answer is not what m3ter describes."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description; `template` is its path with {placeholders}."""

    method: str
    template: str
    body: Mapping[str, Any]


class Description:
    """The description, loaded once; methods raise BrokenContractError with every breach they find."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = _json_schema(document)
        self._operations = [
            (_pattern(template), Operation(method.upper(), template, body))
            for template, item in self._document["paths"].items()
            for method, body in item.items()
            if method in ("get", "post", "put", "delete", "patch")
        ]

    def operations(self) -> list[Operation]:
        """Every operation that is described."""
        return [operation for _, operation in self._operations]

    def operation(self, method: str, path: str) -> Operation:
        """The operation that serves a path, the most literal of several; raises BrokenContractError."""
        found = [
            operation
            for pattern, operation in self._operations
            if operation.method == method.upper() and pattern.fullmatch(path)
        ]
        if not found:
            raise BrokenContractError(f"{method} {path} is not an operation of m3ter's API")
        return min(found, key=lambda operation: operation.template.count("{"))

    def validate_request(self, method: str, path: str, query: str, body: Any) -> Operation:
        """Hold a request against its operation; `body` is parsed JSON, or None for no body."""
        operation = self.operation(method, path)
        breaches = list(self._query_breaches(operation, query))
        described = operation.body.get("requestBody")
        if described is None:
            breaches += ["a body is not described"] if body is not None else []
        elif body is None:
            is_form = "application/x-www-form-urlencoded" in described["content"]
            breaches += [] if is_form else ["the body is missing"]
        else:
            breaches += self._breaches(described["content"]["application/json"]["schema"], body)
        _raise(f"request {method} {path}", breaches)
        return operation

    def validate_response(self, method: str, path: str, status: int, body: Any) -> Operation:
        """Hold an answer against what is described for its status; `body` is parsed JSON."""
        operation = self.operation(method, path)
        responses = operation.body["responses"]
        described = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if described is None:
            raise BrokenContractError(f"{method} {path}: status {status} is not described")
        if "$ref" in described:
            described = self._document["components"]["responses"][described["$ref"].rsplit("/", 1)[-1]]
        content = described.get("content", {}).get("application/json")
        breaches = list(self._breaches(content["schema"], body)) if content else []
        if status >= 400 and (not isinstance(body, dict) or set(body) != {"message"}):
            breaches.append("an error must be {message} and nothing else")
        _raise(f"answer {status} to {method} {path}", breaches)
        return operation

    def unknown_fields(self, schema: str, entity: Mapping[str, Any]) -> set[str]:
        """Fields of an entity that a named component schema does not have."""
        return set(entity) - set(self.fields(schema))

    def fields(self, schema: str) -> dict[str, Mapping[str, Any]]:
        """The fields of a named component schema, references resolved; each says whether it `is_required`."""
        return self.fields_of({"$ref": f"#/components/schemas/{schema}"})

    def fields_of(self, schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """The same of a schema that is at hand."""
        properties, required = self._properties(schema)
        return {
            name: {**self._resolved(body), "is_required": name in required}
            for name, body in properties.items()
        }

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            return self._resolved(self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
        if {"type": "null"} in schema.get("anyOf", ()):
            return self._resolved(schema["anyOf"][0])
        parts = [part for part in schema.get("allOf", ()) if set(part) - {"description"}]
        if len(parts) == 1 and "properties" not in schema:
            return self._resolved(parts[0])
        resolved = dict(schema)
        if "items" in schema:
            resolved["items"] = self._resolved(schema["items"])
        return resolved

    def _properties(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
        if "$ref" in schema:
            return self._properties(
                self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
            )
        properties: dict[str, Any] = {}
        required = set(schema.get("required", ()))
        for part in schema.get("allOf", ()):
            inherited, needed = self._properties(part)
            properties |= inherited
            required |= needed
        return properties | schema.get("properties", {}), required

    def _query_breaches(self, operation: Operation, query: str) -> Iterator[str]:
        described = {p["name"]: p for p in operation.body.get("parameters", ()) if p["in"] == "query"}
        for name, text in parse_qsl(query, keep_blank_values=True):
            if name not in described:
                yield f"query parameter {name} is not described"
                continue
            schema = described[name]["schema"]
            inner = schema["anyOf"][0] if "anyOf" in schema else schema
            for error in self._breaches(schema, _as_parameter(inner.get("type"), text)):
                yield f"query parameter {name}: {error}"

    def _breaches(self, schema: Mapping[str, Any], body: Any) -> Iterator[str]:
        rooted = {**schema, "components": self._document["components"]}
        for error in Draft4Validator(rooted, format_checker=_formats).iter_errors(body):
            yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def is_named() -> bool:
    """Whether M3TER_OPENAPI names a description to hold requests and answers against."""
    return bool(os.environ.get("M3TER_OPENAPI"))


def path() -> Path:
    """Where the description is; without it a test is skipped, or fails where all must be there."""
    named = os.environ.get("M3TER_OPENAPI", "")
    if not named and not os.environ.get("M3SYNC_TEST_STRICT"):
        pytest.skip(ABSENT)
    if not Path(named).is_file():
        raise AssertionError(f"{ABSENT} M3TER_OPENAPI is {named!r} now.")
    return Path(named)


def load() -> Description:
    """The description, for tests that cannot do without it."""
    return _loaded(path())


def validate_request(method: str, path: str, query: str, body: Any) -> Operation:
    """`Description.validate_request` of the description named by M3TER_OPENAPI."""
    return load().validate_request(method, path, query, body)


def validate_response(method: str, path: str, status: int, body: Any) -> Operation:
    """`Description.validate_response` of the description named by M3TER_OPENAPI."""
    return load().validate_response(method, path, status, body)


@cache
def _loaded(file: Path) -> Description:
    return Description(json.loads(file.read_text("utf-8")))


def _json_schema(node: Any) -> Any:
    """OpenAPI 3.0 said as JSON Schema draft 4: nullable as a type; patterns that only Java knows left out."""
    if isinstance(node, list):
        return [_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _json_schema(value) for key, value in node.items() if key not in ("example", "examples")}
    if isinstance(kept.get("pattern"), str) and "\\p{" in kept["pattern"]:
        del kept["pattern"]
    if kept.get("nullable") is True:
        del kept["nullable"]
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", template)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts))


def _as_parameter(kind: str | None, text: str) -> Any:
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text.split(",") if kind == "array" else text


def _raise(what: str, breaches: list[str]) -> None:
    if breaches:
        raise BrokenContractError(f"{what} is not as m3ter describes it:\n  " + "\n  ".join(breaches))
