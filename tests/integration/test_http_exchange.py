"""One exchange over real sockets: money, errors in the system's words, tokens, what is recorded."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest

from connectors import http
from connectors.errors import AuthenticationError, NotFoundError, RejectedError, TransientError
from connectors.exchange import Grant, Limits, Request
from connectors.http import Http, Options
from connectors.refusals import Complaint, Dialect
from tests.integration import fake_server

QUICK = Limits(attempts=2, first_wait=timedelta(milliseconds=1))


def client(url: str, dialect: Dialect | None = None) -> Http:
    options = Options(QUICK) if dialect is None else Options(QUICK, dialect)
    return Http(system="m3ter", base_url=url, options=options)


@dataclass(slots=True)
class Tokens:
    """An authorizer that counts."""

    fetched: int = 0
    current: Grant | None = None
    base_url: str | None = None

    async def grant(self) -> Grant:
        if self.current is None:
            self.fetched += 1
            self.current = Grant(f"token-{self.fetched}", self.fetched, self.base_url)
        return self.current

    async def refused(self, grant: Grant) -> None:
        if self.current == grant:
            self.current = None


async def test_money_is_decimal_both_ways() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("POST", "/x", fake_server.json({"amount": Decimal("0.10"), "big": Decimal("12345678901.55")}))
        response = await http_client.send(Request("POST", "/x", json={"amount": Decimal("19.90")}))
    assert response.body == {"amount": Decimal("0.10"), "big": Decimal("12345678901.55")}
    assert fake.seen[0].body == b'{"amount":19.90}'


async def test_an_empty_answer_has_no_body() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("DELETE", "/x", fake_server.text("", status=204))
        response = await http_client.send(Request("DELETE", "/x"))
    assert (response.status, response.body) == (204, None)


async def test_a_query_may_repeat_a_name_and_hold_anything() -> None:
    query = [("ids", "a"), ("ids", "b"), ("q", "x = 'a+b & c%20' ü")]
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/x", fake_server.json({}))
        await http_client.send(Request("GET", "/x", query=query))
    assert fake.seen[0].query == query


async def test_a_stale_token_is_renewed_once_even_for_a_create() -> None:
    tokens = Tokens()
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("POST", "/x", fake_server.json({}, status=401), fake_server.json({"id": 1}))
        response = await http_client.send(Request("POST", "/x", json={}), authorize=tokens)
    assert response.body == {"id": 1}
    assert [seen.headers["Authorization"] for seen in fake.seen] == ["Bearer token-1", "Bearer token-2"]


async def test_a_fresh_token_that_is_refused_ends_it() -> None:
    tokens = Tokens()
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/x", fake_server.json({}, status=401))
        with pytest.raises(AuthenticationError):
            await http_client.send(Request("GET", "/x"), authorize=tokens)
    assert tokens.fetched == 2
    assert len(fake.seen) == 2


async def test_a_token_that_cannot_be_had_says_nothing_about_the_create() -> None:
    class Lost(Tokens):
        async def grant(self) -> Grant:
            error = TransientError("the token endpoint hung up")
            error.may_have_happened = True
            raise error

    async with fake_server.serving() as fake, client(fake.url) as http_client:
        with pytest.raises(TransientError) as caught:
            await http_client.send(Request("POST", "/x", json={}), authorize=Lost())
    assert not caught.value.may_have_happened
    assert fake.seen == []


async def test_a_redirect_is_not_followed() -> None:
    async with (
        fake_server.serving() as fake,
        fake_server.serving() as elsewhere,
        client(fake.url) as http_client,
    ):
        moved = fake_server.json({}, status=302, headers={"Location": f"{elsewhere.url}/x"})
        fake.on("GET", "/x", moved)
        with pytest.raises(TransientError, match="HTTP 302") as caught:
            await http_client.send(Request("GET", "/x"), authorize=Tokens())
        assert elsewhere.seen == []
    assert caught.value.unreachable
    assert "URL" in caught.value.instruction


async def test_the_error_is_in_the_systems_own_words() -> None:
    dialect = Dialect(lambda _response: Complaint("No such Account", "NOPE", ("Name",)), {})
    async with fake_server.serving() as fake, client(fake.url, dialect) as http_client:
        fake.on("GET", "/x", fake_server.json({}, status=404))
        with pytest.raises(NotFoundError) as caught:
            await http_client.send(Request("GET", "/x"))
    assert caught.value.message == "No such Account (fields: Name)"
    assert (caught.value.code, caught.value.status, caught.value.fields) == ("NOPE", 404, ("Name",))


async def test_a_page_is_quoted_short_and_without_its_markup() -> None:
    page = "<html><style>p{}</style><script>alert(1)</script><p>Gateway\n says no</p>" + "x" * 5000
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/x", fake_server.text(page, status=413))
        with pytest.raises(RejectedError) as caught:
            await http_client.send(Request("GET", "/x"))
    assert "Gateway says no" in caught.value.message
    assert "alert" not in caught.value.message
    assert len(caught.value.message) < 300


async def test_a_page_in_answer_to_secrets_is_not_quoted() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        for status in (200, 400, 502):
            fake.on("POST", "/token", fake_server.text("you sent client_secret=hush", status=status))
            with pytest.raises((RejectedError, TransientError)) as caught:
                await http_client.send(Request("POST", "/token", form={"client_secret": "hush"}))
            assert "hush" not in str(caught.value)


async def test_calls_are_recorded_without_secrets() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/a/b", fake_server.json({}))
        fake.on("POST", "/c", fake_server.json({}, status=400))
        with http.recording() as calls:
            await http_client.send(Request("GET", "/a/b", query=[("q", "secret")]), authorize=Tokens())
            with pytest.raises(RejectedError):
                await asyncio.create_task(http_client.send(Request("POST", "/c", json={"name": "secret"})))
        await http_client.send(Request("GET", "/a/b"))
    assert [(call.method, call.path, call.status) for call in calls] == [
        ("GET", "/a/b", 200),
        ("POST", "/c", 400),
    ]
    assert calls[0].error == ""
    assert calls[1].error == "RejectedError"
    assert all(call.system == "m3ter" and call.duration > timedelta(0) for call in calls)
    assert "secret" not in repr(calls)
    assert "token-1" not in repr(calls)


async def test_a_call_without_an_answer_is_recorded_too() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("POST", "/c", fake_server.reset())
        with http.recording() as calls, pytest.raises(TransientError):
            await http_client.send(Request("POST", "/c", json={}))
    assert [(call.status, call.error) for call in calls] == [(None, "TransientError")]


async def test_a_cancelled_call_stays_cancelled() -> None:
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/x", fake_server.hang())
        with http.recording() as calls:
            task = asyncio.create_task(http_client.send(Request("GET", "/x")))
            await fake.arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert [call.error for call in calls] == ["cancelled"]


async def test_the_grant_says_where_it_is_good() -> None:
    async with (
        fake_server.serving() as login,
        fake_server.serving() as instance,
        client(login.url) as http_client,
    ):
        instance.on("GET", "/x", fake_server.json({"at": "instance"}))
        response = await http_client.send(Request("GET", "/x"), authorize=Tokens(base_url=instance.url))
    assert response.body == {"at": "instance"}
    assert login.seen == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with fake_server.serving() as fake, client(fake.url) as http_client:
        fake.on("GET", "/x", fake_server.json({}))
        assert (await http_client.send(Request("GET", "/x"))).status == 200
