"""Everything one organization keeps: a table for each kind, and its single documents."""

from typing import Any

from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.refusals import not_found
from connectors.sandbox.m3ter.tables import Table

Entity = dict[str, Any]


class Store:
    """Tables by kind name; `documents` holds what an organization has exactly one of."""

    def __init__(self) -> None:
        self.tables = {name: Table(kind) for name, kind in every_kind().items()}
        self.documents: dict[str, Entity] = {}

    def find(self, kind: str, entity_id: str) -> Entity | None:
        """One entity, None also when this m3ter has no such kind (plan groups, meter groups)."""
        table = self.tables.get(kind)
        return table.get(entity_id) if table else None

    def get(self, kind: str, entity_id: str) -> Entity:
        """One entity; raises RefusedError (404)."""
        entity = self.find(kind, entity_id)
        if entity is None:
            raise not_found(kind, entity_id)
        return entity

    def remove(self, kind: str, entity_id: str) -> None:
        """Take an entity out, and what exists only as a part of it."""
        self.tables[kind].remove(entity_id)
        if kind == "Balance":
            for transaction in self.tables["BalanceTransaction"].having("_balanceId", entity_id):
                self.tables["BalanceTransaction"].remove(transaction["id"])

    def using(self, kind: str, entity_id: str) -> Entity | None:
        """What would be left pointing at nothing if this entity were deleted, with its kind under `kind`."""
        for table in self.tables.values():
            for name, referred in table.kind.references.items():
                if referred == kind:
                    user = table.newest(name, entity_id)
                    if user is not None and user["id"] != entity_id:
                        return {"kind": table.kind.name, "id": user["id"]}
        return None
