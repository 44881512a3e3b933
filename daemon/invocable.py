"""The result of a sync in the shape of m3ter's Sync to m3ter invocable action."""

from typing import Any

from daemon.outcomes import ObjectResult, SyncResult
from state.models import SyncStatus

# m3ter's Apex class is m3.SyncToM3terService; Salesforce calls an Apex action namespace__Class.
ACTION_NAME = "m3__SyncToM3terService"


def answer(result: SyncResult) -> list[dict[str, Any]]:
    """The answer of Salesforce's REST API to an invocable action, for this result (one element a request)."""
    # A flow that did not succeed is still an action that ran; only a Failed one is an error of the action.
    ran = result.sync_status is not SyncStatus.FAILED
    error = {"statusCode": "INVOCABLE_ACTION_ERROR", "message": _with_instruction(result), "fields": []}
    outputs = {
        "success": result.success,
        "syncStatus": result.sync_status.value,
        "message": result.message,
        "objectResults": [_as_output(item) for item in result.object_results],
        "concatenatedResults": result.concatenated_results,
    }
    return [
        {
            "actionName": ACTION_NAME,
            "isSuccess": ran,
            "errors": None if ran else [error],
            "outputValues": outputs,
        }
    ]


def _as_output(result: ObjectResult) -> dict[str, Any]:
    return {
        "objectName": result.object_name,
        "success": result.success,
        "message": result.message,
        "salesforceId": result.salesforce_id,
    }


def _with_instruction(result: SyncResult) -> str:
    return f"{result.message} {result.instruction}".rstrip()
