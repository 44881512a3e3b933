"""The sandbox's faults: what was posted goes wrong, with the requests it names, so often."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.sandboxes import ControlApi, LocalSandbox, until

PRODUCT = {"name": "API Calls", "code": "API_CALLS"}


class M3terCalls:
    """Plain calls to the sandbox's m3ter."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.control: ControlApi = sandbox.m3ter_control
        self.organization = sandbox.running.organization
        self.base = f"{sandbox.m3ter['url']}/organizations/{sandbox.m3ter['org_id']}"
        self.token = self.organization.tokens.issue()

    async def call(self, method: str = "GET", path: str = "products", body: Any = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.control.session.request(
            method, f"{self.base}/{path}", json=body, headers=headers
        ) as response:
            return response.status, await response.text()

    async def create(self) -> tuple[int, str]:
        return await self.call("POST", body=PRODUCT)

    def products(self) -> int:
        return self.organization.counts().get("Product", 0)


@pytest.fixture
def m3ter(empty_sandbox: LocalSandbox) -> M3terCalls:
    return M3terCalls(empty_sandbox)


async def test_a_status_is_answered_and_nothing_happens(m3ter: M3terCalls) -> None:
    body = {"message": "Internal error"}
    await m3ter.control.fault("status", status=500, body=body, headers={"Retry-After": "7"}, times=1)
    assert await m3ter.create() == (500, '{"message":"Internal error"}')
    assert m3ter.products() == 0
    assert (await m3ter.create())[0] == 200


async def test_a_status_after_the_effect_hides_that_it_happened(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("status_after", status=502, body="<html>Bad gateway</html>", times=1)
    assert await m3ter.create() == (502, "<html>Bad gateway</html>")
    assert m3ter.products() == 1


@pytest.mark.parametrize(("kind", "products"), [("refuse", 0), ("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_breaks_the_connection_before_or_after_the_effect(
    m3ter: M3terCalls, kind: str, products: int
) -> None:
    await m3ter.control.fault(kind, match={"method": "POST"}, times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await m3ter.create()
    assert m3ter.products() == products
    assert (await m3ter.call())[0] == 200


@pytest.mark.parametrize(("kind", "products"), [("hang_before", 0), ("hang_after", 1)])
async def test_a_hang_holds_the_request_until_it_is_cleared(
    m3ter: M3terCalls, kind: str, products: int
) -> None:
    await m3ter.control.fault(kind, match={"method": "POST"})
    waiting = asyncio.create_task(m3ter.create())
    while not (await m3ter.control.faults())[0]["holding"]:
        pass
    assert m3ter.products() == products
    assert not waiting.done()
    await m3ter.control.clear_faults()
    assert (await waiting)[0] == 200
    assert m3ter.products() == 1


async def test_what_hangs_before_the_effect_never_happens_once_the_client_is_gone(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("hang_before", match={"method": "POST"})
    waiting = asyncio.create_task(m3ter.create())
    while not (await m3ter.control.faults())[0]["holding"]:
        pass
    waiting.cancel()
    await asyncio.wait([waiting])
    await m3ter.control.journal()  # a round trip: the server has seen the connection close
    await m3ter.control.clear_faults()
    assert (await m3ter.call())[0] == 200
    assert m3ter.products() == 0


async def test_a_hang_ends_by_itself_after_its_seconds(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("hang_before", seconds=0.02)
    assert (await m3ter.create())[0] == 200


async def test_a_black_hole_never_answers(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("black_hole", match={"path": "*/products"})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await m3ter.create()
    assert m3ter.products() == 0
    [entry] = await m3ter.control.journal("method=POST&path=*/products")
    assert (entry["status"], entry["fault"]) == (None, "black_hole")


async def test_a_truncated_body_is_shorter_than_announced(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("truncate", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await m3ter.create()
    assert m3ter.products() == 1


async def test_a_slow_body_arrives_whole(m3ter: M3terCalls) -> None:
    await m3ter.create()
    expected = await m3ter.call()
    await m3ter.control.fault("slow", seconds=0.1, times=1)
    began = asyncio.get_running_loop().time()
    assert await m3ter.call() == expected
    assert asyncio.get_running_loop().time() - began >= 0.08


async def test_latency_delays_and_goes_on_to_other_faults(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("latency", seconds=0.05)
    await m3ter.control.fault("status", status=504, body={"message": "late"}, times=1)
    began = asyncio.get_running_loop().time()
    assert (await m3ter.call())[0] == 504
    assert (await m3ter.call())[0] == 200
    assert asyncio.get_running_loop().time() - began >= 0.1
    assert [entry["fault"] for entry in await m3ter.control.journal()] == ["latency,status", "latency"]


async def test_an_expired_session_is_really_gone(m3ter: M3terCalls, empty_sandbox: LocalSandbox) -> None:
    await m3ter.control.fault("expired_session", times=1)
    assert await m3ter.call() == (403, '{"message":"Unauthorized"}')
    assert await m3ter.call() == (403, '{"message":"Unauthorized"}')
    org = empty_sandbox.running.org
    token = org.sessions.open(org.actor.user_id).token
    control = empty_sandbox.salesforce_control
    await control.fault("expired_session", times=1)
    headers = {"Authorization": f"Bearer {token}"}
    async with control.session.get(
        f"{control.base_url}/services/data/v67.0/limits", headers=headers
    ) as answer:
        assert (answer.status, (await answer.json())[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert org.sessions.of_header(f"Bearer {token}") is None


async def test_too_many_requests_are_refused_as_the_system_refuses_them(
    m3ter: M3terCalls, empty_sandbox: LocalSandbox
) -> None:
    await m3ter.control.fault("rate_limited", times=1)
    assert (await m3ter.create())[0] == 429
    assert m3ter.products() == 0
    control = empty_sandbox.salesforce_control
    await control.fault("rate_limited", times=1)
    async with control.session.get(f"{control.base_url}/services/data") as answer:
        assert (answer.status, (await answer.json())[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


async def test_a_fault_meets_only_what_it_matches_so_often_and_after_so_many(m3ter: M3terCalls) -> None:
    status = {"status": 503, "body": {"message": "no"}}
    await m3ter.control.fault("status", match={"method": "get", "path": "^/products$"}, **status)
    assert (await m3ter.call())[0] == 200
    await m3ter.control.fault("status", match={"method": "get", "path": "/products$"}, **status)
    assert (await m3ter.call())[0] == 200
    match = {"method": "GET", "path": "^/organizations/[^/]+/products$"}
    await m3ter.control.fault("status", match=match, skip=1, times=2, **status)
    assert [(await m3ter.call())[0] for _ in range(5)] == [200, 503, 503, 200, 200]
    listed = await m3ter.control.faults()
    assert [(fault["hits"], fault["spent"]) for fault in listed] == [(0, False), (0, False), (2, True)]


async def test_one_fault_can_be_cleared_alone(m3ter: M3terCalls) -> None:
    first = await m3ter.control.fault("status", status=500, match={"path": "*/products"})
    await m3ter.control.fault("status", status=501, match={"path": "*/products"})
    await m3ter.control.call("DELETE", f"faults/{first['id']}")
    assert (await m3ter.call())[0] == 501


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "explode"},
        {"kind": "status", "times": 0},
        {"kind": "status", "match": {"path": "^("}},
        {"kind": "status", "unknown": 1},
    ],
)
async def test_a_fault_that_cannot_be_is_refused(m3ter: M3terCalls, fault: dict[str, Any]) -> None:
    url = f"{m3ter.control.base_url}/sandbox/faults"
    async with m3ter.control.session.post(url, json=fault) as response:
        assert response.status == 400
        assert (await response.json())["message"]


async def test_requests_held_when_the_sandbox_ends_do_not_keep_it(m3ter: M3terCalls) -> None:
    await m3ter.control.fault("black_hole")
    waiting = asyncio.create_task(m3ter.call())
    await until(lambda: bool(m3ter.control.session.connector and m3ter.control.session.connector._acquired))
    waiting.cancel()
    await asyncio.wait([waiting])
