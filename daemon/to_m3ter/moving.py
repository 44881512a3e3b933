"""Where lines are now whose events do not tell: Salesforce is asked, once for many of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from connectors.errors import SyncError
from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter import graph
from daemon.to_m3ter.intake import Heard, Watch

log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=15)  # the events behind these wait meanwhile


async def asked(salesforce: Salesforce, heard: Sequence[Heard], watched: Watch) -> list[Heard]:
    """The same, each line with the parent that it has now, also one in the recycle bin.

    Of a line that is gone nothing is named: what is remembered of it counts. Those that Salesforce does not
    answer for stay unclear, and the worker asks for each.
    """
    found: dict[str, str | None] = {}
    for name, field_name in watched.lines.items():
        ids = {each.change.record_id for each in heard if each.is_unclear and each.change.object_name == name}
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                parents = await graph.parents_of(salesforce, name, ids, field_name)
        except (SyncError, TimeoutError) as error:
            log.warning(
                "parents not told", object_name=name, lines=len(ids), reason=str(error) or "no answer"
            )
        else:
            found |= {line: parents.get(line) for line in ids}
    return [
        replace(each, named=found[each.change.record_id], is_unclear=False)
        if each.is_unclear and each.change.record_id in found
        else each
        for each in heard
    ]
