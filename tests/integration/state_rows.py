"""Rows that the tests of the stores begin with: an integration, changes, a claim."""

from datetime import timedelta
from uuid import UUID, uuid4

from state import credentials, database, field_mappings, inbox, integrations
from state.database import Db
from state.models import Cause, Change, Claim, Integration, NewCredential, NewIntegration
from state.vault import Vault

ORG = "00D000000000001EAA"
LEASE = timedelta(seconds=60)
EXPIRED = timedelta(0)  # a lease that is over as soon as it begins
VAULT = Vault(bytes(32))
_OLD_INTEGRATION = """WITH f AS (
        INSERT INTO field_mappings (name, document, sha256) VALUES ($1, '', '') RETURNING field_mapping_id
    )
    INSERT INTO integrations (name, flow, field_mapping_id, enabled, live_at)
    SELECT $1, 'Sales Agreement Sync', field_mapping_id, true, now() FROM f
    RETURNING integration_id"""


def record_id(number: int, prefix: str = "006") -> str:
    return f"{prefix}{number:012d}AAA"


def change(number: int, **values: object) -> Change:
    """The nth event, of record n unless said otherwise."""
    fields = {
        "channel": "/data/OpportunityChangeEvent",
        "replay_id": str(number),
        "object_name": "Opportunity",
        "record_id": record_id(number),
        "change_type": "UPDATE",
        "transaction_key": f"key-{number}",
        **values,
    }
    return Change(**fields)  # type: ignore[arg-type]  # any field may be given


async def new_integration(db: Db, name: str = "Agreements", *, enabled: bool = True) -> Integration:
    """An integration with both credentials of its own."""
    mapping = await field_mappings.save(db, f"{name} mapping", 'name = "opportunity"')
    salesforce, m3ter = [
        await credentials.add(db, VAULT, NewCredential(f"{name} {system}", system, {"url": "x"}))
        for system in ("salesforce", "m3ter")
    ]
    return await integrations.add(
        db,
        NewIntegration(
            name,
            "Sales Agreement Sync",
            mapping.field_mapping_id,
            salesforce.credential_id,
            m3ter.credential_id,
            enabled,
        ),
    )


async def connected_elsewhere(db: Db, integration: Integration) -> Integration:
    """With another Salesforce credential, which was accepted."""
    added = await credentials.add(db, VAULT, NewCredential("another org", "salesforce", {"url": "y"}))
    await credentials.mark_authorized(db, added.credential_id)
    return await integrations.connect(db, integration.name, salesforce_credential_id=added.credential_id)


async def old_integration(db: Db, name: str = "Agreements") -> UUID:
    """In a schema of the first m3sync, which the stores of now do not fit."""
    found: UUID = await db.fetchval(_OLD_INTEGRATION, name)
    return found


async def put(db: Db, integration_id: UUID, number: int = 1, **values: int) -> int:
    return await inbox.put(db, integration_id, "Opportunity", record_id(number), cause=Cause.CHANGE, **values)


async def claim(db: Db, *integration_ids: UUID, lease: timedelta = LEASE) -> Claim | None:
    return await inbox.claim(db, worker=f"worker {uuid4()}", lease=lease, integration_ids=integration_ids)


async def claimed(db: Db, *integration_ids: UUID, lease: timedelta = LEASE) -> Claim:
    """A claim, which must be had."""
    found = await claim(db, *integration_ids, lease=lease)
    assert found is not None
    return found


async def is_lock_waited_for(db: Db) -> bool:
    """Whether a session of this test's own database waits for a lock that another holds."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    return bool(await database.fetch_value(db, f"{asked} AND wait_event_type = 'Lock'"))
