"""Queries by GET, their further pages, and what changed or was deleted in a span of time."""

import re
from datetime import datetime, timedelta
from itertools import takewhile

from connectors.sandbox.salesforce import notation, soql_pages, soql_query
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.rest_records import definition_of

_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_REACH = {"updated": timedelta(days=30), "deleted": timedelta(days=15)}


def query(call: Call) -> Reply:
    """GET query?q= and GET queryAll?q=, which sees the recycle bin."""
    text = call.query.get("q", "")
    if not text.strip():
        raise SalesforceError("MALFORMED_QUERY", "SOQL statement cannot be null or empty")
    prepared = soql_query.prepare(call.org, text, sees_deleted=call.path[0].lower() == "queryall")
    return Reply(200, call.pages.first(prepared, call.version, _page_size(call)))


def more(call: Call) -> Reply:
    """GET query/locator."""
    return Reply(200, call.pages.more(call.path[1], call.version))


def updated(call: Call) -> Reply:
    """GET sobjects/X/updated?start=&end=: ids of records created or changed in between."""
    owner = definition_of(call, call.path[1])
    start, end = _span(call, "updated")
    table = call.org.table(owner.name)
    since = table.modified_since(notation.instant(start))
    until = notation.instant(end)
    found = [each for each in since if table.rows[each]["SystemModstamp"] < until]
    visible = [each for each in reversed(found) if call.org.row(each) and not call.org.is_hidden(each)]
    return Reply(200, {"ids": visible, "latestDateCovered": _covered(call, end)})


def deleted(call: Call) -> Reply:
    """GET sobjects/X/deleted?start=&end=."""
    owner = definition_of(call, call.path[1])
    start, end = _span(call, "deleted")
    first, after = notation.instant(start), notation.instant(end)
    gone = call.org.table(owner.name).deleted
    since = takewhile(lambda entry: entry[1] >= first, reversed(gone.items()))
    records = [
        {"id": each, "deletedDate": at} for each, at in since if at < after and not call.org.is_hidden(each)
    ]
    earliest = notation.instant(call.org.now() - _REACH["deleted"])
    body = {"deletedRecords": records[::-1], "earliestDateAvailable": earliest}
    return Reply(200, {**body, "latestDateCovered": _covered(call, end)})


def _page_size(call: Call) -> int:
    asked = _BATCH.search(call.headers.get("Sforce-Query-Options", ""))
    size = int(asked.group(1)) if asked else soql_pages.LARGEST_PAGE
    return min(max(size, soql_pages.SMALLEST_PAGE), soql_pages.LARGEST_PAGE)


def _span(call: Call, kind: str) -> tuple[datetime, datetime]:
    """The span asked for; Salesforce ignores the seconds and wants more than a minute, not too long ago."""
    bounds: list[datetime] = []
    for name in ("start", "end"):
        # An offset's plus sign that was not percent-encoded arrives as a space.
        at = notation.parse_instant(call.query.get(name, "").replace(" ", "+"))
        if at is None:
            message = f"Invalid datetime: {call.query.get(name, '')}"
            raise SalesforceError("INVALID_REPLICATION_DATE", message)
        bounds.append(at.replace(second=0, microsecond=0))
    start, end = bounds
    if end - start < timedelta(minutes=1):
        message = "endDate must be at least one minute greater than startDate"
        raise SalesforceError("INVALID_REPLICATION_DATE", message)
    if start < call.org.now() - _REACH[kind]:
        message = "startDate before org replication enabled date"
        raise SalesforceError("INVALID_REPLICATION_DATE", message)
    return start, end


def _covered(call: Call, end: datetime) -> str:
    return notation.instant(min(end, call.org.now()).replace(second=0, microsecond=0))
