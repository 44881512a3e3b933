"""An empty org gets the package of `m3sync salesforce metadata`, and all five types then run into it."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from daemon.to_m3ter import presets
from daemon.to_salesforce import metadata
from state import entity_syncs, integrations
from state.database import Pool
from state.entity_models import EntityType
from tests.acceptance import entity_customers as customers
from tests.acceptance import house as houses
from tests.acceptance.commands import Answer, Commands
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox


@dataclass(slots=True)
class Desk:
    """The house with an integration of each type, the command line on it, and an org without the objects."""

    house: House
    m3sync: Commands
    package: Path

    async def errors(self) -> dict[str, dict[str, str]]:
        """What the doctor says to be wrong, by where."""
        told = await self.m3sync("doctor", "--json")
        assert told.code == (1 if self.found(told, "error") else 0)
        return {each["where"]: each for each in self.found(told, "error")}

    def found(self, told: Answer, verdict: str) -> list[dict[str, str]]:
        return [each for each in told.document()["findings"] if each["verdict"] == verdict]

    async def deploy(self, *without: str) -> dict[str, Any]:
        """The files of the package as one zip, as a person's tool sends it; the result at its end."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(self.package.rglob("*")):
                name = path.relative_to(self.package).as_posix()
                if path.is_file() and name not in without:
                    archive.write(path, name)
        form = aiohttp.FormData()
        options = '{"deployOptions": {"rollbackOnError": true, "singlePackage": true}}'
        form.add_field("json", options, content_type="application/json")
        form.add_field("file", made.getvalue(), filename="package.zip", content_type="application/zip")
        known = self.house.sandbox.salesforce
        given = {key: known[key] for key in ("url", "client_id", "client_secret")}
        async with rest.open(SalesforceCredential.model_validate(given)) as salesforce:
            headers = {"Authorization": f"Bearer {(await salesforce.auth.grant()).token}"}
        place = f"{known['url']}/services/data/v{metadata.API_VERSION}/metadata"
        async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(60):
            async with session.post(f"{place}/deployRequest", data=form) as answer:
                assert answer.status == 201, await answer.text()
                deployment = (await answer.json())["id"]
            while True:
                async with session.get(f"{place}/deployRequest/{deployment}?includeDetails=true") as answer:
                    result: dict[str, Any] = (await answer.json())["deployResult"]
                if result["done"]:
                    return result


@pytest.fixture
async def desk(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Desk]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        await integrations.disable(db, house.integration.name)
        key = {"M3SYNC_VAULT_KEY_FILE": str(house.settings.vault_key_path)}
        m3sync = Commands(tmp_path / "desk", key)
        m3sync.directory.mkdir()
        m3sync.configure(database_url)
        for kind in EntityType:
            await copying.added(house, kind)
        package = tmp_path / "package"
        await m3sync.done("salesforce", "metadata", "--out", str(package))
        yield Desk(house, m3sync, package)


async def test_a_deployed_package_is_all_that_an_empty_org_needs(desk: Desk) -> None:
    lacking = await desk.errors()
    assert set(lacking) == {f"integration {kind.value}" for kind in EntityType}
    for kind in EntityType:
        finding = lacking[f"integration {kind.value}"]
        assert f"no object m3ter_{kind.value}__c" in finding["message"]
        assert "m3sync salesforce metadata --out DIR" in finding["instruction"]

    result = await desk.deploy()
    assert (result["success"], result["status"]) == (True, "Succeeded"), result["details"][
        "componentFailures"
    ]
    members = sum(1 for path in desk.package.rglob("*") if path.is_file()) - 1
    assert result["numberComponentErrors"] == 0
    assert result["numberComponentsDeployed"] >= members

    assert await desk.errors() == {}
    told = " ".join((await desk.m3sync.done("doctor")).out.split())
    for kind in EntityType:
        assert f"m3ter_{kind.value}__c has all" in told

    (customer,) = await customers.made(desk.house, "ASH")
    house = desk.house
    syncs = {kind: await entity_syncs.get(house.db, kind.value) for kind in EntityType}
    runs = await customers.run(house, *syncs.values())
    assert {(run.status.value, run.created) for run in runs} == {("COMPLETE", 1)}
    copies = {kind: (await copying.copies(house, kind))[customer[kind]] for kind in EntityType}
    for kind in set(EntityType) - {EntityType.ACCOUNT}:
        assert copies[kind]["m3ter_Account__c"] == copies[EntityType.ACCOUNT]["Id"], kind
    for kind in (EntityType.COMMITMENT, EntityType.BALANCE):
        assert copies[kind]["m3ter_Contract__c"] == copies[EntityType.CONTRACT]["Id"], kind
    assert str(copies[EntityType.COMMITMENT]["Amount__c"]) == "1200.55"

    await house.m3ter("DELETE", f"/commitments/{customer[EntityType.COMMITMENT]}")
    (run,) = await customers.run(house, syncs[EntityType.COMMITMENT])
    assert run.marked == 1
    assert await customers.state_of(house, EntityType.COMMITMENT, customer[EntityType.COMMITMENT]) == "marked"


async def test_a_package_deployed_again_changes_nothing(desk: Desk) -> None:
    assert (await desk.deploy())["success"]
    before = {kind: await _described(desk, kind) for kind in EntityType}
    assert (await desk.deploy())["success"]
    assert {kind: await _described(desk, kind) for kind in EntityType} == before


async def _described(desk: Desk, kind: EntityType) -> Any:
    return await desk.house.salesforce("GET", f"/sobjects/m3ter_{kind.value}__c/describe")


async def test_a_package_with_a_file_missing_is_refused_whole_and_the_doctor_still_says_so(
    desk: Desk,
) -> None:
    result = await desk.deploy("objects/m3ter_Contract__c.object")
    assert (result["success"], result["status"]) == (False, "Failed")
    assert any("m3ter_Contract__c" in str(each) for each in result["details"]["componentFailures"])
    assert len(await desk.errors()) == len(EntityType)
