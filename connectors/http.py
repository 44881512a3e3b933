"""One JSON call: deadline, retry where a repeat is harmless, rate limit, and what an answer means."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
import tenacity

from connectors import calls, exchange, refusals, transport, wire
from connectors.errors import RateLimited, SyncError, TransientError
from connectors.exchange import Authorizer, Grant, Repeatable, Request, Response
from connectors.pacing import Pacer
from connectors.refusals import Complaint, Dialect

Json = wire.Json
dumps = wire.dumps
loads = wire.loads
Call = calls.Call
recording = calls.recording
Limits = exchange.Limits


def _silent(_response: Response) -> Complaint | None:
    return None


@dataclass(frozen=True, slots=True)
class Options:
    """What is the same for every call of one client. `cookies` are kept only when asked for (CometD)."""

    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = field(default_factory=lambda: Dialect(_silent, {}))
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: bool = False
    pacer: Pacer | None = None  # shared by clients that share a limit


class Http:
    """A client of one system at one base URL. Proxies, .netrc and redirects are never followed: each could
    carry the credential to another host."""

    def __init__(self, *, system: str, base_url: str, options: Options | None = None) -> None:
        self.system = system
        self.base_url = base_url.rstrip("/")
        self.options = options or Options()
        self.pacer = self.options.pacer or Pacer(self.options.limits.per_second)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = transport.session(self.options.limits, cookies=self.options.cookies)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self, request: Request, *, authorize: Authorizer | None = None, dialect: Dialect | None = None
    ) -> Response:
        """The answer to `request` when it is a success (2xx); raises the SyncError family otherwise.

        Transient failures are repeated within the limits of the client as far as `request.repeats` allows.
        """
        limits, speech = self.options.limits, dialect or self.options.dialect
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(limits.attempts)
            | tenacity.stop_before_delay(limits.deadline.total_seconds()),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(request, error, limits)),
            reraise=True,
        )
        try:
            async with asyncio.timeout(limits.deadline.total_seconds() + _patience(request, limits)):
                return await retrying(self._authorized, request, authorize, speech)
        except TimeoutError as error:
            raise transport.no_answer(self.system, request, "no answer within the deadline") from error

    async def _authorized(self, request: Request, authorize: Authorizer | None, dialect: Dialect) -> Response:
        if authorize is None:
            return await self._exchange(request, None, dialect)
        grant = await _granted(authorize)
        try:
            return await self._exchange(request, grant, dialect)
        except SyncError as error:
            if not refusals.find(dialect, error.status or 0, error.code).renew:
                raise
        # The token was refused, so nothing was done: a fresh one, once.
        await authorize.refused(grant)
        return await self._exchange(request, await _granted(authorize), dialect)

    async def _exchange(self, request: Request, grant: Grant | None, dialect: Dialect) -> Response:
        if self._session is None:
            raise RuntimeError("the client is used outside of its `async with`")
        await self.pacer.turn()
        transport.check_is_in_time(self.system, request)
        base_url = (grant.base_url if grant else None) or self.base_url
        headers = {"Accept": "application/json", **self.options.headers, **request.headers}
        if grant is not None:
            headers["Authorization"] = f"Bearer {grant.token}"
        line = transport.Line(self._session, self.system, self.options.limits)
        with transport.observed(line, request, base_url) as observation:
            response = await transport.exchange(line, request, base_url, headers)
            observation.status = response.status
            if not dialect.accepts(response):
                raise self._refusal(request, response, dialect)
            transport.check_is_json(line, request, response)
        return response

    def _refusal(self, request: Request, response: Response, dialect: Dialect) -> SyncError:
        error = refusals.error_for(request, response, dialect, self.system)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            self.pacer.hold(min(error.retry_after, self.options.limits.longest_wait))
        return error

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Exponential with full jitter above half of it, never less than the system asked for."""
        limits = self.options.limits
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, TransientError) else None
        step = limits.first_wait.total_seconds() * 2.0 ** (state.attempt_number - 1)
        step = min(step, limits.longest_wait.total_seconds())
        jittered = step * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return jittered + (asked.total_seconds() if asked else 0.0)


async def _granted(authorize: Authorizer) -> Grant:
    """A token that cannot be had says nothing about the call that wants it: that one has not been sent."""
    try:
        return await authorize.grant()
    except TransientError as error:
        error.may_have_happened = False
        raise


def _patience(request: Request, limits: Limits) -> float:
    return (request.answer_within or limits.answer).total_seconds()


def _may_repeat(request: Request, error: BaseException, limits: Limits) -> bool:
    if not isinstance(error, TransientError):
        return False
    if error.retry_after is not None and error.retry_after > limits.longest_wait:
        return False
    if transport.is_too_late(request):
        return False
    if request.repeats is Repeatable.IF_UNTOUCHED:
        return not error.may_have_happened
    return request.repeats is Repeatable.ALWAYS
