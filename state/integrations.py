"""Integrations: made, connected, switched on and off; every change wakes whoever runs them."""

from uuid import UUID

import asyncpg

from state import database, names, sql, systems
from state.database import Connection, Db
from state.errors import Conflict, NotFound
from state.models import Integration, NewIntegration

_SQL = sql.load("integrations")


async def add(db: Db, new: NewIntegration) -> Integration:
    """Make an integration.

    Raises Conflict when the name is taken or a credential is for the other system, NotFound when the field
    mapping or a credential does not exist, NameUnusable.
    """
    names.check("integration", new.name)
    async with database.transaction(db) as tx:
        await _check_systems(tx, new.salesforce_credential_id, new.m3ter_credential_id)
        try:
            integration_id = await database.fetch_value(
                *(tx, _SQL["add"], new.name, new.flow, new.field_mapping_id),
                *(new.salesforce_credential_id, new.m3ter_credential_id, new.enabled),
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise NotFound(
                f"There is no field mapping {new.field_mapping_id}.", "`m3sync mappings` lists them."
            ) from error
        except asyncpg.CheckViolationError as error:
            raise Conflict(
                f"The integration {new.name} cannot have the flow {new.flow!r}.",
                "It is Account Sync or Sales Agreement Sync with a field mapping, Entity Data Sync without.",
            ) from error
        if integration_id is None:
            raise Conflict(f"There is an integration called {new.name} already.", "Choose another name.")
        await database.execute(tx, _SQL["announce"])
        return await get(tx, integration_id)


async def get(db: Db, name_or_id: str | UUID) -> Integration:
    """Raises NotFound."""
    row = await database.fetch_one(db, _SQL["find"], str(name_or_id), False)
    if row is None:
        raise NotFound(f"There is no integration {name_or_id}.", "`m3sync integrations` lists them.")
    return Integration(**row)


async def list_all(db: Db) -> list[Integration]:
    """All integrations by name."""
    return [Integration(**row) for row in await database.fetch(db, _SQL["find"], None, False)]


async def enabled(db: Db) -> list[Integration]:
    """Those switched on, by name."""
    return [Integration(**row) for row in await database.fetch(db, _SQL["find"], None, True)]


async def to_m3ter(db: Db, *, only_enabled: bool = False) -> list[Integration]:
    """Those that sync Salesforce's records to m3ter, by name: they listen and have an inbox."""
    rows = await database.fetch(db, _SQL["find"], None, only_enabled)
    return [each for each in (Integration(**row) for row in rows) if each.is_to_m3ter]


async def enable(db: Db, name_or_id: str | UUID) -> Integration:
    """Switch on; what changed while it was off is heard now, as far as Salesforce retains it.

    The first time it goes live: what was committed before is never its own. Raises NotFound, and Conflict
    while a credential is missing.
    """
    found = await get(db, name_or_id)
    if lacking := systems.lacking(found):
        raise Conflict(
            f"The integration {found.name} has {systems.no_credential(lacking)}.",
            f"Connect it first: {systems.connecting(found)}",
        )
    return await _change(db, found, "set_enabled", True)


async def disable(db: Db, name_or_id: str | UUID) -> Integration:
    """Switch off; what waits in the inbox stays, and what changes meanwhile is heard when it is on again."""
    return await _change(db, await get(db, name_or_id), "set_enabled", False)


async def connect(
    db: Db,
    name_or_id: str | UUID,
    *,
    salesforce_credential_id: UUID | None = None,
    m3ter_credential_id: UUID | None = None,
) -> Integration:
    """Give it credentials (None keeps the present one); an entity data sync that is given another one is run
    at once. Raises NotFound, Conflict for the wrong system."""
    await _check_systems(db, salesforce_credential_id, m3ter_credential_id)
    given = (salesforce_credential_id, m3ter_credential_id)
    async with database.transaction(db) as tx:
        found = await get(tx, name_or_id)
        present = (found.salesforce_credential_id, found.m3ter_credential_id)
        if any(new not in (None, old) for new, old in zip(given, present, strict=True)):
            await database.execute(tx, _SQL["run_now"], found.integration_id)
        return await _change(tx, found, "connect", *given)


async def disconnect(db: Db, name_or_id: str | UUID) -> Integration:
    """Take its credentials away; it is switched off."""
    return await _change(db, await get(db, name_or_id), "disconnect")


async def remove(db: Db, name_or_id: str | UUID) -> None:
    """Forget it with its inbox and its runs; raises NotFound."""
    found = await get(db, name_or_id)
    async with database.transaction(db) as tx:
        await database.execute(tx, _SQL["remove"], found.integration_id)
        await database.execute(tx, _SQL["announce"])


async def _change(db: Db, found: Integration, statement: str, *values: object) -> Integration:
    async with database.transaction(db) as tx:
        await database.execute(tx, _SQL[statement], found.integration_id, *values)
        await database.execute(tx, _SQL["announce"])
        return await get(tx, found.integration_id)


async def _check_systems(
    db: Db | Connection, salesforce_credential_id: UUID | None, m3ter_credential_id: UUID | None
) -> None:
    wanted = {"salesforce": salesforce_credential_id, "m3ter": m3ter_credential_id}
    ids = [each for each in wanted.values() if each is not None]
    rows = {row["credential_id"]: row for row in await database.fetch(db, _SQL["systems_of"], ids)}
    for system, credential_id in wanted.items():
        if credential_id is None:
            continue
        row = rows.get(credential_id)
        if row is None:
            raise NotFound(f"There is no credential {credential_id}.", "`m3sync credentials` lists them.")
        if row["system"] != system:
            raise Conflict(
                f"The credential {row['name']} is for {row['system']}, not for {system}.",
                f"Choose a credential for {system}.",
            )
