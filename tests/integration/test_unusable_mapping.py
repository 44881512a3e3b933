"""A field mapping that cannot be used any more: health says where it is wrong, and what to do."""

from daemon.clients import Links
from daemon.to_m3ter.tasks import Manner, Tasks
from state import field_mappings, health
from state.database import Pool
from tests.integration.state_rows import VAULT, new_integration


async def test_health_names_the_place_in_the_document_and_what_to_do(db: Pool) -> None:
    kept = await new_integration(db)
    await field_mappings.save(db, str(kept.field_mapping_name), 'name = "a"\nparent = "Opportunity"\nx = 1')
    async with Links(db, VAULT) as links:
        assert await Tasks(db, links, Manner()).wanted() == []
    (told,) = await health.all(db)
    place, colon, what = told.message.partition(": ")
    assert (told.subject, colon) == (f"integration:{kept.name}", ": ")
    assert (bool(what), " " in place) == (True, False)
    assert told.instruction
