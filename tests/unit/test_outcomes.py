"""A result says what happened in the words and the shape of m3ter's invocable action."""

import pytest

from daemon import invocable, outcomes
from daemon.outcomes import Action
from state.models import SyncStatus

ACCOUNT, LINE = "001S900000RzsIUIAZ", "00kS9000001Nxy5IAC"
M3TER_ID = "d82738f3-d1d7-4a13-94a2-757658d64948"


def test_all_objects_written_is_completed() -> None:
    done = [
        outcomes.written("Account", ACCOUNT, action, M3TER_ID)
        for action in (Action.CREATED, Action.UNCHANGED)
    ]
    result = outcomes.finished(done)
    assert (result.success, result.sync_status) == (True, SyncStatus.COMPLETED)
    assert result.message == "Sync process completed successfully"


@pytest.mark.parametrize(
    "bad",
    [
        outcomes.flagged("Plan", LINE),
        outcomes.refused("Plan", LINE, "no", "Do it by hand."),
        outcomes.not_attempted("Plan", LINE, "Account", Action.FAILED),
    ],
)
def test_any_object_that_did_not_succeed_makes_it_a_partial_success(bad: outcomes.ObjectResult) -> None:
    result = outcomes.finished([outcomes.written("Account", ACCOUNT, Action.ADOPTED, M3TER_ID), bad])
    assert (result.success, result.sync_status) == (False, SyncStatus.PARTIAL_SUCCESS)
    assert result.message == "Sync process completed successfully"
    assert result.instruction == bad.instruction


def test_a_failure_carries_the_reason_and_what_had_been_done_before() -> None:
    done = outcomes.written("Account", ACCOUNT, Action.CREATED, M3TER_ID)
    result = outcomes.failed("m3ter is away", "Wait.", [done])
    assert (result.success, result.sync_status) == (False, SyncStatus.FAILED)
    assert result.message == "Sync process failed: m3ter is away"
    assert result.object_results == (done,)


def test_concatenated_results_have_one_line_an_object_in_the_order_of_the_sync() -> None:
    result = outcomes.finished(
        [
            outcomes.written("Account", ACCOUNT, Action.CREATED, M3TER_ID),
            outcomes.flagged("AccountPlan", LINE),
        ]
    )
    assert result.concatenated_results.splitlines() == [
        f"Object: Account, Success: true, Message: m3ter Identifier: {M3TER_ID}, Salesforce ID: {ACCOUNT}",
        (
            f"Object: AccountPlan, Success: false, Message: The object accountplans for the record {LINE} "
            f"was flagged to not sync., Salesforce ID: {LINE}"
        ),
    ]


def test_why_an_object_was_not_attempted_is_told() -> None:
    messages = {
        because: outcomes.not_attempted("Pricing", LINE, "Plan", because).message
        for because in (Action.FAILED, Action.FLAGGED, Action.NOT_ATTEMPTED)
    }
    assert len(set(messages.values())) == 3
    assert all(
        message.startswith("The Pricing was not attempted, because the Plan") for message in messages.values()
    )


def test_the_invocable_action_has_salesforces_shape() -> None:
    result = outcomes.finished([outcomes.written("Account", ACCOUNT, Action.CREATED, M3TER_ID)])
    assert invocable.answer(result) == [
        {
            "actionName": "m3__SyncToM3terService",
            "isSuccess": True,
            "errors": None,
            "outputValues": {
                "success": True,
                "syncStatus": "Completed",
                "message": "Sync process completed successfully",
                "objectResults": [
                    {
                        "objectName": "Account",
                        "success": True,
                        "message": f"m3ter Identifier: {M3TER_ID}",
                        "salesforceId": ACCOUNT,
                    }
                ],
                "concatenatedResults": result.concatenated_results,
            },
        }
    ]


def test_a_failed_action_has_errors_and_still_its_output() -> None:
    answer = invocable.answer(outcomes.too_many_records(3))[0]
    assert answer["isSuccess"] is False
    assert "3 were given" in answer["errors"][0]["message"]
    assert answer["outputValues"]["syncStatus"] == "Failed"
