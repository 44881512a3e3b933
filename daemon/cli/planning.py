"""What a document of `apply` would change: each change with what was, what will be, and how it is made."""

import difflib
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from daemon.cli import connections, entity_settings, toml_text
from daemon.cli.configured import Document, IntegrationTable
from daemon.cli.entity_settings import wrong
from daemon.cli.session import UNCONFIGURED, CommandFailed
from daemon.to_m3ter.mapping import document as mapping_document
from daemon.to_m3ter.mapping.errors import MappingInvalid
from daemon.web import wording
from state import credentials, entity_syncs, field_mappings, integrations, names, systems
from state.database import Connection, Db
from state.entity_models import FLOW, EntitySync, EntitySyncSettings
from state.models import Credential, FieldMapping, Integration, NewIntegration

Work = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Change:
    """`sign` is +, ~ or -; `fields` are name, before and after; two are equal when they show the same."""

    sign: str
    what: str
    name: str
    work: Work = field(compare=False, repr=False)
    fields: tuple[tuple[str, str, str], ...] = ()
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Present:
    """What is configured now."""

    credentials: Mapping[str, Credential]
    mappings: Mapping[str, FieldMapping]
    integrations: Mapping[str, Integration]
    syncs: Mapping[str, EntitySync]


async def present(db: Db) -> Present:
    return Present(
        {each.name: each for each in await credentials.list_all(db)},
        {each.name: each for each in await field_mappings.list_all(db)},
        {each.name: each for each in await integrations.list_all(db)},
        {each.integration.name: each for each in await entity_syncs.list_all(db)},
    )


def changes(now: Present, wanted: Document, texts: Mapping[str, str], *, prune: bool) -> list[Change]:
    """In the order in which they can be made. Raises CommandFailed for what cannot be."""
    for name, table in wanted.credentials.items():
        connections.fitting(now.credentials.get(name), name, table.system)
    found = [_mapping(now.mappings.get(name), name, text) for name, text in texts.items()]
    gone = [each for name, each in now.integrations.items() if prune and name not in wanted.integrations]
    found += [_removal("integration", each.name, integrations.remove) for each in gone]
    found += [_integration(now, name, table, texts) for name, table in wanted.integrations.items()]
    if prune:
        used = {each.field_mapping_name for each in now.integrations.values() if each not in gone}
        used |= {*wanted.mappings, *(each.mapping for each in wanted.integrations.values())}
        unused = [name for name in now.mappings if name not in used]
        found += [_removal("field mapping", name, field_mappings.remove) for name in unused]
    return [each for each in found if each is not None]


def _removal(what: str, name: str, remove: Callable[[Connection, str], Awaitable[None]]) -> Change:
    return Change("-", what, name, partial(_do, remove, name))


async def _do(remove: Callable[[Connection, str], Awaitable[None]], name: str, tx: Connection) -> None:
    await remove(tx, name)


def _mapping(kept: FieldMapping | None, name: str, text: str) -> Change | None:
    names.check("field mapping", name)
    try:
        mapping_document.parse(text)
    except MappingInvalid as error:
        raise wrong(f"The field mapping {name}: {error.reason}", error.instruction) from None
    if kept is not None and kept.document == text:
        return None
    before = kept.document.splitlines() if kept else []
    diff = tuple(difflib.unified_diff(before, text.splitlines(), n=1, lineterm=""))[2:] if kept else ()

    async def save(tx: Connection) -> None:
        await field_mappings.save(tx, name, text)

    return Change("~" if kept else "+", "field mapping", name, save, diff=diff)


def _integration(now: Present, name: str, table: IntegrationTable, texts: Mapping[str, str]) -> Change | None:
    ids = {
        system: connections.fitting(now.credentials.get(wanted), wanted, system).credential_id
        for system, wanted in (("salesforce", table.salesforce), ("m3ter", table.m3ter))
        if wanted is not None
    }
    kept = now.integrations.get(name)
    change: Change | None
    names.check("integration", name)
    if kept is not None:
        change = _changed(now, kept, table, ids)
    elif table.is_of_entities or table.flow == FLOW:
        change = _new_sync(name, table, ids)
    else:
        change = _new_flow(name, table, ids, _text_of(now, table.mapping, texts))
    _check_enabled(name, kept, table)
    return change


def _check_enabled(name: str, kept: Integration | None, table: IntegrationTable) -> None:
    """Switched on needs both credentials."""
    if not table.enabled:
        return
    lacking = systems.without(
        table.salesforce or (kept and kept.salesforce_credential_name),
        table.m3ter or (kept and kept.m3ter_credential_name),
    )
    if lacking:
        keys = " and ".join(f'{system} = "NAME"' for system in lacking)
        raise CommandFailed(
            f"The integration {name} is to be enabled and has {systems.no_credential(lacking)}.",
            f"Give it {keys}. `m3sync credentials list` shows their names.",
            exit_code=UNCONFIGURED,
        )


def _new_sync(name: str, table: IntegrationTable, ids: dict[str, UUID]) -> Change:
    if table.entity is None:
        raise wrong(f"The integration {name} does not say which entities.", 'Give entity = "Account", say.')
    settings = _laid_over(name, table, EntitySyncSettings(table.entity))

    async def add(tx: Connection) -> None:
        await entity_syncs.add(
            tx,
            name,
            settings,
            salesforce_credential_id=ids.get("salesforce"),
            m3ter_credential_id=ids.get("m3ter"),
        )
        if table.enabled:
            await integrations.enable(tx, name)

    shown = {"flow": FLOW, **told(settings), **_shown_uses(table)}
    return Change("+", "integration", name, add, _fresh(shown))


