"""Signing in to Salesforce: three flows, refusals with a cure, one token at a time, rotation."""

import asyncio
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.errors import AuthenticationError, TransientError
from connectors.salesforce import rest
from connectors.salesforce.models import SalesforceCredential
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

TOKEN = "/services/oauth2/token"
LIMITS_PATH = "/services/data/v67.0/limits"
IDENTITY = "https://login.salesforce.com/id/00DS90000010001MAA/005S90000010001IAA"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def credential(fake: FakeServer, **more: Any) -> SalesforceCredential:
    return SalesforceCredential(**{"url": fake.url, "client_id": "c", "client_secret": "hush", **more})


def token(fake: FakeServer, **more: Any) -> fake_server.Handler:
    return fake_server.json({"access_token": "t", "instance_url": fake.url, "id": IDENTITY, **more})


@pytest.mark.parametrize("flow", ["client_credentials", "jwt_bearer", "refresh_token"])
async def test_each_flow_signs_in_to_the_sandbox(flow: str, empty_sandbox: LocalSandbox) -> None:
    login = {**empty_sandbox.salesforce, "flow": flow}
    async with rest.open(SalesforceCredential(**login)) as salesforce:
        identity = await salesforce.identity()
    assert identity.org_id == login["org_id"]
    assert identity.username == login["username"]
    assert identity.user_id.startswith("005")


async def test_the_jwt_says_who_for_whom_and_for_how_long() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, token(fake))
        fake.on("GET", LIMITS_PATH, fake_server.json({}))
        given = credential(fake, private_key=PEM, username="u@example", client_secret=None)
        async with rest.open(given) as salesforce:
            await salesforce.limits()
        form = dict(part.split("=", 1) for part in fake.seen[0].body.decode().split("&"))
    assert form["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    claims = jwt.decode(
        form["assertion"], KEY.public_key(), algorithms=["RS256"], audience="https://login.salesforce.com"
    )
    assert (claims["iss"], claims["sub"]) == ("c", "u@example")


async def test_many_callers_fetch_one_token() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, token(fake))
        fake.on("GET", LIMITS_PATH, fake_server.json({}))
        async with rest.open(credential(fake)) as salesforce, asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(salesforce.limits())
        assert len(fake.calls(TOKEN)) == 1


async def test_an_expired_session_met_by_many_is_renewed_once(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(SalesforceCredential(**empty_sandbox.salesforce)) as salesforce:
        await salesforce.limits()
        await empty_sandbox.salesforce_control.call("POST", "org/expire-sessions", {})
        await empty_sandbox.salesforce_control.clear_journal()
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(salesforce.limits())
    assert len(await empty_sandbox.salesforce_control.journal(f"path={TOKEN}")) == 1


async def test_a_rotated_refresh_token_is_handed_over_before_it_is_needed() -> None:
    handed_over: list[str] = []

    async def keep(secret: SecretStr) -> None:
        handed_over.append(secret.get_secret_value())

    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, token(fake, refresh_token="second"), token(fake, refresh_token="second"))
        expired = fake_server.json([{"message": "x", "errorCode": "INVALID_SESSION_ID"}], status=401)
        fake.on("GET", LIMITS_PATH, expired, fake_server.json({}))
        given = credential(fake, refresh_token="first")
        async with rest.open(given, on_refresh_token=keep) as salesforce:
            await salesforce.limits()
        spent = [call.body.decode() for call in fake.calls(TOKEN)]
    assert "refresh_token=first" in spent[0]
    assert "refresh_token=second" in spent[1]
    assert handed_over == ["second"]


async def test_a_refresh_token_is_not_spent_twice_when_the_answer_is_lost() -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, fake_server.reset())
        async with rest.open(credential(fake, refresh_token="once")) as salesforce:
            with pytest.raises(TransientError) as caught:
                await salesforce.create("Account", {"Name": "Acme"})
        assert len(fake.calls(TOKEN)) == 1
        assert not caught.value.may_have_happened  # the create itself was never sent


@pytest.mark.parametrize(
    ("error", "description", "cure"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "Permitted Users"),
        ("invalid_grant", "audience is invalid", "audience"),
        ("invalid_grant", "expired access/refresh token", "authorize the credential anew"),
        ("invalid_grant", "no client credentials user enabled", "Run As"),
        ("invalid_client", "invalid client credentials", "consumer key and secret"),
        ("invalid_client_id", "client identifier invalid", "consumer key"),
        ("something_new", "who knows", "Salesforce credential"),
    ],
)
async def test_a_refused_sign_in_says_what_to_do(error: str, description: str, cure: str) -> None:
    async with fake_server.serving() as fake:
        body = {"error": error, "error_description": description}
        fake.on("POST", TOKEN, fake_server.json(body, status=400))
        async with rest.open(credential(fake)) as salesforce:
            with pytest.raises(AuthenticationError, match=description) as caught:
                await salesforce.limits()
    assert cure in caught.value.instruction
    assert caught.value.code == error
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("client_secret", "wrong"), ("client_id", "wrong")],
)
async def test_the_sandbox_refuses_a_wrong(key: str, value: str, empty_sandbox: LocalSandbox) -> None:
    login = {**empty_sandbox.salesforce, key: value}
    async with rest.open(SalesforceCredential(**login)) as salesforce:
        with pytest.raises(AuthenticationError, match="refuses the sign-in") as caught:
            await salesforce.identity()
    assert caught.value.instruction


@pytest.mark.parametrize(
    "answer",
    [{"instance_url": "http://evil.example"}, {"instance_url": "nonsense"}, {"access_token": None}],
    ids=["in the clear", "nonsense", "no token"],
)
async def test_an_odd_token_answer_is_refused(answer: dict[str, Any]) -> None:
    async with fake_server.serving() as fake:
        fake.on("POST", TOKEN, token(fake, **answer))
        async with rest.open(credential(fake)) as salesforce:
            with pytest.raises(AuthenticationError):
                await salesforce.limits()
        assert len(fake.seen) == 1
