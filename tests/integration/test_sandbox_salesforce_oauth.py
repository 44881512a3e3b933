"""The sandbox's Salesforce logs in as Salesforce does, and refuses in its words."""

from datetime import timedelta
from typing import Any

import jwt
import pytest

from connectors import wire
from connectors.sandbox.salesforce.sessions import ConnectedApp
from tests.integration.salesforce_calls import Salesforce, logged_in
from tests.sandboxes import LocalSandbox

BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def token(sandbox: LocalSandbox, **form: str) -> tuple[int, dict[str, Any]]:
    """Ask for a token; gives the status and the body."""
    http = sandbox.salesforce_control.session
    async with http.post(sandbox.salesforce["url"] + "/services/oauth2/token", data=form) as response:
        body = wire.loads(await response.text())
        assert isinstance(body, dict)
        return response.status, body


def assertion(sandbox: LocalSandbox, **other: Any) -> str:
    """A JWT bearer assertion that is right but for `other`."""
    login = sandbox.salesforce
    expires = int((sandbox.running.clock.now() + timedelta(minutes=3)).timestamp())
    claims = {"iss": login["client_id"], "sub": login["username"], "aud": login["audience"], "exp": expires}
    return jwt.encode(claims | other, login["private_key"], algorithm="RS256")


async def test_client_credentials_give_a_session_that_works(sandbox: LocalSandbox) -> None:
    login = sandbox.salesforce
    secret = {"client_id": login["client_id"], "client_secret": login["client_secret"]}
    status, body = await token(sandbox, grant_type="client_credentials", **secret)
    assert status == 200
    assert body["token_type"] == "Bearer"
    assert body["instance_url"] == login["url"]
    assert body["id"] == f"{login['url']}/id/{login['org_id']}/{sandbox.running.org.actor.user_id}"
    assert body["issued_at"].isdigit()
    assert body["signature"]
    http = sandbox.salesforce_control.session
    for url in (body["id"], login["url"] + "/services/oauth2/userinfo"):
        async with http.get(url, headers={"Authorization": f"Bearer {body['access_token']}"}) as response:
            who = wire.loads(await response.text())
            assert isinstance(who, dict)
            assert (who["organization_id"], who["preferred_username"]) == (login["org_id"], login["username"])


@pytest.mark.parametrize(
    ("other", "error", "description"),
    [
        ({"client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ({"client_id": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"grant_type": "password"}, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": ""}, "invalid_request", "missing required parameter: grant_type"),
        (
            {"grant_type": "refresh_token", "refresh_token": "x"},
            "invalid_grant",
            "expired access/refresh token",
        ),
        ({"grant_type": BEARER, "assertion": "a.b.c"}, "invalid_grant", "invalid assertion"),
    ],
)
async def test_wrong_credentials_are_refused_in_words(
    sandbox: LocalSandbox, other: dict[str, str], error: str, description: str
) -> None:
    login = sandbox.salesforce
    form = {"grant_type": "client_credentials", "client_id": login["client_id"]}
    status, body = await token(sandbox, **{**form, "client_secret": login["client_secret"], **other})
    assert (status, body) == (400, {"error": error, "error_description": description})


async def test_an_app_without_a_run_as_user_has_no_client_credentials(sandbox: LocalSandbox) -> None:
    sandbox.running.org.sessions.register(ConnectedApp("app", "secret"))
    status, body = await token(
        sandbox, grant_type="client_credentials", client_id="app", client_secret="secret"
    )
    assert (status, body["error_description"]) == (400, "no client credentials user enabled")


async def test_a_signed_assertion_gives_a_session(sandbox: LocalSandbox) -> None:
    status, body = await token(sandbox, grant_type=BEARER, assertion=assertion(sandbox))
    assert status == 200
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    ("other", "description"),
    [
        ({"aud": "https://elsewhere.example"}, "audience is invalid"),
        ({"sub": "nobody@northwind.example"}, "user hasn't approved this consumer"),
        ({"exp": 1_700_000_000}, "expired authorization code"),
        ({"exp": None}, "expired authorization code"),
    ],
)
async def test_a_wrong_assertion_is_refused(
    sandbox: LocalSandbox, other: dict[str, Any], description: str
) -> None:
    status, body = await token(sandbox, grant_type=BEARER, assertion=assertion(sandbox, **other))
    assert (status, body["error"], body["error_description"]) == (400, "invalid_grant", description)


async def test_an_assertion_with_another_signature_is_refused(sandbox: LocalSandbox) -> None:
    head, claims, _ = assertion(sandbox).split(".")
    _, _, signature = assertion(sandbox, sub="nobody").split(".")
    status, body = await token(sandbox, grant_type=BEARER, assertion=f"{head}.{claims}.{signature}")
    assert (status, body["error_description"]) == (400, "invalid assertion")


async def test_a_refresh_token_stays_good_unless_the_app_rotates(sandbox: LocalSandbox) -> None:
    login = sandbox.salesforce
    form = {"grant_type": "refresh_token", "client_id": login["client_id"]}
    for _ in range(2):
        status, body = await token(sandbox, **form, refresh_token=login["refresh_token"])
        assert status == 200
        assert "refresh_token" not in body


async def test_a_rotated_refresh_token_works_once_and_its_reuse_revokes_the_chain(
    sandbox: LocalSandbox,
) -> None:
    org = sandbox.running.org
    app = org.sessions.new_app(org.actor.user_id, rotates=True)
    form = {"grant_type": "refresh_token", "client_id": app.client_id, "client_secret": app.client_secret}
    first = org.sessions.grant(app, org.actor.user_id)
    _, body = await token(sandbox, **form, refresh_token=first)
    second = body["refresh_token"]
    assert second != first
    status, _ = await token(sandbox, **form, refresh_token=first)
    assert status == 400
    status, body = await token(sandbox, **form, refresh_token=second)
    assert (status, body["error"]) == (400, "invalid_grant")


@pytest.fixture
async def client(sandbox: LocalSandbox) -> Any:
    async with logged_in(sandbox) as salesforce:
        yield salesforce


async def test_a_session_ends_on_demand_with_time_and_by_lack_of_one(
    sandbox: LocalSandbox, client: Salesforce
) -> None:
    assert (await client.get("limits")).status == 200
    answer = await client.get("limits", Authorization="Bearer nothing")
    assert (answer.status, answer.code) == (401, "INVALID_SESSION_ID")
    await sandbox.salesforce_control.advance_clock(60 * 60 * 3)
    assert (await client.get("limits")).message == "Session expired or invalid"
    async with logged_in(sandbox) as again:
        assert (await again.get("limits")).status == 200
        assert await sandbox.salesforce_control.call("POST", "org/expire-sessions") == {"expired": 1}
        answer = await again.get("limits")
        assert (answer.status, answer.body) == (
            401,
            [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
        )
        refused = await again.get("/services/oauth2/userinfo")
        assert refused.status == 403