def _laid_over(name: str, table: IntegrationTable, settings: EntitySyncSettings) -> EntitySyncSettings:
    """Raises CommandFailed naming the integration."""
    try:
        return entity_settings.laid_over(table.given, settings)
    except CommandFailed as error:
        raise wrong(f"[integrations.{toml_text.key(name)}] {error.reason}", error.instruction) from None


def _text_of(now: Present, mapping: str | None, texts: Mapping[str, str]) -> str | None:
    """The document of a field mapping, of the file or kept."""
    if mapping is None or mapping in texts:
        return texts.get(mapping or "")
    return now.mappings[mapping].document if mapping in now.mappings else None


def _new_flow(name: str, table: IntegrationTable, ids: dict[str, UUID], text: str | None) -> Change:
    if table.mapping is None or text is None:
        lacks = (
            f"the field mapping {table.mapping}, which is not there" if table.mapping else "no field mapping"
        )
        raise wrong(f"The integration {name} names {lacks}.", "Give entity, or a mapping of [mappings].")
    mapping, flow = table.mapping, mapping_document.parse(text).flow
    if table.flow not in (None, flow):
        raise wrong(f"The field mapping {mapping} is for {flow}, not for {table.flow}.", "Leave flow out.")

    async def add(tx: Connection) -> None:
        kept = await field_mappings.get(tx, mapping)
        new = NewIntegration(name, flow, kept.field_mapping_id, ids.get("salesforce"), ids.get("m3ter"))
        await integrations.add(tx, new)
        if table.enabled:
            await integrations.enable(tx, name)

    shown = {"flow": flow, "mapping": mapping, **_shown_uses(table)}
    return Change("+", "integration", name, add, _fresh(shown))


def _changed(now: Present, kept: Integration, table: IntegrationTable, ids: dict[str, UUID]) -> Change | None:
    sync = now.syncs.get(kept.name)
    _check_same(kept, sync, table)
    before = {**(told(sync.settings) if sync else {}), **_uses_of(kept)}
    settings = _laid_over(kept.name, table, sync.settings) if sync else None
    after = {**before, **(told(settings) if settings else {}), **_shown_uses(table)}
    fields = tuple((name, before[name], after[name]) for name in before if before[name] != after[name])
    if not fields:
        return None

    async def change(tx: Connection) -> None:
        if sync is not None and settings is not None and settings != sync.settings:
            await entity_syncs.edit(tx, kept.name, settings)
        if ids:
            await integrations.connect(
                tx,
                kept.name,
                salesforce_credential_id=ids.get("salesforce"),
                m3ter_credential_id=ids.get("m3ter"),
            )
        if table.enabled not in (None, kept.enabled):
            await (integrations.enable if table.enabled else integrations.disable)(tx, kept.name)

    return Change("~", "integration", kept.name, change, fields)


def _check_same(kept: Integration, sync: EntitySync | None, table: IntegrationTable) -> None:
    """What an integration is cannot be changed: what it has done would be another's."""
    differs: Any = None
    if table.flow not in (None, kept.flow):
        differs = (kept.flow, table.flow)
    elif sync is None and table.is_of_entities:
        differs = (kept.flow, FLOW)
    elif sync is not None and table.entity not in (None, sync.settings.entity_type):
        differs = (sync.settings.entity_type, table.entity)
    elif table.mapping not in (None, kept.field_mapping_name):
        differs = (kept.field_mapping_name or kept.flow, table.mapping)
    if differs:
        raise wrong(
            f"The integration {kept.name} is of {differs[0]} and cannot become one of {differs[1]}.",
            "Name the other one differently, or remove it: "
            f"m3sync integrations remove {shlex.quote(kept.name)}",
        )


def told(settings: EntitySyncSettings) -> dict[str, str]:
    """The settings in words."""
    fields = [f"{name} -> {target}" for name, target in sorted(settings.custom_fields.items())]
    return {
        "entity": settings.entity_type.value,
        "namespace": settings.namespace.value,
        "account ids": wording.shown(settings.account_ids) if settings.account_ids else "all",
        "restricted account ids": wording.shown(settings.restricted_account_ids),
        "notify": wording.shown(settings.notification_users),
        "custom fields": wording.shown(fields),
        "schedule": settings.schedule,
        "on deletion": settings.on_deletion.value,
        "on leaving": settings.on_leaving.value,
    }


def _uses_of(kept: Integration) -> dict[str, str]:
    return {
        "Salesforce credential": wording.shown(kept.salesforce_credential_name),
        "m3ter credential": wording.shown(kept.m3ter_credential_name),
        "enabled": wording.shown(kept.enabled),
    }


def _shown_uses(table: IntegrationTable) -> dict[str, str]:
    said = {
        "Salesforce credential": table.salesforce,
        "m3ter credential": table.m3ter,
        "enabled": table.enabled,
    }
    return {name: wording.shown(value) for name, value in said.items() if value is not None}


def _fresh(shown: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((name, "", value) for name, value in shown.items() if value != "-")
