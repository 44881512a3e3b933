"""The metadata package deployed into the sandbox: every object is then there as the targets need it."""

import asyncio
import io
import zipfile
from typing import Any

import aiohttp

from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from daemon.doctor import objects
from daemon.doctor.findings import Verdict
from daemon.to_salesforce import metadata, targets
from daemon.to_salesforce.targets import Target
from state.entity_models import EntitySyncSettings, EntityType, Namespace, Removal
from tests.sandboxes import LocalSandbox


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in metadata.package().items():
            archive.writestr(path, content)
    return made.getvalue()


async def _deploy(sandbox: LocalSandbox, token: str) -> dict[str, Any]:
    """The result of a deployment that has come to its end."""
    form = aiohttp.FormData()
    form.add_field("json", '{"deployOptions": {"rollbackOnError": true}}', content_type="application/json")
    form.add_field("file", _zip(), filename="package.zip", content_type="application/zip")
    place = f"{sandbox.salesforce['url']}/services/data/v{metadata.API_VERSION}/metadata/deployRequest"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(30):
        async with session.post(place, data=form) as answer:
            assert answer.status == 201, await answer.text()
            deployment = (await answer.json())["id"]
        while True:
            async with session.get(f"{place}/{deployment}?includeDetails=true") as answer:
                result: dict[str, Any] = (await answer.json())["deployResult"]
            if result["done"]:
                return result


def _settings(target: Target, on_leaving: Removal = Removal.MARK) -> EntitySyncSettings:
    return EntitySyncSettings(EntityType(target.entity_type), Namespace.CUSTOM, on_leaving=on_leaving)


async def test_a_deployed_package_has_all_that_the_targets_need(sandbox: LocalSandbox) -> None:
    given = {key: sandbox.salesforce[key] for key in ("url", "client_id", "client_secret")}
    async with rest.open(SalesforceCredential.model_validate(given)) as salesforce:
        token = (await salesforce.auth.grant()).token
        result = await _deploy(sandbox, token)
        assert result["success"], result["details"]["componentFailures"]
        assert result["numberComponentErrors"] == 0
        for target in targets.every("Custom Objects"):
            describe = await salesforce.describe(target.object_name)
            deleting = _settings(target, on_leaving=Removal.DELETE)
            (found,) = objects.check("here", target, deleting, describe)
            assert found.verdict is Verdict.OK, found
            # Whoever may not delete is no trouble where nothing is to be deleted.
            undeletable = {**describe, "deletable": False}
            (found,) = objects.check("here", target, _settings(target), undeletable)
            assert found.verdict is Verdict.OK, found
            (found,) = objects.check("here", target, deleting, undeletable)
            assert found.verdict is Verdict.ERROR
            assert "not deletable" in found.message
            assert metadata.SYNC_PERMISSIONS in found.instruction
