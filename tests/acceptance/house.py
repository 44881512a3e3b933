"""The whole house for a test: sandbox, database, credentials, an integration, and the daemon if wanted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from connectors import wire
from connectors.exchange import Limits
from connectors.m3ter.models import M3terCredential
from connectors.salesforce.models import SalesforceCredential
from daemon import app
from daemon.clients import Links, Patience
from daemon.outcomes import SyncResult
from daemon.retries import Policy
from daemon.settings import (
    DatabaseSettings,
    HttpSettings,
    M3terSettings,
    Settings,
    SystemSettings,
    WorkerSettings,
)
from daemon.to_m3ter import by_hand
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.tasks import Connected, Manner
from state import credentials, field_mappings, integrations, runs, vault
from state.database import Pool
from state.models import Integration, NewCredential, NewIntegration
from state.run_models import Run
from tests.sandboxes import Sandbox

Record = dict[str, Any]

KINDS = ("Account", "Contract", "Commitment", "Plan", "Pricing", "AccountPlan", "ExternalMapping")
# What fails is tried again at once; an answer is waited for, however busy the machine is.
PROMPT = Limits(
    answer=timedelta(seconds=15),
    deadline=timedelta(seconds=60),
    attempts=2,
    first_wait=timedelta(milliseconds=1),
)
HURRIED = Patience(salesforce=PROMPT, m3ter=PROMPT)
# For a test in which an answer never comes.
BRIEF = replace(PROMPT, answer=timedelta(seconds=1), deadline=timedelta(seconds=4))
IMPATIENT = Manner(
    policy=Policy(first=timedelta(milliseconds=10), settle=timedelta(milliseconds=60), max_attempts=100)
)


@dataclass(slots=True)
class House:
    """What a test acts through: both systems as their own users do, m3sync by its commands."""

    sandbox: Sandbox
    db: Pool
    settings: Settings
    session: aiohttp.ClientSession
    integration: Integration = field(init=False)
    _tokens: dict[str, str] = field(default_factory=dict)

    async def salesforce(self, method: str, path: str, body: Any = None) -> Any:
        """A call to Salesforce by somebody who is not m3sync; `path` from /services/data/vNN.0 on."""
        if "salesforce" not in self._tokens:
            known = self.sandbox.salesforce
            form = {key: known[key] for key in ("client_id", "client_secret")}
            self._tokens["salesforce"] = await self._token(
                f"{known['url']}/services/oauth2/token", {"grant_type": "client_credentials", **form}
            )
        url = f"{self.sandbox.salesforce['url']}/services/data/v67.0{path}"
        return await self._call("salesforce", method, url, body)

    async def m3ter(self, method: str, path: str, body: Any = None) -> Any:
        """A call to m3ter by somebody who is not m3sync; `path` from /organizations/{orgId} on."""
        known = self.sandbox.m3ter
        if "m3ter" not in self._tokens:
            login = aiohttp.encode_basic_auth(known["api_key"], known["api_secret"])
            self._tokens["m3ter"] = await self._token(
                f"{known['url']}/oauth/token", {"grant_type": "client_credentials"}, login
            )
        url = f"{known['url']}/organizations/{known['org_id']}{path}"
        return await self._call("m3ter", method, url, body)

    async def query(self, soql: str) -> list[Record]:
        """The records of one page of a query."""
        found = await self.salesforce("GET", f"/query?q={soql.replace('+', '%2B').replace(' ', '+')}")
        records: list[Record] = found["records"]
        return records

    async def all(self, collection: str, query: str = "") -> list[Record]:
        """Every entity of a m3ter collection, up to a page."""
        found = await self.m3ter("GET", f"/{collection}?pageSize=100{query}")
        entities: list[Record] = found["data"]
        return entities

    async def sync(self, *ids: str) -> SyncResult:
        """`m3sync sync ID`."""
        return await app.sync_one(self.settings, list(ids))

    async def attempt(self, record_id: str) -> SyncResult:
        """`m3sync sync ID` by somebody in a hurry: no long wait for what was lost."""
        kept = vault.load_or_create_key(self.settings.vault_key_path)
        async with Links(self.db, kept, HURRIED) as links:
            chosen = await by_hand.choose(self.db, links, by_hand.Wish(record_id))
            assert isinstance(chosen, Connected), chosen
            return await by_hand.sync(self.db, IMPATIENT, chosen, record_id)

    async def census(self) -> dict[str, int]:
        """How many entities of each kind are in m3ter."""
        found = await self.sandbox.m3ter_control.call("POST", "entities", {})
        counts: dict[str, int] = found["counts"]
        return {kind: counts.get(kind, 0) for kind in KINDS}

    async def writes(self) -> list[str]:
        """What was written to m3ter since the journal was cleared, tokens apart."""
        entries = await self.sandbox.m3ter_control.journal()
        return [
            f"{each['method']} {each['path']}"
            for each in entries
            if each["method"] in ("POST", "PUT", "DELETE") and "/organizations/" in each["path"]
        ]

    async def ended_runs(self, record_id: str) -> list[Run]:
        """The runs of the record that have ended, newest first."""
        found = await runs.latest(self.db, record_id=record_id)
        return [run for run in found if run.completed_at is not None and run.record_id == record_id]

    async def _token(self, url: str, form: dict[str, str], login: str | None = None) -> str:
        headers = {"Authorization": login} if login else {}
        async with self.session.post(url, data=form, headers=headers) as response:
            document = wire.loads(await response.text())
            assert isinstance(document, dict), document
            return str(document["access_token"])

    async def _call(self, system: str, method: str, url: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._tokens[system]}", "Content-Type": "application/json"}
        data = None if body is None else wire.dumps(body)
        async with self.session.request(method, url, data=data, headers=headers) as response:
            text = await response.text()
            assert response.status < 300, f"{method} {url}: {response.status} {text}"
            return wire.loads(text) if text else None


async def until(condition: Callable[[], Awaitable[Any]], *, seconds: float = 60, every: float = 0.02) -> Any:
    """Wait until something holds in another program or the database, and give it."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(every)
        return found


