"""Commands that messages give can be pasted into a shell, whatever the name in them."""

import html
import shlex
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from connectors.errors import AuthenticationError, RejectedError
from daemon.cli import planning, status
from daemon.cli.configured import Document
from daemon.cli.session import CommandFailed
from daemon.clients import Link, Links, Org
from daemon.configuration import ConfigurationError
from daemon.doctor import flows, logins
from daemon.to_m3ter import graph, presets, tasks, wishes
from daemon.to_m3ter.mapping import document
from daemon.to_salesforce.targets import Naming
from daemon.web.sources import Sources
from state import credentials, entity_syncs, field_mappings, insights, integrations
from state.database import Pool
from state.entity_models import EntitySyncSettings, EntityType
from state.errors import NotFound
from state.models import Integration, NewCredential, NewIntegration
from state.rereads import RereadCause
from tests.integration import fake_server
from tests.integration.state_rows import VAULT, record_id
from tests.integration.test_salesforce_rest import DATA, opened
from tests.integration.web_pages import served

NAME = 'The "new" $agreements\' sync'
QUOTED = shlex.quote(NAME)
SECRETS = {
    "salesforce": {"url": "https://acme.my.salesforce.com", "client_id": "c", "client_secret": "s"},
    "m3ter": {"org_id": "o", "api_key": "k", "api_secret": "s"},
}


async def kept(db: Pool, document: str, *, enabled: bool = False) -> Integration:
    """An integration of this name with credentials that nothing has tried yet."""
    mapping = await field_mappings.save(db, NAME, document)
    salesforce, m3ter = [
        await credentials.add(db, VAULT, NewCredential(f"{NAME} {system}", system, secret))
        for system, secret in SECRETS.items()
    ]
    ids = (mapping.field_mapping_id, salesforce.credential_id, m3ter.credential_id)
    new = NewIntegration(NAME, "Sales Agreement Sync", *ids, enabled)
    return await integrations.add(db, new)


async def test_the_panel_and_status_quote(db: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    await kept(db, "")
    async with served(Sources(lambda: db)) as site:
        page = html.unescape((await site.get("/")).text)
        assert f"m3sync integrations enable {QUOTED}<" in page
        assert f"m3sync sync ID --integration {QUOTED}<" in page
        status.show((await insights.statuses(db))[0])
        assert f"m3sync integrations enable {QUOTED}" in " ".join(capsys.readouterr().out.split())
        await integrations.enable(db, NAME)
        assert f"m3sync integrations disable {QUOTED}<" in html.unescape((await site.get("/")).text)


async def test_the_doctor_quotes(db: Pool) -> None:
    await kept(db, "")
    async with Links(db, VAULT) as links:
        off, unproved = await flows.examine(db, links, Naming())
        assert off.instruction == f"m3sync integrations enable {QUOTED}"
        assert unproved.message.startswith("It could not be proved: ")
        await integrations.disconnect(db, NAME)
        (unconnected,) = await flows.examine(db, links, Naming())
    assert f"connect {QUOTED} --salesforce NAME --m3ter NAME" in unconnected.instruction


class Refusing(Links):
    """Salesforce refuses every credential and leaves it at that."""

    async def org(self, credential_id: UUID) -> Link[Org]:
        raise AuthenticationError(f"refused: {credential_id}")


async def test_the_doctor_quotes_the_name_of_a_credential_that_is_refused(db: Pool) -> None:
    await credentials.add(db, VAULT, NewCredential(NAME, "salesforce", SECRETS["salesforce"]))
    async with Refusing(db, VAULT) as links:
        _, refused = await logins.examine(db, links)
    assert refused.instruction.startswith(f"Correct it: m3sync credentials add {QUOTED} --system salesforce")


async def test_the_doctor_says_where_a_field_mapping_cannot_be_used(db: Pool) -> None:
    await kept(db, presets.text("opportunity").replace('parent = "Opportunity"', "", 1), enabled=True)
    async with Links(db, VAULT) as links:
        _, unproved = await flows.examine(db, links, Naming())
    assert unproved.message.startswith("It could not be proved: parent: Field required")


async def test_a_wish_and_a_sync_in_the_other_direction_quote(db: Pool) -> None:
    await kept(db, presets.text("opportunity"))
    wish = wishes.Wish(RereadCause.BY_HAND, datetime.now(UTC))
    other = await entity_syncs.add(db, f"{NAME} back", EntitySyncSettings(EntityType.BILL))
    async with Links(db, VAULT) as links:
        with pytest.raises(ConfigurationError) as off:
            await wishes.open_windows(db, links, wish, timedelta(0))
        with pytest.raises(NotFound) as elsewhere:
            await tasks.connect(db, links, other.integration)
    assert f"`m3sync integrations enable {QUOTED}`" in off.value.instruction
    assert f"`m3sync integrations run {shlex.quote(f'{NAME} back')}`" in elsewhere.value.instruction


async def test_what_apply_refuses_is_quoted(db: Pool) -> None:
    await entity_syncs.add(db, NAME, EntitySyncSettings(EntityType.BILL))
    now = await planning.present(db)
    another = Document.model_validate({"integrations": {NAME: {"entity": "Account"}}})
    with pytest.raises(CommandFailed) as changed:
        planning.changes(now, another, {}, prune=False)
    assert changed.value.instruction.endswith(f"m3sync integrations remove {QUOTED}")
    unknown = Document.model_validate({"credentials": {NAME: {"system": "m3ter"}}})
    with pytest.raises(CommandFailed) as absent:
        planning.changes(now, unknown, {}, prune=False)
    assert absent.value.instruction.endswith(f"m3sync credentials add {QUOTED} --system m3ter")


async def test_a_field_that_is_not_there_leads_to_the_field_mapping_by_its_quoted_name() -> None:
    text = presets.text("opportunity").replace('name = "opportunity"', 'name = "sales agreements"', 1)
    refused = fake_server.json([{"errorCode": "INVALID_FIELD", "message": "No such column"}], 400)
    async with fake_server.serving() as fake, opened(fake) as salesforce:
        fake.on("GET", f"{DATA}/query", refused)
        with pytest.raises(RejectedError) as caught:
            await graph.read(salesforce, document.parse(text), record_id(1))
    assert "`m3sync mappings check 'sales agreements'`" in caught.value.instruction
