"""Account lists: who is copied, who has left, who is gone, and who comes back, of all five types."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.to_m3ter import presets
from state.database import Pool
from state.entity_models import EntityRun, EntitySync, EntityType, Removal
from tests.acceptance import entity_customers as customers
from tests.acceptance import house as houses
from tests.acceptance.entity_customers import Customer
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox

# Which of the three customers are allowed, which are restricted, and who is copied: deny wins.
LISTS = {
    "neither": ((), (), {0, 1, 2}),
    "allowed": ((0, 1), (), {0, 1}),
    "restricted": ((), (1,), {0, 2}),
    "both": ((0, 1), (1,), {0}),
    "all-restricted": ((0,), (0,), set[int]()),
}
LEFT = {Removal.MARK: "marked", Removal.DELETE: "none", Removal.KEEP: "there"}
REMOVALS = list(Removal)


@dataclass(slots=True)
class Scene:
    """Three customers in m3ter, and an integration of each type once they are made."""

    house: House
    customers: list[Customer]
    syncs: dict[EntityType, EntitySync] = field(default_factory=dict)

    def accounts(self, *numbers: int) -> tuple[str, ...]:
        return customers.accounts(self.customers[number] for number in numbers)

    async def add(self, **settings: Any) -> None:
        self.syncs = {kind: await copying.added(self.house, kind, **settings) for kind in EntityType}

    async def edit(self, **settings: Any) -> None:
        for sync in self.syncs.values():
            await copying.edited(self.house, sync, **settings)

    async def run(self) -> dict[EntityType, EntityRun]:
        """One more run of each, beside one another."""
        runs = await customers.run(self.house, *self.syncs.values())
        return dict(zip(self.syncs, runs, strict=True))

    async def run_in_turn(self) -> dict[EntityType, EntityRun]:
        """One more run of each, parents first: beside one another a child may meet no parent yet, and is
        written by a later run."""
        return {kind: (await customers.run(self.house, sync))[0] for kind, sync in self.syncs.items()}

    async def settled(self) -> None:
        """One more run makes no call to Salesforce."""
        await self.house.sandbox.salesforce_control.clear_journal()
        for kind, run in (await self.run()).items():
            assert (run.differing, run.written, run.marked, run.deleted) == (0, 0, 0, 0), kind
        assert not await copying.calls(self.house)

    async def copied(self, kind: EntityType) -> set[int]:
        """Whose entities of the type are in Salesforce, with anything else that is there as -1."""
        ids = [each[kind] for each in self.customers]
        found = await copying.copies(self.house, kind)
        return {ids.index(each) if each in ids else -1 for each in found}

    async def records(self, kind: EntityType) -> set[str]:
        return {each["Id"] for each in (await copying.copies(self.house, kind)).values()}

    async def have(self, *states: str) -> None:
        """Each customer's entity of each type is there, marked, or not there."""
        for kind in EntityType:
            found = [await customers.state_of(self.house, kind, each[kind]) for each in self.customers]
            assert found == list(states), kind


@pytest.fixture
async def scene(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        await copying.declare(house)
        yield Scene(house, await customers.made(house, "ASH", "BIRCH", "CEDAR"))


@pytest.mark.parametrize("lists", LISTS)
async def test_only_what_the_lists_let_through_is_copied(scene: Scene, lists: str) -> None:
    allowed, restricted, copied = LISTS[lists]
    some = {"account_ids": scene.accounts(*allowed), "restricted_account_ids": scene.accounts(*restricted)}
    await scene.add(**some)
    for kind, run in (await scene.run()).items():
        assert run.written == len(copied), kind
        assert await scene.copied(kind) == copied, kind
    await scene.settled()


# What is gone has another action in half of these, so that nobody takes the one for the other.
@pytest.mark.parametrize("on_deletion", [None, Removal.KEEP], ids=["same-on-deletion", "kept-on-deletion"])
@pytest.mark.parametrize("how", ["no longer allowed", "restricted"])
@pytest.mark.parametrize("on_leaving", REMOVALS)
async def test_an_account_that_leaves_the_filter_is_handled_as_said_and_comes_back(
    scene: Scene, on_leaving: Removal, how: str, on_deletion: Removal | None
) -> None:
    allowed = scene.accounts(0, 1, 2) if how == "no longer allowed" else ()
    await scene.add(account_ids=allowed, on_leaving=on_leaving, on_deletion=on_deletion or on_leaving)
    await scene.run()
    await scene.have("there", "there", "there")
    before = {kind: await scene.records(kind) for kind in EntityType}

    without = scene.accounts(0, 2) if allowed else ()
    await scene.edit(account_ids=without, restricted_account_ids=() if allowed else scene.accounts(1))
    for kind, run in (await scene.run()).items():
        done = (run.marked, run.deleted, run.written)
        assert done == (on_leaving is Removal.MARK, on_leaving is Removal.DELETE, 0), kind
    await scene.have("there", LEFT[on_leaving], "there")
    await scene.settled()

    await scene.edit(account_ids=allowed, restricted_account_ids=())
    for kind, run in (await scene.run_in_turn()).items():
        assert (run.written, run.created) == (1, on_leaving is Removal.DELETE), kind
        kept = len(before[kind] & await scene.records(kind))
        assert kept == (2 if on_leaving is Removal.DELETE else 3), kind
    await scene.have("there", "there", "there")
    await scene.settled()


@pytest.mark.parametrize("on_leaving", [None, Removal.KEEP], ids=["same-on-leaving", "kept-on-leaving"])
@pytest.mark.parametrize("on_deletion", REMOVALS)
async def test_an_entity_gone_from_m3ter_is_handled_as_said_and_comes_back(
    scene: Scene, on_deletion: Removal, on_leaving: Removal | None
) -> None:
    actions = {"on_deletion": on_deletion, "on_leaving": on_leaving or on_deletion}
    await scene.add(account_ids=scene.accounts(0, 1), **actions)
    await scene.run()
    await scene.have("there", "there", "none")

    gone = {kind: customers.vanish(scene.house, kind, scene.customers[1][kind]) for kind in EntityType}
    for kind, run in (await scene.run()).items():
        done = (run.marked, run.deleted, run.written)
        assert done == (on_deletion is Removal.MARK, on_deletion is Removal.DELETE, 0), kind
    await scene.have("there", LEFT[on_deletion], "none")
    await scene.settled()

    for kind in EntityType:
        await customers.come_back(scene.house, kind, gone[kind])
    await scene.run_in_turn()
    await scene.have("there", "there", "none")
    await scene.settled()
