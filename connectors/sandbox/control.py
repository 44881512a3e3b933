"""The control API under /sandbox/ on each server: health, journal, faults, clock.

It is never journalled and never faulty.

GET    /sandbox/health                  {"system", "status", "time"}
GET    /sandbox/journal                 {"entries"}; ?bodies=1 adds bodies, ?since=N, ?method=GLOB, ?path=GLOB
DELETE /sandbox/journal                 forgets them
POST   /sandbox/faults                  a fault (faults.FaultRequest) -> {"id"}, or a kind of the system's own
GET    /sandbox/faults                  {"faults": [...]} with hits and how many requests each holds
DELETE /sandbox/faults[/ID]             clears all or one (own kinds: all), and releases what they hold
GET    /sandbox/clock                   {"now", "ahead_seconds"}
POST   /sandbox/clock                   {"advance_seconds": N}, for both servers at once
POST   /sandbox/org/ACTION              Salesforce only (salesforce/control.py): hide, show, undelete,
                                        empty-bin {"ids"}; merge {"winner", "losers", "fields"};
                                        expire-sessions {}; limit {"max", "used"};
                                        rules: salesforce/row_rules.py (DELETE: none any more);
                                        ingest: salesforce/ingest_control.py;
                                        declare: objects and fields in TOML, or the same in JSON:
                                        {"Site__c": {"label": "Site", "fields": {"Code__c": {"type": "string",
                                        "length": 9, "external_id": true}}}} -> {"objects"}; keys of a field:
                                        salesforce/fields.py
POST   /sandbox/ACTION                  m3ter only: see m3ter/controls.py
The kinds that only a stream has are listed in salesforce/streaming.py.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from connectors import wire
from connectors.sandbox import faults
from connectors.sandbox.clock import Clock
from connectors.sandbox.misbehaviour import JSON, Misbehaviour

Document = dict[str, Any]
Act = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class Control:
    """The control API of one server. `own_kinds`: faults that only this system can have.

    An own act raises ValueError, LookupError or pydantic's ValidationError for what it cannot do.
    """

    system: str
    clock: Clock
    misbehaviour: Misbehaviour
    own_kinds: Mapping[str, Act] = field(default_factory=dict)
    clear_own: Callable[[], None] = lambda: None

    def add_routes(self, app: web.Application) -> None:
        """Add the API to the system's own application."""
        app.router.add_get("/sandbox/health", self.health)
        app.router.add_get("/sandbox/journal", self.read_journal)
        app.router.add_delete("/sandbox/journal", self.clear_journal)
        app.router.add_get("/sandbox/faults", self.list_faults)
        app.router.add_post("/sandbox/faults", _explained(self.add_fault))
        app.router.add_delete("/sandbox/faults", self.clear_faults)
        app.router.add_delete(r"/sandbox/faults/{number:\d+}", self.clear_faults)
        app.router.add_get("/sandbox/clock", self.read_clock)
        app.router.add_post("/sandbox/clock", _explained(self.advance_clock))

    async def health(self, _request: web.Request) -> web.Response:
        """Whether the server is up."""
        return answer({"system": self.system, "status": "ok", "time": self.clock.now().isoformat()})

    async def read_journal(self, request: web.Request) -> web.Response:
        """What was asked so far."""
        wanted = request.query
        try:
            since = int(wanted.get("since", "0"))
        except ValueError:
            message = f"since is the number of a journal entry, not {wanted['since'][:40]!r}."
            return answer({"message": message}, status=400)
        entries = self.misbehaviour.journal.entries(
            since=since,
            method=wanted.get("method", "*"),
            path=wanted.get("path", "*"),
        )
        with_bodies = wanted.get("bodies", "") in {"1", "true"}
        return answer({"entries": [entry.as_json(with_bodies=with_bodies) for entry in entries]})

    async def clear_journal(self, _request: web.Request) -> web.Response:
        """Forget what was asked so far."""
        self.misbehaviour.journal.clear()
        return answer({})

    async def list_faults(self, _request: web.Request) -> web.Response:
        """Every fault that was not cleared."""
        return answer({"faults": [fault.as_json() for fault in self.misbehaviour.faults.listed()]})

    async def add_fault(self, document: Document) -> Document:
        """Let a fault begin."""
        act = self.own_kinds.get(str(document.get("kind", "")))
        if act is not None:
            return act(document)
        return {"id": self.misbehaviour.faults.add(faults.FaultRequest.model_validate(document)).number}

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Clear one fault or all."""
        number = request.match_info.get("number")
        if number is None:
            self.clear_own()
        return answer({"cleared": self.misbehaviour.faults.clear(None if number is None else int(number))})

    async def read_clock(self, _request: web.Request) -> web.Response:
        """The sandbox's time."""
        return answer(
            {"now": self.clock.now().isoformat(), "ahead_seconds": self.clock.ahead.total_seconds()}
        )

    async def advance_clock(self, document: Document) -> Document:
        """Let time pass."""
        now = self.clock.advance(timedelta(seconds=float(document.get("advance_seconds", 0))))
        return {"now": now.isoformat(), "ahead_seconds": self.clock.ahead.total_seconds()}


def answer(document: Document, *, status: int = 200) -> web.Response:
    """One JSON answer."""
    return web.Response(status=status, body=wire.dumps(document), headers={"Content-Type": JSON})


def _explained(
    act: Callable[[Document], Awaitable[Document]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        try:
            document = wire.loads(await request.read())
            if not isinstance(document, dict):
                return answer({"message": "The body must be a JSON object."}, status=400)
            return answer(await act(document))
        except ValidationError as error:
            return answer({"message": str(error)}, status=400)
        except (ValueError, LookupError, TypeError, re.error) as error:
            return answer({"message": f"{type(error).__name__}: {error}"}, status=400)

    return handler
