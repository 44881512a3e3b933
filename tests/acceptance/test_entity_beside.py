"""Several integrations of one type: three namespaces, lists of their own, a record that two of them keep."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from daemon.to_salesforce import targets
from state import integrations
from state.database import Pool
from state.entity_models import EntityRun, EntitySync, EntityType, Namespace, Removal
from tests.acceptance import entity_customers as customers
from tests.acceptance import house as houses
from tests.acceptance.entity_customers import Customer
from tests.acceptance.house import House, Record
from tests.integration import copying
from tests.sandboxes import LocalSandbox

ACCOUNT = EntityType.ACCOUNT
LEFT = {Removal.MARK: "marked", Removal.DELETE: "none", Removal.KEEP: "there"}


@dataclass(slots=True)
class Scene:
    """Three customers in m3ter, and an org with the objects of every namespace."""

    house: House
    customers: list[Customer]

    def accounts(self, *numbers: int) -> tuple[str, ...]:
        return customers.accounts(self.customers[number] for number in numbers)

    async def states(self, kind: EntityType = ACCOUNT, namespace: Namespace = Namespace.CUSTOM) -> str:
        found = [await customers.state_of(self.house, kind, each[kind], namespace) for each in self.customers]
        return " ".join(found)

    async def once(self, sync: EntitySync) -> EntityRun:
        (run,) = await customers.run(self.house, sync)
        return run

    async def settled(self, *syncs: EntitySync) -> None:
        """One more run of each makes no call to Salesforce."""
        await self.house.sandbox.salesforce_control.clear_journal()
        for sync in syncs:
            await self.once(sync)
        assert not await copying.calls(self.house)


@pytest.fixture
async def scene(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        for namespace in Namespace:
            await copying.declare(house, namespace)
        yield Scene(house, await customers.made(house, "ASH", "BIRCH", "CEDAR"))


@pytest.mark.parametrize("namespace", Namespace)
async def test_all_five_types_are_kept_in_the_objects_of_their_namespace(
    scene: Scene, namespace: Namespace
) -> None:
    house = scene.house
    syncs = {kind: await copying.added(house, kind, namespace=namespace) for kind in EntityType}
    assert {run.written for run in await customers.run(house, *syncs.values())} == {3}
    prefix = {"Custom Objects": "m3ter_", "m3ter Connector": "m3__", "m3ter Connector (Testing)": "m3t__"}
    for kind in EntityType:
        target = targets.target(kind.value, namespace.value)
        assert target.object_name == f"{prefix[namespace.value]}{kind.value}__c"
        found = await copying.copies(house, kind, namespace)
        assert set(found) == {each[kind] for each in scene.customers}
        for other in set(Namespace) - {namespace}:
            assert await copying.copies(house, kind, other) == {}
    accounts = {each["Id"] for each in (await copying.copies(house, ACCOUNT, namespace)).values()}
    parent = next(
        field.name
        for field in targets.target("Contract", namespace.value).fields
        if field.relation == "Account"
    )
    contracts = await copying.copies(house, EntityType.CONTRACT, namespace)
    assert {each[parent] for each in contracts.values()} == accounts


async def test_namespaces_with_lists_of_their_own_do_not_touch_one_another(scene: Scene) -> None:
    lists = {Namespace.CUSTOM: (0,), Namespace.CONNECTOR: (1, 2), Namespace.TESTING: (0, 1, 2)}
    syncs = {
        namespace: await copying.added(
            *(scene.house, ACCOUNT, namespace.value),
            namespace=namespace,
            account_ids=scene.accounts(*numbers),
            on_leaving=Removal.DELETE,
        )
        for namespace, numbers in lists.items()
    }
    for sync in syncs.values():
        await scene.once(sync)
    assert await scene.states() == "there none none"
    assert await scene.states(namespace=Namespace.CONNECTOR) == "none there there"
    assert await scene.states(namespace=Namespace.TESTING) == "there there there"
    await copying.edited(scene.house, syncs[Namespace.TESTING], account_ids=scene.accounts(2))
    await scene.once(syncs[Namespace.TESTING])
    assert await scene.states(namespace=Namespace.TESTING) == "none none there"
    assert await scene.states() == "there none none"
    await scene.settled(*syncs.values())
    assert await scene.states(namespace=Namespace.CONNECTOR) == "none there there"


async def _two(scene: Scene, removal: Removal) -> tuple[EntitySync, EntitySync]:
    """The first two customers, and the last two, in one namespace: BIRCH is kept by both."""
    actions = {"on_leaving": removal, "on_deletion": removal}
    one = await copying.added(scene.house, ACCOUNT, "one", account_ids=scene.accounts(0, 1), **actions)
    other = await copying.added(scene.house, ACCOUNT, "other", account_ids=scene.accounts(1, 2), **actions)
    assert (await scene.once(one)).created == 2
    run = await scene.once(other)
    assert (run.written, run.created) == (2, 1)
    assert await scene.states() == "there there there"
    await scene.settled(one, other)
    return one, other


@pytest.mark.parametrize("removal", Removal)
async def test_the_last_to_let_go_of_a_record_decides_what_becomes_of_it(
    scene: Scene, removal: Removal
) -> None:
    one, other = await _two(scene, removal)
    await copying.edited(scene.house, one, account_ids=scene.accounts(0))
    run = await scene.once(one)
    assert (run.marked, run.deleted) == (0, 0)
    assert await scene.states() == "there there there"
    await scene.settled(one, other)
    await copying.edited(scene.house, other, account_ids=scene.accounts(2))
    await scene.once(other)
    assert await scene.states() == f"there {LEFT[removal]} there"
    await scene.settled(one, other)
    await copying.edited(scene.house, one, account_ids=scene.accounts(0, 1))
    await scene.once(one)
    assert await scene.states() == "there there there"
    await scene.settled(one, other)


@pytest.mark.parametrize("removal", Removal)
async def test_what_m3ter_deletes_is_handled_once_by_the_last_to_see_it(
    scene: Scene, removal: Removal
) -> None:
    one, other = await _two(scene, removal)
    entity = customers.vanish(scene.house, ACCOUNT, scene.customers[1][ACCOUNT])
    await scene.once(one)
    assert await scene.states() == "there there there"
    run = await scene.once(other)
    assert (run.marked, run.deleted) == (removal is Removal.MARK, removal is Removal.DELETE)
    assert await scene.states() == f"there {LEFT[removal]} there"
    await scene.settled(one, other)
    await customers.come_back(scene.house, ACCOUNT, entity)
    await scene.once(one)
    await scene.once(other)
    assert await scene.states() == "there there there"
    await scene.settled(one, other)


@pytest.mark.parametrize("removal", [Removal.MARK, Removal.DELETE])
async def test_an_integration_switched_off_keeps_nothing_and_restores_its_own_when_switched_on(
    scene: Scene, removal: Removal
) -> None:
    one, other = await _two(scene, removal)
    await integrations.disable(scene.house.db, "other")
    await copying.edited(scene.house, one, account_ids=scene.accounts(0))
    await scene.once(one)
    assert await scene.states() == f"there {LEFT[removal]} there"
    await integrations.enable(scene.house.db, "other")
    await scene.once(other)
    assert await scene.states() == "there there there"
    await scene.settled(one, other)


async def test_a_change_is_written_by_both_and_custom_fields_stand_beside_one_another(scene: Scene) -> None:
    fields = {name: {"type": "string", "length": 40} for name in ("Tier__c", "Area__c")}
    document = {"m3ter_Account__c": {"fields": fields}}
    await scene.house.sandbox.salesforce_control.call("POST", "org/declare", document)
    one = await copying.added(scene.house, ACCOUNT, "one", custom_fields={"tier": "Tier__c"})
    other = await copying.added(scene.house, ACCOUNT, "other", custom_fields={"area": "Area__c"})
    for sync in (one, other):
        await scene.once(sync)
    account_id = scene.customers[0][ACCOUNT]
    old = customers.organization(scene.house).store.get("Account", account_id)
    changes = {"name": "Ash & Sons", "customFields": {"tier": "gold", "area": "north"}}
    customers.organization(scene.house).change("Account", old, changes)
    for sync in (one, other):
        assert (await scene.once(sync)).written == 1
    (record,) = await _records(scene.house, account_id)
    assert (record["Name"], record["Tier__c"], record["Area__c"]) == ("Ash & Sons", "gold", "north")
    await scene.settled(one, other)


async def _records(house: House, m3ter_id: str) -> list[Record]:
    where = f"WHERE m3ter_Id__c = '{m3ter_id}'"
    return await house.query(f"SELECT Name, Tier__c, Area__c FROM m3ter_Account__c {where}")
