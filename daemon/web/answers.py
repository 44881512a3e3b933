"""JSON answers, and failures of the database as answers."""

from typing import Any

import simplejson
from aiohttp import web

from daemon.web import wording
from state.errors import NotFound, StateError


def json(value: object, status: int = 200) -> web.Response:
    """A JSON answer; decimals exact, times ISO 8601 in UTC, durations in seconds."""
    text = simplejson.dumps(wording.plain(value), use_decimal=True, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json", status=status)


def refusal(reason: str, instruction: str, status: int) -> web.Response:
    """What is wrong and what to do, as JSON."""
    error: dict[str, Any] = {"error": {"reason": reason, "instruction": instruction}}
    return json(error, status)


def of_state(error: StateError) -> web.Response:
    """404 for what does not exist, 503 while the database cannot answer."""
    return refusal(error.reason, error.instruction, 404 if isinstance(error, NotFound) else 503)
