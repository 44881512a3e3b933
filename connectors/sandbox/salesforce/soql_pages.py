"""Query replies page by page: cursors that outlive the request, for the query and for its child lists."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.ids import Minter
from connectors.sandbox.salesforce.soql_query import Prepared

LARGEST_PAGE = 2000
SMALLEST_PAGE = 200
KEPT = 5000


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is left to read of a query: the ids as they were found when it ran."""

    prepared: Prepared
    found: list[str]
    size: int


class Pages:
    """The cursors of an org; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        self._minter = Minter("01g")

    def first(self, prepared: Prepared, version: str, size: int) -> dict[str, Any]:
        """Run a query and show its first page."""
        found = prepared.find()
        if prepared.query.is_count:
            return {"totalSize": len(found), "done": True, "records": []}
        return self._page(Cursor(prepared, found, size), None, 0, version)

    def more(self, locator: str, version: str) -> dict[str, Any]:
        """The page that a nextRecordsUrl ends in; raises SalesforceError INVALID_QUERY_LOCATOR."""
        cursor_id, _, start = locator.partition("-")
        cursor = self._cursors.get(cursor_id)
        if cursor is None or not start.isdigit() or int(start) > len(cursor.found):
            raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(cursor, cursor_id, int(start), version)

    def _page(self, cursor: Cursor, cursor_id: str | None, start: int, version: str) -> dict[str, Any]:
        def nested(query: Prepared, found: list[str]) -> dict[str, Any] | None:
            return self._page(Cursor(query, found, cursor.size), None, 0, version) if found else None

        rows = cursor.prepared.table.rows
        end = start + cursor.size
        records = [
            cursor.prepared.render(record_id, version, nested)
            for record_id in cursor.found[start:end]
            if record_id in rows
        ]
        is_done = end >= len(cursor.found)
        page: dict[str, Any] = {"totalSize": len(cursor.found), "done": is_done}
        if not is_done:
            cursor_id = cursor_id or self._keep(cursor)
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{cursor_id}-{end}"
        return {**page, "records": records}

    def _keep(self, cursor: Cursor) -> str:
        cursor_id = self._minter.mint()
        self._cursors[cursor_id] = cursor
        while len(self._cursors) > KEPT:
            self._cursors.popitem(last=False)
        return cursor_id
