"""What stands before the emulated m3ter: tokens, organizations, rate limit, firewall, and its control API."""

import base64
from datetime import timedelta

import pytest

from connectors import http
from connectors.sandbox.m3ter import controls, gate
from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples
from tests.m3ter_calls import Caller, Later

ACCOUNT = m3ter_examples.EXAMPLES["Account"]({})
FORM = "application/x-www-form-urlencoded"


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(FORM, b"grant_type=client_credentials"), ("application/json", b'{"grant_type":"client_credentials"}')],
)
async def test_a_key_gets_a_token_for_five_hours(
    caller: Caller, clock: Later, content_type: str, body: bytes
) -> None:
    identity = caller.organization.identity
    headers = {"Authorization": basic(identity.api_key, identity.api_secret), "Content-Type": content_type}
    grant = await caller.raw("POST", "/oauth/token", body, headers)
    assert (grant["token_type"], grant["expires_in"]) == ("Bearer", 18_000)

    path, bearer = (
        f"/organizations/{identity.org_id}/accounts",
        {"Authorization": f"Bearer {grant['access_token']}"},
    )
    clock.ahead = timedelta(hours=4, minutes=59)
    await caller.raw("GET", path, None, bearer)
    assert caller.status == 200
    clock.ahead = timedelta(hours=5, seconds=1)
    answer = await caller.raw("GET", path, None, bearer)
    assert (caller.status, answer) == (403, {"message": "Unauthorized"})


async def test_a_wrong_key_or_grant_gets_no_token(caller: Caller) -> None:
    identity = caller.organization.identity
    for authorization in (
        basic(identity.api_key, "wrong"),
        basic("x", identity.api_secret),
        "Basic ???",
        "Bearer x",
        "",
    ):
        headers = {"Authorization": authorization, "Content-Type": FORM}
        await caller.raw("POST", "/oauth/token", b"grant_type=client_credentials", headers)
        assert caller.status == 403
    right = {"Authorization": basic(identity.api_key, identity.api_secret), "Content-Type": FORM}
    for body in (b"", b"grant_type=password", b"\xff"):
        await caller.raw("POST", "/oauth/token", body, right)
        assert caller.status == 400


async def test_tokens_can_be_withdrawn(caller: Caller) -> None:
    caller.organization.expire_tokens()
    assert await caller.get("accounts") == {"message": "Unauthorized"}
    assert caller.status == 403


async def test_another_organization_is_forbidden(caller: Caller) -> None:
    token = caller.organization.tokens.issue()
    other = "/organizations/00000000-0000-0000-0000-000000000000/accounts"
    await caller.raw("GET", other, None, {"Authorization": f"Bearer {token}"})
    assert caller.status == 403


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b'{"name": NaN}', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused(caller: Caller, body: bytes) -> None:
    answer = await caller.raw("POST", f"/organizations/{caller.organization.identity.org_id}/accounts", body)
    assert (caller.status, answer) == (400, {"message": "Malformed JSON in request body"})


async def test_an_unknown_path_or_method_is_answered_with_a_message(caller: Caller) -> None:
    assert await caller.get("unicorns") == {"message": "Not Found"}
    assert caller.status == 404
    await caller.call("PATCH", "accounts", {})
    assert caller.status == 405


async def test_requests_beyond_the_limit_are_answered_429_until_the_second_is_over(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.25
    monkeypatch.setattr("connectors.sandbox.m3ter.gate.time.time", lambda: now)
    caller.organization.behaviour.requests_per_second = 50
    for _ in range(50):
        await caller.get("accounts")
        assert caller.status == 200
    assert await caller.get("accounts") == {"message": "Too Many Requests"}
    assert caller.status == 429
    now = 1_000_001.0
    await caller.get("accounts")
    assert caller.status == 200


async def test_the_firewall_stops_bodies_over_its_limit(caller: Caller) -> None:
    padding = {"customFields": {"x": "y" * gate.LARGEST_BODY}}
    assert await caller.post("accounts", ACCOUNT | padding) == {"message": "Forbidden"}
    assert caller.status == 403
    await caller.post("accounts", ACCOUNT | {"customFields": {"x": "y" * (gate.LARGEST_BODY - 1000)}})
    assert caller.status == 200


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "x' OR 1=1 --", "1 UNION SELECT password", "${jndi:ldap}"]
)
async def test_the_firewall_stops_text_that_looks_like_an_attack(caller: Caller, text: str) -> None:
    await caller.post("accounts", ACCOUNT | {"purchaseOrderNumber": text})
    assert caller.status == 403
    caller.organization.behaviour.has_firewall = False
    await caller.post("accounts", ACCOUNT | {"purchaseOrderNumber": text})
    assert caller.status == 200


async def test_the_control_acts_are_served_and_pass_the_gate(caller: Caller) -> None:
    rows = http.dumps(
        {"kind": "Account", "rows": [ACCOUNT | {"code": f"c{number}"} for number in range(2000)]}
    )
    assert len(rows) > gate.LARGEST_BODY
    loaded = await caller.raw("POST", "/sandbox/load", rows, {})
    assert len(loaded["ids"]) == 2000
    assert await caller.raw("POST", "/sandbox/entities", b"{}", {}) == {"counts": {"Account": 2000}}
    answer = await caller.raw("POST", "/sandbox/entities", b'{"kind":"Unicorn"}', {})
    assert caller.status == 400
    assert "Unicorn" in answer["message"]


def test_the_control_acts_read_and_change_the_organization() -> None:
    organization = Organization()
    acts = controls.actions(organization)
    made = acts["create"]({"kind": "Account", "body": ACCOUNT})["entity"]
    loaded = acts["load"]({"kind": "Account", "rows": [ACCOUNT | {"code": "other"}]})["ids"]

    assert acts["entities"]({}) == {"counts": {"Account": 2}}
    assert [one["id"] for one in acts["entities"]({"kind": "Account"})["entities"]] == [*loaded, made["id"]]
    assert acts["behaviour"]({"requests_per_second": None})["requests_per_second"] is None
    token = organization.tokens.issue()
    acts["tokens/expire"]({})
    assert not organization.tokens.accepts(f"Bearer {token}")
    for name, asked in (
        ("behaviour", {"x": 1}),
        ("entities", {"kind": "x"}),
        ("create", {"kind": "Account"}),
    ):
        with pytest.raises(ValueError, match=r"x|body"):
            acts[name](asked)
