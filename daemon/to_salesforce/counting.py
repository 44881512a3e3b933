"""The table of calls that a run made, by kind, from the exchanges recorded meanwhile."""

import re
from collections import Counter

from connectors.calls import Call

_M3TER = re.compile(r"/organizations/[^/]+/([a-z]+)(/.*)?")
_SALESFORCE = (
    ("/composite/sobjects", "Salesforce collections"),
    ("/jobs/ingest", "Salesforce bulk"),
    ("/query", "Salesforce query"),
    ("/limits", "Salesforce limits"),
)


def taken(recorded: list[Call]) -> Counter[str]:
    """The calls recorded so far, by kind; they are taken out of the list, which so never grows long."""
    calls = recorded[:]
    del recorded[: len(calls)]
    return Counter(_kind(call) for call in calls)


def _kind(call: Call) -> str:
    if "/oauth" in call.path:
        return f"{call.system} token"
    if call.system == "m3ter":
        found = _M3TER.search(call.path)
        if found is None:
            return "m3ter other"
        return f"m3ter {'one of' if found[2] else 'list'} {found[1]}"
    return next((kind for part, kind in _SALESFORCE if part in call.path), "Salesforce other")
