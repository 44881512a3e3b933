"""The lookup to the standard Account: as external mappings in m3ter say, whoever made them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.sandbox.m3ter.tables import Page, Table
from state import database, record_states
from state.entity_models import EntityType
from state.models import RecordState
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House, until
from tests.integration import copying, lagging

ACCOUNT = EntityType.ACCOUNT
LIST = "m3ter list externalmappings"


async def standard(house: House, name: str = "Standard") -> str:
    return str((await house.salesforce("POST", "/sobjects/Account", {"Name": name}))["id"])


async def mapped(house: House, m3ter_id: str, record_id: str, table: str = "Account") -> str:
    """By m3ter's own API, which tells nobody; gives the mapping's id."""
    body = {"m3terEntity": "Account", "m3terId": m3ter_id, "externalSystem": "Salesforce"}
    made = await house.m3ter(
        "POST", "/externalmappings", body | {"externalTable": table, "externalId": record_id}
    )
    return str(made["id"])


async def lookup(house: House, m3ter_id: str) -> str | None:
    found: str | None = (await copying.copies(house, ACCOUNT))[m3ter_id]["Salesforce_Account__c"]
    return found


async def test_a_mapping_that_only_m3ter_holds_fills_it_and_one_that_is_gone_empties_it(house: House) -> None:
    (m3ter_id, other) = await copying.load(house, "Account", copying.rows(2))
    record_id = await standard(house)
    mapping_id = await mapped(house, m3ter_id, record_id[:15])
    sync = await copying.added(house, ACCOUNT)
    assert (await copying.once(house, sync)).written == 2
    assert await lookup(house, m3ter_id) == record_id
    assert await lookup(house, other) is None
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).written == 0
    assert not await copying.calls(house)
    await house.m3ter("DELETE", f"/externalmappings/{mapping_id}")
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) is None


@contextmanager
def passed_over(house: House, mapping_id: str) -> Iterator[None]:
    """The list of all mappings has shifted by one between two of its pages; who asks for one gets it."""
    table: Table = lagging.organization(house).store.tables["ExternalMapping"]

    def page(size: int, position: int | None, picked: list[int] | None, fits: Callable[[Any], bool]) -> Page:
        is_shifted = picked is None or len(picked) > 1
        return Table.page(
            table,
            size,
            position,
            picked,
            lambda each: fits(each) and not (is_shifted and each["id"] == mapping_id),
        )

    table.page = page  # type: ignore[method-assign]  # for the time of this test
    try:
        yield
    finally:
        del table.page


async def test_a_mapping_that_a_shifting_list_passes_over_is_asked_for_before_it_is_forgotten(
    house: House,
) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    record_id = await standard(house)
    mappings = [await mapped(house, m3ter_id, record_id) for m3ter_id in ids]
    sync = await copying.added(house, ACCOUNT)
    assert (await copying.once(house, sync)).written == 3
    await house.m3ter("DELETE", f"/externalmappings/{mappings[0]}")
    with passed_over(house, mappings[1]):
        run = await copying.once(house, sync)
    assert [await lookup(house, each) for each in ids] == [None, record_id, record_id]
    assert (run.written, run.calls[LIST]) == (1, 2)
    assert (await copying.once(house, sync)).calls[LIST] == 1


async def test_a_mapping_made_later_fills_it_though_the_account_stays_as_it_is(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    sync = await copying.added(house, ACCOUNT)
    await copying.once(house, sync)
    record_id = await standard(house)
    await mapped(house, m3ter_id, record_id)
    assert (await copying.once(house, sync)).written == 1
    assert await lookup(house, m3ter_id) == record_id


async def test_mappings_to_other_objects_or_with_ids_of_none_leave_it_empty(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(3))
    record_id = await standard(house)
    await mapped(house, ids[0], record_id, "Opportunity")
    await mapped(house, ids[1], "no id of Salesforce")
    await mapped(house, ids[2], "006000000000001AAA")
    run = await copying.once(house, await copying.added(house, ACCOUNT))
    assert (run.written, run.refused) == (3, 0)
    assert [await lookup(house, each) for each in ids] == [None] * 3


async def test_they_are_read_in_few_calls_and_only_by_integrations_of_accounts(house: House) -> None:
    ids = await copying.load(house, "Account", copying.rows(450))
    record_id = await standard(house)
    rows = [
        {"m3terEntity": "Account", "externalSystem": "Salesforce", "externalTable": "Account"}
        | {"m3terId": each, "externalId": record_id}
        for each in ids
    ]
    await copying.load(house, "ExternalMapping", rows)
    run = await copying.once(house, await copying.added(house, ACCOUNT))
    assert run.calls[LIST] == 3
    assert {each["Salesforce_Account__c"] for each in (await copying.copies(house, ACCOUNT)).values()} == {
        record_id
    }
    few = await copying.added(house, ACCOUNT, "few", account_ids=tuple(ids[:3]))
    assert (await copying.once(house, few)).calls[LIST] == 1
    contracts = await copying.once(house, await copying.added(house, EntityType.CONTRACT))
    assert LIST not in contracts.calls


async def test_the_feed_reads_them_for_what_changed(house: House) -> None:
    (customer,) = await customers.made(house, "ASH")
    sync = await copying.added(house, ACCOUNT)
    async with copying.copying(house, copying.FED):
        await copying.ended(house, sync)
        record_id = await standard(house)
        await mapped(house, customer[ACCOUNT], record_id)
        entity = await house.m3ter("GET", f"/accounts/{customer[ACCOUNT]}")
        kept = {name: entity[name] for name in ("code", "emailAddress", "version")}
        await house.m3ter("PUT", f"/accounts/{customer[ACCOUNT]}", kept | {"name": "Ash and sons"})

        async def is_there() -> bool:
            return await lookup(house, customer[ACCOUNT]) == record_id

        await until(is_there)


async def test_a_list_that_m3ter_refuses_stops_nothing(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    refusal = {"match": {"path": "*/externalmappings"}, "status": 400, "body": {"message": "no such list"}}
    await house.sandbox.m3ter_control.fault("status", times=None, **refusal)
    run = await copying.once(house, await copying.added(house, ACCOUNT))
    assert (run.written, run.error) == (1, "")
    assert await lookup(house, m3ter_id) is None


async def gone(house: House, record_id: str) -> None:
    """As the other direction remembers the record."""
    state = RecordState(house.integration.integration_id, record_id, criterion_held=False, is_gone=True)
    async with database.transaction(house.db) as tx:
        await record_states.put(tx, state)


async def test_an_account_known_to_be_gone_from_salesforce_is_not_named(house: House) -> None:
    (m3ter_id,) = await copying.load(house, "Account", copying.rows(1))
    merged, winner = await standard(house, "Merged away"), await standard(house, "Winner")
    await mapped(house, m3ter_id, merged)
    sync = await copying.added(house, ACCOUNT)
    await copying.once(house, sync)
    assert await lookup(house, m3ter_id) == merged
    await house.salesforce("DELETE", f"/sobjects/Account/{merged}")
    await gone(house, merged)
    run = await copying.once(house, sync)
    assert (run.written, run.refused) == (1, 0)
    assert await lookup(house, m3ter_id) is None
    await mapped(house, m3ter_id, winner)
    await copying.once(house, sync)
    assert await lookup(house, m3ter_id) == winner
