"""Each integration: its credentials, and its field mapping or target proved against the live org."""

import shlex
from collections.abc import Mapping
from typing import Any

from connectors.errors import NotFoundError, SyncError
from connectors.m3ter import shapes
from connectors.salesforce.rest import Salesforce
from daemon.clients import Links
from daemon.doctor import findings, objects, proving
from daemon.doctor.findings import Finding
from daemon.to_m3ter.mapping import check as checking
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.errors import MappingInvalid
from daemon.to_salesforce import custom_fields, targets
from daemon.to_salesforce.targets import Naming
from state import entity_runs, entity_syncs, field_mappings, integrations, sentence, systems
from state.database import Pool
from state.entity_models import EntityRun, EntitySync
from state.errors import StateError
from state.models import Integration


async def examine(db: Pool, links: Links, naming: Naming) -> list[Finding]:
    """Findings about all integrations, of both directions."""
    syncs = {each.integration.integration_id: each for each in await entity_syncs.list_all(db)}
    kept = await integrations.list_all(db)
    if not kept:
        instruction = "Make one: m3sync integrations add NAME ..."
        return [findings.absent("integrations", "There is none, so nothing is synced.", instruction)]
    disabling = await entity_runs.disabling(db)
    found: list[Finding] = []
    for each in kept:
        found += _connected(each, disabling.get(each.integration_id))
        if each.salesforce_credential_id is None:
            continue
        found += await _proved(db, links, each, (syncs.get(each.integration_id), naming))
    return found


def _connected(kept: Integration, disabling: EntityRun | None) -> list[Finding]:
    where = f"integration {kept.name}"
    if lacking := systems.lacking(kept):
        message = f"It has {systems.no_credential(lacking)}."
        return [findings.absent(where, message, systems.connecting(kept))]
    if disabling is not None:
        return [findings.doubtful(where, sentence.ended(disabling.error), disabling.instruction)]
    if not kept.enabled:
        instruction = f"m3sync integrations enable {shlex.quote(kept.name)}"
        return [findings.doubtful(where, "It is disabled, so it does nothing.", instruction)]
    return [findings.good(where, "It is connected and enabled.")]


async def _proved(
    db: Pool, links: Links, kept: Integration, wanted: tuple[EntitySync | None, Naming]
) -> list[Finding]:
    where = f"integration {kept.name}"
    assert kept.salesforce_credential_id is not None  # noqa: S101 - the caller asked
    sync, naming = wanted
    try:
        salesforce = (await links.org(kept.salesforce_credential_id)).client.salesforce
        if sync is not None:
            return await _target(where, salesforce, sync, naming)
        return await _field_mapping(db, where, salesforce, kept)
    except SyncError as error:
        message = f"It could not be proved: {error.message}"
        return [findings.bad(where, message, error.instruction or "Mend the credential first.")]
    except (MappingInvalid, StateError) as error:
        return [findings.bad(where, f"It could not be proved: {error.reason}", error.instruction)]


async def _field_mapping(db: Pool, where: str, salesforce: Salesforce, kept: Integration) -> list[Finding]:
    if kept.field_mapping_id is None:
        return [findings.bad(where, "It has no field mapping.", "Make it anew with --mapping NAME.")]
    mapping = await field_mappings.get(db, kept.field_mapping_id)
    place = f"{where}: field mapping {mapping.name}"
    made = document.parse(mapping.document)
    seen = checking.check(made, await proving.describes(made, salesforce), shapes.shapes())
    judges = {"error": findings.bad, "warning": findings.doubtful}
    found = [judges[each.severity](f"{place}: {each.where}", each.message, each.instruction) for each in seen]
    return found or [findings.good(place, "It is sound.")]


async def _target(where: str, salesforce: Salesforce, sync: EntitySync, naming: Naming) -> list[Finding]:
    settings = sync.settings
    try:
        target = targets.target(settings.entity_type, settings.namespace, naming)
    except targets.NoSuchTarget as error:
        return [findings.bad(where, str(error), "Correct [entity_data_sync] in the settings file.")]
    found = [
        findings.bad(where, problem, "Correct the custom field mappings of the integration.")
        for problem in custom_fields.problems(target, settings.custom_fields)
    ]
    describe = await _describe(salesforce, target.object_name)
    return found + objects.check(where, target, settings, describe)


async def _describe(salesforce: Salesforce, object_name: str) -> Mapping[str, Any] | None:
    try:
        return await salesforce.describe(object_name)
    except NotFoundError:
        return None
