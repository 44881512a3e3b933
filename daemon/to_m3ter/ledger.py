"""What a sync remembers of m3ter's entities, durable at each step, and the fence before outside writes."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from connectors import wire
from connectors.m3ter.rest import Entity
from state import external_mappings, inbox, intents
from state.database import Db, transaction
from state.models import Claim, ExternalMapping, Intent, IntentStatus, NewIntent

# For so long m3ter may not show what it has just made: that it is not found proves nothing. After a lost
# answer the wait is `worker.settle_seconds`; this one is longer, as what is known is hardly ever gone.
YOUNG = timedelta(minutes=10)
# The part of a lease, one in so many, in which a write may leave after its fence.
SENT_WITHIN = 4


@dataclass(frozen=True, slots=True)
class Target:
    """One m3ter entity of one Salesforce record."""

    m3ter_entity: str
    external_table: str
    external_id: str

    def __str__(self) -> str:
        return f"the {self.m3ter_entity} of Salesforce {self.external_table} {self.external_id}"


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A create that was about to be sent and whose end is not known: any of these bodies may be in m3ter.

    `send_before`: the loop time after which it must not be sent any more; None where that is not intended.
    """

    intent_id: UUID
    bodies: tuple[Entity, ...]
    send_before: float | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Bound to one claim: what precedes an outside write raises LeaseLost when the claim is lost."""

    db: Db
    claim: Claim
    m3ter_org_id: str

    async def fence(self) -> float:
        """Only the holder of the claim passes; its lease begins anew.

        Gives the loop time after which the write must not be sent any more.
        """
        send_before = self._send_before()
        await inbox.renew(self.db, self.claim)
        return send_before

    def _send_before(self) -> float:
        """A small part of the lease that is asked for now: what is sent in it has come to rest, whatever
        becomes of us, when the lease ends and another holder reads."""
        return asyncio.get_running_loop().time() + (self.claim.lease / SENT_WITHIN).total_seconds()

    async def known(self, target: Target) -> ExternalMapping | None:
        return await external_mappings.find(self.db, *self._key(target))

    async def known_of(self, record_ids: Collection[str]) -> list[ExternalMapping]:
        """Everything these Salesforce records are in this m3ter organization."""
        found = await external_mappings.of_records(self.db, record_ids)
        return [each for each in found if each.m3ter_org_id == self.m3ter_org_id]

    async def is_settled(self, known: ExternalMapping) -> bool:
        """Whether it has been known for so long that m3ter must show it if it is there."""
        return await external_mappings.is_older(self.db, known, YOUNG)

    async def holders(self, m3ter_entity: str, m3ter_id: str) -> list[tuple[str, str]]:
        """The Salesforce objects and record ids that hold this entity."""
        found = await external_mappings.holders(self.db, self.m3ter_org_id, m3ter_entity, [m3ter_id])
        return found.get(m3ter_id, [])

    async def open_intent(self, target: Target) -> OpenIntent | None:
        found = await intents.find_open(self.db, *self._key(target))
        return _open(found) if found else None

    async def open_intents(self, record_ids: Collection[str]) -> list[tuple[Target, OpenIntent]]:
        """The creates of these Salesforce records whose end is not known, oldest first."""
        return [
            (Target(each.m3ter_entity, each.external_table, each.external_id), _open(each))
            for each in await intents.of_records(self.db, record_ids)
            if each.m3ter_org_id == self.m3ter_org_id
        ]

    async def intend(self, target: Target, body: Entity) -> OpenIntent:
        """Durable before the create is sent, and fenced."""
        new = NewIntent(*self._key(target), wire.dumps(body).decode())
        send_before = self._send_before()
        return replace(_open(await intents.open_intent(self.db, self.claim, new)), send_before=send_before)

    async def withdraw(self, intent: OpenIntent) -> None:
        """The create was refused or never sent: nothing is in m3ter."""
        async with transaction(self.db) as tx:
            await intents.close(tx, intent.intent_id, IntentStatus.REFUSED)

    async def keep(self, target: Target, m3ter_id: str, intent: OpenIntent | None) -> ExternalMapping:
        """The entity of the target, created or adopted; the intent that led to it is done."""
        mapping = ExternalMapping(*self._key(target), m3ter_id)
        async with transaction(self.db) as tx:
            await external_mappings.put(tx, mapping)
            if intent is not None:
                await intents.close(tx, intent.intent_id, IntentStatus.DONE, m3ter_id)
        return mapping

    async def tied(self, target: Target, m3ter_id: str, external_mapping_id: str) -> None:
        """m3ter's own external mapping is written."""
        async with transaction(self.db) as tx:
            await external_mappings.put(
                tx, ExternalMapping(*self._key(target), m3ter_id, external_mapping_id)
            )

    def _key(self, target: Target) -> tuple[str, str, str, str]:
        return self.m3ter_org_id, target.m3ter_entity, target.external_table, target.external_id


def _open(intent: Intent) -> OpenIntent:
    texts = (intent.body, *intent.earlier_bodies)
    return OpenIntent(intent.intent_id, tuple(_body(text) for text in texts))


def _body(text: str) -> Entity:
    document = wire.loads(text)
    if not isinstance(document, dict):
        raise TypeError("an intent's body is a JSON object")
    return document
