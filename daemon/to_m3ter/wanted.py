"""What one object of a sync wants to be in m3ter, and the tools that bring it there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connectors.m3ter.models import EntityKind
from connectors.m3ter.rest import Entity, M3ter
from connectors.m3ter.shapes import REQUEST_FIELDS
from daemon.catalogue import Catalogue
from daemon.to_m3ter.ledger import Ledger, Target
from daemon.to_m3ter.mapping import merge


@dataclass(frozen=True, slots=True)
class Wanted:
    """One m3ter entity as a Salesforce record wants it; `desired` has only the fields the mapping owns."""

    target: Target
    desired: Entity

    @property
    def kind(self) -> EntityKind:
        return EntityKind(self.target.m3ter_entity)

    @property
    def creation(self) -> Entity:
        return merge.creation(self.desired)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a sync works with: m3ter, its catalogue, the durable ledger, and a way to note what was found."""

    m3ter: M3ter
    catalogue: Catalogue
    ledger: Ledger
    note: Callable[[str], None]
    _mapped: dict[tuple[str, str], list[Entity]] = field(default_factory=dict)

    async def mappings_of(self, target: Target) -> list[Entity]:
        """m3ter's external mappings of the target. A record's are read once in an attempt, before the first
        of them is written; what is written for one target is no other's, so that it stays true for those."""
        record = (target.external_table, target.external_id)
        if record not in self._mapped:
            self._mapped[record] = await self.m3ter.external_mappings_of(*record)
        return [row for row in self._mapped[record] if row.get("m3terEntity") == target.m3ter_entity]


def differences(kind: EntityKind, entity: Entity, body: Entity) -> dict[str, tuple[Any, Any]]:
    """Where the entity differs from the fields of `body`: money by value, times by instant."""
    return merge.merge(entity, body, REQUEST_FIELDS[kind]).changes
