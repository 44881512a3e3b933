"""The sandbox's hand on the org: sessions, visibility, the recycle bin, the daily limit, its schema."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from connectors import wire
from connectors.sandbox.salesforce import declarations, ids
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.row_rules import Rules


def routes(org: Org) -> list[web.RouteDef]:
    """POST /sandbox/org/...: expire-sessions; hide show undelete empty-bin {"ids"}; limit {"max","used"};

    merge {"winner", "losers", "fields"?}: Accounts, as SOAP and Apex offer it and REST does not;
    rules: row_rules.Rules, which add to those there are; DELETE rules: none any more;
    declare: objects and fields as the files in objects/ have them, in TOML or as the same document in JSON.
    """
    control = Control(org)
    return [
        web.post("/sandbox/org/expire-sessions", control.expire_sessions),
        web.post("/sandbox/org/hide", control.over_ids(org.hide)),
        web.post("/sandbox/org/show", control.over_ids(org.show)),
        web.post("/sandbox/org/undelete", control.over_ids(control.undelete)),
        web.post("/sandbox/org/empty-bin", control.over_ids(control.empty_bin)),
        web.post("/sandbox/org/merge", control.merge),
        web.post("/sandbox/org/limit", control.limit),
        web.post("/sandbox/org/declare", control.declare),
        web.post("/sandbox/org/rules", control.add_rules),
        web.delete("/sandbox/org/rules", control.clear_rules),
    ]


class Control:
    """Handlers that no Salesforce has."""

    def __init__(self, org: Org) -> None:
        self._org = org

    async def expire_sessions(self, _request: web.Request) -> web.Response:
        """End every session now."""
        return _json({"expired": self._org.expire_sessions()})

    async def limit(self, request: web.Request) -> web.Response:
        """Set the daily allowance of API calls and how much of it is used."""
        body = await _fields(request)
        given = {name: body[name] for name in ("max", "used") if isinstance(body.get(name), int)}
        self._org.usage.set(limit=given.get("max"), used=given.get("used"))
        return _json({"max": self._org.usage.limit, "used": self._org.usage.used})

    async def declare(self, request: web.Request) -> web.Response:
        """Add custom objects and fields; the change events of a new object can be subscribed to at once."""
        try:
            return _json({"objects": declarations.declare(self._org.schema, await request.read())})
        except ValueError as error:
            return _json({"message": str(error)}, status=400)

    async def add_rules(self, request: web.Request) -> web.Response:
        """Refuse rows from now: by validation and duplicate rules, locks, and races for an external id."""
        try:
            rules = Rules.model_validate(wire.loads(await request.read()))
            self._org.row_rules.add(rules)
        except ValueError as error:
            return _json({"message": str(error)}, status=400)
        return _json({})

    async def clear_rules(self, _request: web.Request) -> web.Response:
        """Refuse nothing by rule any more."""
        self._org.row_rules.clear()
        return _json({})

    async def merge(self, request: web.Request) -> web.Response:
        """Merge records: the losers are deleted, what belonged to them belongs to the winner."""
        body = await _fields(request)
        losers = body.get("losers")
        wanted = [body.get("winner"), *(losers if isinstance(losers, list) else [None])]
        given = [ids.normalize(each) for each in wanted]
        found = [each for each in given if each is not None]
        if len(found) < len(given):
            return _json({"message": f"winner and losers must be record ids, not {wanted!r}"}, status=400)
        try:
            fields = body.get("fields")
            self._org.merge(found[0], found[1:], fields if isinstance(fields, dict) else None)
        except SalesforceError as error:
            return _json(error.body(), status=error.status)
        return _json({"winner": found[0], "losers": found[1:]})

    def undelete(self, record_id: str) -> None:
        """Bring a record back from the recycle bin, with a change event."""
        self._org.undelete(self._org.table_of_id(record_id).definition.name, record_id)

    def empty_bin(self, record_id: str) -> None:
        """Delete a deleted record for good; no event says so."""
        self._org.empty_bin(self._org.table_of_id(record_id).definition.name, record_id)

    def over_ids(self, act: Callable[[str], None]) -> Callable[[web.Request], Any]:
        """A handler that does `act` to every id of the body."""

        async def handler(request: web.Request) -> web.Response:
            asked = (await _fields(request)).get("ids")
            wanted = [ids.normalize(each) for each in asked] if isinstance(asked, list) else []
            if not wanted or None in wanted:
                return _json({"message": f"ids must be a list of record ids, not {asked!r}"}, status=400)
            try:
                for each in wanted:
                    act(str(each))
            except SalesforceError as error:
                return _json(error.body(), status=error.status)
            return _json({"ids": wanted})

        return handler


async def _fields(request: web.Request) -> dict[str, Any]:
    try:
        body = wire.loads(await request.read())
    except wire.NotJson:
        return {}
    return body if isinstance(body, dict) else {}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=wire.dumps(body), status=status, content_type="application/json")
