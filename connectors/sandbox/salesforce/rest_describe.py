"""What the org offers: versions, resources, objects, limits."""

from typing import Any

from connectors.sandbox.salesforce import describe
from connectors.sandbox.salesforce.rest_call import Call, Reply
from connectors.sandbox.salesforce.rest_records import definition_of

OLDEST, NEWEST = 31, 67
_SEASONS = ("Spring", "Summer", "Winter")
_RESOURCES = ("sobjects", "query", "queryAll", "limits", "composite", "jobs", "metadata")
_ALLOWANCES = {
    "DailyBulkV2QueryJobs": 10_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyDeliveredPlatformEvents": 25_000,
    "DailyDurableStreamingApiEvents": 200_000,
    "DailyStreamingApiEvents": 200_000,
    "DailyDurableGenericStreamingApiEvents": 10_000,
    "DataStorageMB": 10_240,
    "DurableStreamingApiConcurrentClients": 1_000,
    "FileStorageMB": 10_240,
    "StreamingApiConcurrentClients": 1_000,
}


def versions() -> list[dict[str, str]]:
    """The body of GET /services/data, which needs no session."""
    return [
        {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(OLDEST, NEWEST + 1)
    ]


def _label(number: int) -> str:
    # Version 67 is Summer '26; three releases a year, and a winter release is named for the year to come.
    releases = number - 66
    year, season = divmod(releases + 26 * 3, 3)
    return f"{_SEASONS[season]} '{year + (1 if _SEASONS[season] == 'Winter' else 0):02d}"


def resources(call: Call) -> Reply:
    """GET vNN.0."""
    identity = f"/id/{call.org.org_id}/{call.user_id}"
    return Reply(200, {**{name: call.url(name) for name in _RESOURCES}, "identity": identity})


def global_describe(call: Call) -> Reply:
    """GET sobjects."""
    objects = [describe.summary(each, call.version) for each in call.org.schema]
    return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})


def basic(call: Call) -> Reply:
    """GET sobjects/X."""
    owner = definition_of(call, call.path[1])
    return Reply(200, {"objectDescribe": describe.summary(owner, call.version), "recentItems": []})


def full_describe(call: Call) -> Reply:
    """GET sobjects/X/describe."""
    owner = definition_of(call, call.path[1])
    return Reply(200, describe.full(owner, call.org.schema, call.version))


def limits(call: Call) -> Reply:
    """GET limits."""
    usage = call.org.usage
    shown: dict[str, Any] = {name: {"Max": most, "Remaining": most} for name, most in _ALLOWANCES.items()}
    shown["DailyApiRequests"] = {"Max": usage.limit, "Remaining": max(usage.limit - usage.used, 0)}
    batches = call.ingest.batches
    shown["DailyBulkApiBatches"] = {"Max": batches.limit, "Remaining": max(batches.limit - batches.used, 0)}
    return Reply(200, dict(sorted(shown.items())))
