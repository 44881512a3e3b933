"""What happens to the company in m3ter, and to the filter, during a scenario of entity data syncs."""

from decimal import Decimal

from tests.acceptance.entity_scenes import EntityScene


async def begin(_stage: EntityScene) -> None:
    """Nothing: what is there already is copied."""


async def edit(stage: EntityScene) -> None:
    """One entity of each type changes."""
    company = stage.company
    company.change("Account", "harbour", name="Harbour & Sons")
    company.change("Contract", "mill contract", endDate="2028-02-29")
    company.change("Commitment", "yard commitment", amount=Decimal("4000.01"))
    company.credit("mill balance", "-12.34")
    company.rebill("harbour bill", "1.01", "2.02", "3.03")
    stage.seen.note()


async def edit_again(stage: EntityScene) -> None:
    """What `edit` has changed changes once more, and is not to be overtaken."""
    company = stage.company
    company.change("Account", "harbour", name="Harbour Limited")
    company.change("Contract", "mill contract", endDate="2029-01-01")
    company.rebill("harbour bill", "9.99")
    stage.seen.note()


async def edit_often(stage: EntityScene) -> None:
    """Two entities thrice, each state of which may be read."""
    for number in range(1, 4):
        stage.company.change("Account", "yard", name=f"Yard {number}")
        stage.company.rebill("yard bill", f"{number}.50")
        stage.seen.note()


async def make(stage: EntityScene) -> None:
    """A customer, and a child of it: no parent is there yet."""
    stage.company.customer("quay")
    stage.company.customer("quay crane", parent="quay")
    stage.seen.note()


async def delete(stage: EntityScene) -> None:
    """A single commitment, and all of a customer."""
    stage.company.delete("Commitment", "harbour commitment")
    stage.company.close("mill")
    stage.seen.note()


async def change(stage: EntityScene) -> None:
    """`edit` and `delete` at once."""
    await edit(stage)
    await delete(stage)


async def unheard(stage: EntityScene) -> None:
    """Much changes of which no event tells: a run is to find it."""
    await edit(stage)
    await make(stage)
    stage.company.close("harbour branch")
    stage.seen.note()
    stage.sandbox.running.organization.events._kept.clear()
    await stage.rescan()


async def leave(stage: EntityScene) -> None:
    """The account of a parent and its bills leaves the filter."""
    await stage.deny("harbour", "yard")
    await stage.rescan()


async def come_back(stage: EntityScene) -> None:
    """One of them is let in again."""
    await stage.deny("yard")
    await stage.rescan()