@asynccontextmanager
async def built(sandbox: Sandbox, db: Pool, url: str, place: Path, mapping: str) -> AsyncIterator[House]:
    """Everything configured as an operator would, with one enabled integration of this mapping."""
    settings = Settings(
        database=DatabaseSettings(url=url),  # type: ignore[arg-type]  # pydantic makes it a secret
        http=HttpSettings(port=0),
        worker=WorkerSettings(
            backoff_seconds=0.1, settle_seconds=0.1, poll_seconds=1, grace_seconds=5, lease_seconds=5
        ),
        salesforce=SystemSettings(total_seconds=15, attempts=2),
        m3ter=M3terSettings(total_seconds=15, attempts=2, per_second=1_000),
        state_directory=place,
    )
    # How fast m3ter may be called is proved elsewhere; here nobody waits for the next second.
    await sandbox.m3ter_control.call("POST", "behaviour", {"requests_per_second": None})
    async with aiohttp.ClientSession() as session:
        house = House(sandbox, db, settings, session)
        house.integration = await _configure(house, mapping)
        yield house


async def _configure(house: House, text: str) -> Integration:
    kept = vault.load_or_create_key(house.settings.vault_key_path)
    known, org = house.sandbox.salesforce, house.sandbox.m3ter
    login = {key: known[key] for key in ("url", "client_id", "client_secret")}
    summaries = {
        "salesforce": SalesforceCredential.model_validate(login).summary(),
        "m3ter": M3terCredential.model_validate(org).summary(),
    }
    salesforce, m3ter = [
        await credentials.add(house.db, kept, NewCredential(system, system, secret, summaries[system]))
        for system, secret in (("salesforce", login), ("m3ter", org))
    ]
    parsed = document.parse(text)
    saved = await field_mappings.save(house.db, parsed.name, text)
    return await integrations.add(
        house.db,
        NewIntegration(
            "agreements",
            parsed.flow,
            saved.field_mapping_id,
            salesforce_credential_id=salesforce.credential_id,
            m3ter_credential_id=m3ter.credential_id,
            enabled=True,
        ),
    )


@asynccontextmanager
async def daemon(house: House) -> AsyncIterator[None]:
    """The daemon in this process, stopped in order when left. When entered it listens, and what may have been
    missed until then is read: what changes from now on is heard once."""
    await house.sandbox.salesforce_control.clear_journal()
    async with app_running(house):
        await until(lambda: _is_listening(house))
        await until(lambda: house.db.fetchval("SELECT bool_and(status = 'READ') FROM rereads"))
        yield


@asynccontextmanager
async def app_running(house: House) -> AsyncIterator[None]:
    """The daemon in this process, whatever it listens to; stopped in order when left."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(app.run(house.settings, stop), name="daemon")
        try:
            yield
        finally:
            stop.set()
            await task


async def _is_listening(house: House) -> bool:
    entries = await house.sandbox.salesforce_control.journal("bodies=1")
    return any("/meta/connect" in str(each.get("request_body", each)) for each in entries)
