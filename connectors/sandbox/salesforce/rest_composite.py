"""Composite: up to 25 requests in one call, later ones using what earlier ones gave."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors import wire
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.transactions import Transaction

MAX_REQUESTS = 25
MAX_QUERIES = 5
HALTED = SalesforceError(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_URL = re.compile(r"/services/data/v(\d\d\.\d)/(.+)")


class UnresolvedError(Exception):
    """A reference to a value that an earlier request did not give."""


def composite(call: Call) -> Reply:
    """POST composite."""
    requests = call.fields().get("compositeRequest")
    if not isinstance(requests, list) or not requests or not all(isinstance(each, dict) for each in requests):
        raise SalesforceError("MISSING_ARGUMENT", "The compositeRequest argument is required")
    _check(requests)
    if call.fields().get("allOrNone") is not True:
        answers = _run(call, requests, None)
        return Reply(200, {"compositeResponse": answers})
    tx = call.org.transaction(call.actor)
    try:
        answers = _run(call, requests, tx)
    except BaseException:
        tx.roll_back()
        raise
    failed = [each["httpStatusCode"] >= 400 for each in answers]
    if any(failed):
        tx.roll_back()
        first = failed.index(True)
        halted = [_answer(each, Reply(400, HALTED.body())) for each in requests]
        answers = [answers[k] if k == first else halted[k] for k in range(len(requests))]
    else:
        with tx:
            pass
    return Reply(200, {"compositeResponse": answers})


def _check(requests: list[dict[str, Any]]) -> None:
    if len(requests) > MAX_REQUESTS:
        message = (
            f"Limit exceeded: cannot submit more than {MAX_REQUESTS} subrequests in one composite request"
        )
        raise SalesforceError("LIMIT_EXCEEDED", message)
    queries = sum(
        1 for each in requests if re.search(r"/(query|queryAll|composite/sobjects)\b", str(each.get("url")))
    )
    if queries > MAX_QUERIES:
        message = f"Limit exceeded: cannot submit more than {MAX_QUERIES} query or collections subrequests"
        raise SalesforceError("LIMIT_EXCEEDED", message)
    names = [each.get("referenceId") for each in requests]
    if not all(isinstance(name, str) and re.fullmatch(r"\w+", name) for name in names):
        raise SalesforceError(
            "INVALID_INPUT", "Every subrequest needs a referenceId of letters, numbers and _"
        )
    if len(set(names)) < len(names):
        raise SalesforceError("INVALID_INPUT", "Duplicate referenceId in the composite request")


def _run(call: Call, requests: list[dict[str, Any]], tx: Transaction | None) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    bodies: dict[str, Any] = {}
    for request in requests:
        try:
            reply = _perform(call, request, bodies, tx)
        except UnresolvedError as error:
            refused = SalesforceError("PROCESSING_HALTED", f"Invalid reference specified. {error}")
            reply = Reply(400, refused.body())
        except SalesforceError as error:
            reply = Reply(error.status, error.body())
        bodies[request["referenceId"]] = reply.body
        answers.append(_answer(request, reply))
        if tx is not None and reply.status >= 400:
            break
    return answers


def _perform(call: Call, request: dict[str, Any], bodies: dict[str, Any], tx: Transaction | None) -> Reply:
    url = urlsplit(str(_filled(request.get("url", ""), bodies)))
    found = _URL.fullmatch(url.path)
    if found is None or found.group(2).rstrip("/") == "composite":
        raise SalesforceError(
            "INVALID_INPUT", f"The subrequest's url is not allowed here: {request.get('url')}"
        )
    version, rest = found.groups()
    headers = request.get("httpHeaders")
    part = call.but(
        method=str(request.get("method", "")).upper(),
        path=tuple(unquote(segment) for segment in rest.strip("/").split("/")),
        version=version,
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers={**call.headers, **headers} if isinstance(headers, dict) else call.headers,
        body=_filled(request.get("body"), bodies),
        tx=tx,
    )
    return call.dispatch(part)


def _answer(request: dict[str, Any], reply: Reply) -> dict[str, Any]:
    return {
        "body": reply.body,
        "httpHeaders": dict(reply.headers),
        "httpStatusCode": reply.status,
        "referenceId": request["referenceId"],
    }


def _filled(value: Any, bodies: dict[str, Any]) -> Any:
    match value:
        case str():
            whole = _REFERENCE.fullmatch(value)
            if whole is not None:
                return _look_up(whole, bodies)
            return _REFERENCE.sub(lambda found: _as_text(_look_up(found, bodies)), value)
        case dict():
            return {name: _filled(part, bodies) for name, part in value.items()}
        case list():
            return [_filled(part, bodies) for part in value]
        case _:
            return value


def _look_up(found: re.Match[str], bodies: dict[str, Any]) -> Any:
    name, steps = found.groups()
    value = bodies.get(name)
    for key, position in _STEP.findall(steps):
        if key and isinstance(value, dict) and key in value:
            value = value[key]
        elif position and isinstance(value, list) and int(position) < len(value):
            value = value[int(position)]
        else:
            raise UnresolvedError(f"No value for {name}{steps} found in {name}")
    return value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else wire.dumps(value).decode()
