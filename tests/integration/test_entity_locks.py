"""What became of the records of one call is kept without a deadlock, whoever holds some of their copies."""

import pytest

from state import entity_copies
from state.database import transaction
from state.entity_models import EntityType
from tests.acceptance.house import House, until
from tests.integration import copying
from tests.integration.state_rows import is_lock_waited_for
from tests.integration.test_entity_edits import interrupted


@pytest.mark.parametrize("late", [0, 1])
async def test_who_takes_two_copies_in_their_order_waits_for_no_call_of_which_one_is_tried_again(
    house: House, late: int
) -> None:
    ids = sorted(await copying.load(house, "Account", copying.rows(2)))
    accounts = {each["id"]: each["code"] for each in await house.all("accounts")}
    held = {"object": "m3ter_Account__c", "field": "Code__c", "values": [accounts[ids[late]]]}
    await house.sandbox.salesforce_control.call("POST", "org/rules", {"locks": [held]})
    sync = await copying.added(house, EntityType.ACCOUNT)
    await interrupted(house, sync)

    async with copying.copying(house):
        async with transaction(house.db) as elsewhere:
            await entity_copies.hold(elsewhere, sync.integration.integration_id, ids[:1])
            await until(lambda: is_lock_waited_for(house.db))
            await elsewhere.execute("SET LOCAL lock_timeout = '500ms'")
            await entity_copies.hold(elsewhere, sync.integration.integration_id, ids[1:])
        run = await copying.ended(house, sync)
    assert (run.written, run.refused) == (2, 0)
