"""Which Salesforce objects the enabled integrations of this direction listen to."""

from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.errors import MappingInvalid
from state import field_mappings, integrations
from state.database import Db


async def objects(db: Db) -> frozenset[str]:
    """Their API names. A mapping that cannot be read listens to nothing."""
    found: set[str] = set()
    for each in await integrations.enabled(db):
        if each.field_mapping_id is None:
            continue
        saved = await field_mappings.get(db, each.field_mapping_id)
        try:
            found |= set(document.parse(saved.document).objects_watched)
        except MappingInvalid:
            continue  # said of the integration itself
    return frozenset(found)
