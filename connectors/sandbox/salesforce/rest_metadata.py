"""The Metadata API's REST resource: deploy a package, and ask what came of it."""

from typing import Any

from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.metadata_deploys import Deploy
from connectors.sandbox.salesforce.rest_call import Call, Reply, parse_body

LARGEST_ZIP = 39 * 1024 * 1024


def deploy(call: Call) -> Reply:
    """POST metadata/deployRequest: multipart with the options as JSON and the ZIP."""
    parts = call.body if isinstance(call.body, dict) else {}
    options, content = _options(parts.get("json", b"")), parts.get("file", b"")
    if not isinstance(content, bytes) or not content:
        raise SalesforceError("MISSING_ARGUMENT", "The part 'file' with the zip file is required")
    if len(content) > LARGEST_ZIP:
        raise SalesforceError("LIMIT_EXCEEDED", "Maximum size of request reached: a zip file has up to 39 MB")
    if options.get("testLevel", "NoTestRun") not in {"NoTestRun", "RunLocalTests", "RunAllTestsInOrg"}:
        raise SalesforceError("INVALID_INPUT", f"testLevel {options['testLevel']} is not known here")
    made = call.deploys.begin(content, options, call.user_id)
    return Reply(201, {"validatedDeployRequestId": None, **_shown(call, made, with_details=False)})


def read(call: Call) -> Reply:
    """GET metadata/deployRequest/ID?includeDetails=."""
    found = call.deploys.get(call.path[2])
    with_details = call.query.get("includeDetails", "").lower() == "true"
    return Reply(200, _shown(call, found, with_details=with_details))


def _shown(call: Call, found: Deploy, *, with_details: bool) -> dict[str, Any]:
    user = call.org.row(found.user_id) or {}
    return {
        "id": found.deploy_id,
        "url": call.url("metadata", "deployRequest", found.deploy_id),
        "deployOptions": found.options,
        "deployResult": found.result(str(user.get("Name", "")), with_details=with_details),
    }


def _options(raw: Any) -> dict[str, Any]:
    asked = parse_body(raw) if isinstance(raw, bytes) else None
    options = asked.get("deployOptions") if isinstance(asked, dict) else None
    if not isinstance(options, dict):
        raise SalesforceError("MISSING_ARGUMENT", "The part 'json' with the deployOptions is required")
    return options
