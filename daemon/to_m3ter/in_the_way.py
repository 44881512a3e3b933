"""Refusals because of another record's entity, which may make way once its own record is synced."""

import re
from collections.abc import Collection

from connectors.errors import TransientError
from daemon.outcomes import Action, SyncResult
from daemon.to_m3ter.ledger import Ledger
from state import sentence

# m3ter names what is in the way: "Commitment would overlap with existing Commitment <id>".
_M3TER_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)


async def found(ledger: Ledger, result: SyncResult, own: Collection[str]) -> TransientError | None:
    """What is in the way of a refused object, when a record not among `own` keeps it in step.

    Two records may change in one transaction so that one makes room for the other, and nothing tells which is
    to be synced first.
    """
    for item in result.object_results:
        if item.action is not Action.FAILED:
            continue
        for m3ter_id in _M3TER_ID.findall(item.message):
            holders = await ledger.holders(item.object_name, m3ter_id.lower())
            others = [f"{object_name} {each}" for object_name, each in holders if each not in own]
            if others:
                return TransientError(
                    f"{item.object_name} of {item.salesforce_id}: {sentence.ended(item.message)} "
                    f"That is what Salesforce {others[0]} is in m3ter.",
                    instruction="It is tried again, as that may make way; if it does not, change one of the "
                    "two.",
                )
    return None
