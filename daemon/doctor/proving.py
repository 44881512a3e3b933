"""What a field mapping is proved against: the describes of every object that it reaches."""

from connectors.errors import NotFoundError
from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter.mapping import described, document


async def describes(made: document.Mapping, salesforce: Salesforce) -> described.Describes:
    """Every object the mapping reaches; one that the org does not have is left out, and found missing."""
    found: dict[str, dict[str, object]] = {}
    missing: set[str] = set()
    while names := described.wanted(made, found) - missing:
        for each in sorted(names):
            try:
                found[each] = await salesforce.describe(each)
            except NotFoundError:
                missing.add(each)
    return found
