"""What is sent again, what never is, and what a caller may then believe."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import RateLimited, RejectedError, TransientError
from connectors.exchange import Grant, Limits, Repeatable, Request
from connectors.http import Http, Options
from connectors.pacing import Pacer
from tests.integration import fake_server

QUICK = Limits(
    connect=timedelta(seconds=2),
    answer=timedelta(milliseconds=300),
    deadline=timedelta(seconds=5),
    attempts=3,
    first_wait=timedelta(milliseconds=1),
    longest_wait=timedelta(milliseconds=200),
)


def client(url: str, limits: Limits = QUICK) -> Http:
    return Http(system="m3ter", base_url=url, options=Options(limits))


FAILURES = {
    "a 500": fake_server.json({}, status=500),
    "a 503 page": fake_server.text("<html><body>Down for maintenance</body></html>", status=503),
    "a reset": fake_server.reset(),
    "a torso": fake_server.truncated(b'{"id":'),
    "a page instead of JSON": fake_server.text("<html>Welcome to the proxy</html>"),
    "no answer": fake_server.hang(),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_harmless_call_is_repeated_after(failure: fake_server.Handler, method: str) -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on(method, "/x", failure, fake_server.json({"id": 1}))
        response = await http.send(Request(method, "/x"))
        assert response.body == {"id": 1}
        assert len(fake.seen) == 2


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_it_is_told_whose_trouble_it_is_and_what_to_do_after(failure: fake_server.Handler) -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("POST", "/x", failure)
        with pytest.raises(TransientError) as caught:
            await http.send(Request("POST", "/x", json={"a": 1}))
        assert caught.value.message.startswith("m3ter")
        assert caught.value.instruction
        assert "Error" not in caught.value.message  # no class of a library's


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_create_is_sent_once_and_may_have_happened_after(failure: fake_server.Handler) -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("POST", "/x", failure)
        with pytest.raises(TransientError) as caught:
            await http.send(Request("POST", "/x", json={"a": 1}))
        assert caught.value.may_have_happened
        assert not caught.value.unreachable
        assert len(fake.seen) == 1


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_versioned_put_is_not_repeated_when_it_may_have_been_applied(
    failure: fake_server.Handler,
) -> None:
    """aiohttp itself repeats PUT on a broken connection; m3sync must see the break."""
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("PUT", "/x", failure)
        with pytest.raises(TransientError) as caught:
            await http.send(Request("PUT", "/x", json={}, repeatable=Repeatable.IF_UNTOUCHED))
        assert caught.value.may_have_happened
        assert len(fake.seen) == 1


async def test_a_read_that_fails_for_good_has_changed_nothing() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("GET", "/x", fake_server.json({}, status=502))
        with pytest.raises(TransientError) as caught:
            await http.send(Request("GET", "/x"))
        assert not caught.value.may_have_happened
        assert caught.value.status == 502
        assert len(fake.seen) == QUICK.attempts


async def test_too_many_requests_is_waited_out_where_nothing_was_done() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        limited = fake_server.json({"message": "slow down"}, status=429, headers={"Retry-After": "0"})
        fake.on("PUT", "/x", limited, limited, fake_server.json({"id": 1}))
        response = await http.send(Request("PUT", "/x", json={}, repeatable=Repeatable.IF_UNTOUCHED))
        assert response.status == 200
        assert len(fake.seen) == 3


async def test_a_create_answered_429_did_not_happen() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("POST", "/x", fake_server.json({}, status=429, headers={"Retry-After": "7"}))
        with pytest.raises(RateLimited) as caught:
            await http.send(Request("POST", "/x", json={}))
        assert not caught.value.may_have_happened
        assert caught.value.retry_after == timedelta(seconds=7)
        assert len(fake.seen) == 1


async def test_a_longer_wait_than_ours_is_left_to_the_caller() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("GET", "/x", fake_server.json({}, status=503, headers={"Retry-After": "3600"}))
        with pytest.raises(TransientError) as caught:
            await http.send(Request("GET", "/x"))
        assert caught.value.retry_after == timedelta(hours=1)
        assert len(fake.seen) == 1


async def test_one_client_told_to_slow_down_holds_all_calls_of_its_pacer() -> None:
    pacer = Pacer(None)
    async with fake_server.serving() as fake:
        options = Options(QUICK, pacer=pacer)
        async with Http(system="m3ter", base_url=fake.url, options=options) as http:
            fake.on("POST", "/x", fake_server.json({}, status=429))
            with pytest.raises(RateLimited):
                await http.send(Request("POST", "/x", json={}))
        assert pacer.delay(asyncio.get_running_loop().time()) > 0


async def test_a_refusal_is_not_repeated() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("GET", "/x", fake_server.json({}, status=400))
        with pytest.raises(RejectedError):
            await http.send(Request("GET", "/x"))
        assert len(fake.seen) == 1


async def test_a_system_that_is_not_there_is_unreachable_and_nothing_has_happened() -> None:
    async with fake_server.serving() as fake:
        url = fake.url
    async with client(url) as http:
        with pytest.raises(TransientError) as caught:
            await http.send(Request("POST", "/x", json={}))
    error = caught.value
    assert error.unreachable
    assert not error.may_have_happened
    assert url.removeprefix("http://") in error.message
    assert "Connection refused" in error.message


async def test_an_unknown_host_is_named() -> None:
    async with client("https://no-such-host.invalid") as http:
        with pytest.raises(TransientError, match=r"no-such-host\.invalid") as caught:
            await http.send(Request("GET", "/x"))
    assert caught.value.unreachable


async def test_a_server_that_speaks_no_tls_is_unreachable() -> None:
    async with fake_server.serving() as fake, client(fake.url.replace("http:", "https:")) as http:
        with pytest.raises(TransientError) as caught:
            await http.send(Request("GET", "/x"))
    assert caught.value.unreachable
    assert "certificate" in caught.value.instruction


async def test_a_body_over_the_cap_is_never_taken() -> None:
    limits = Limits(max_body=1000, attempts=2, first_wait=timedelta(0))
    big: Any = fake_server.json(["x" * 5000])
    async with fake_server.serving() as fake, client(fake.url, limits) as http:
        fake.on("GET", "/x", big)
        fake.on("POST", "/x", big)
        with pytest.raises(RejectedError, match="more than 1,000 bytes"):
            await http.send(Request("GET", "/x"))
        with pytest.raises(TransientError, match="more than 1,000 bytes") as caught:
            await http.send(Request("POST", "/x", json={}))
        assert caught.value.may_have_happened


async def test_what_waited_too_long_for_its_token_is_not_sent() -> None:
    class Slow:
        async def grant(self) -> Grant:
            await asyncio.sleep(0.05)  # a token that takes its time
            return Grant("t", 1)

        async def refused(self, grant: Grant) -> None: ...

    async with fake_server.serving() as fake, client(fake.url) as http:
        fake.on("PUT", "/x", fake_server.json({}))
        soon = asyncio.get_running_loop().time() + 0.02
        request = Request("PUT", "/x", json={}, repeatable=Repeatable.IF_UNTOUCHED, send_before=soon)
        with pytest.raises(TransientError, match="in time") as caught:
            await http.send(request, authorize=Slow())
        assert fake.seen == []
        assert not caught.value.may_have_happened
        await http.send(Request("PUT", "/x", json={}, send_before=soon + 60), authorize=Slow())
        assert len(fake.seen) == 1


async def test_what_waited_too_long_for_its_turn_is_not_sent() -> None:
    pacer = Pacer(None)
    async with fake_server.serving() as fake:
        async with Http(system="m3ter", base_url=fake.url, options=Options(QUICK, pacer=pacer)) as http:
            pacer.hold(timedelta(milliseconds=50))
            soon = asyncio.get_running_loop().time() + 0.02
            with pytest.raises(TransientError, match="in time"):
                await http.send(Request("POST", "/x", json={}, send_before=soon))
        assert fake.seen == []


async def test_a_repeat_does_not_leave_after_its_time_either() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http:

        async def busy_after_a_while(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.15)  # an answer that takes its time
            return await fake_server.json({}, status=429, headers={"Retry-After": "0"})(request)

        fake.on("PUT", "/x", busy_after_a_while, fake_server.json({}))
        soon = asyncio.get_running_loop().time() + 0.1
        request = Request("PUT", "/x", json={}, repeatable=Repeatable.IF_UNTOUCHED, send_before=soon)
        with pytest.raises(RateLimited):
            await http.send(request)
        assert len(fake.seen) == 1
