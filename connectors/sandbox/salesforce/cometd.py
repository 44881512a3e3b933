"""CometD at /cometd/NN.0/: long-polling Bayeux with Salesforce's replay extension, as documented."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from connectors import wire
from connectors.sandbox.clock import Clock
from connectors.sandbox.salesforce import cometd_messages as bayeux
from connectors.sandbox.salesforce.cometd_faults import StreamFaults
from connectors.sandbox.salesforce.cometd_sessions import Session, Sessions
from connectors.sandbox.salesforce.events import NEW_EVENTS, EventBus, InvalidReplayIdError

OLDEST_VERSION = 37
LARGEST_BODY = 32_768
LARGEST_ORG = 2_000
HOLD = timedelta(seconds=110)
COOKIE = "sfdc-stream"
_VERSION = re.compile(r"/cometd/(\d+)\.0(?:/.*)?")


@dataclass(frozen=True, slots=True)
class _Asking:
    """One POST: its request, the bearer token (None when refused), whether its connect may be held."""

    request: web.Request
    token: str | None
    refusal: str
    may_hold: bool


class Streaming:
    """The streaming server of an org. `is_valid` tells whether a bearer token is good, `exists` a channel."""

    def __init__(
        self, bus: EventBus, clock: Clock, is_valid: Callable[[str], bool], exists: Callable[[str], bool]
    ) -> None:
        self.bus = bus
        self.clock = clock
        self.sessions = Sessions(clock)
        self.faults = StreamFaults()
        self._is_valid = is_valid
        self._exists = exists
        self._is_stopping = False
        clock.on_advance(bus.wake)

    def add_routes(self, app: web.Application) -> None:
        """Serve /cometd on the org's application."""
        app.router.add_post(r"/cometd{rest:.*}", self.post)

    def stop(self) -> None:
        """Let every held connect return at once."""
        self._is_stopping = True
        self.bus.wake()

    async def post(self, request: web.Request) -> web.Response:
        """One POST of Bayeux messages."""
        refused = _unfit(request)
        if refused is not None:
            return refused
        body = await request.read()
        if len(body) > LARGEST_BODY:
            return web.Response(status=413, text=bayeux.BODY_TOO_LARGE)
        try:
            posted = wire.loads(body)
        except ValueError:
            return web.Response(status=400, text="Invalid JSON")
        listed = posted if isinstance(posted, list) else [posted]
        messages = [message for message in listed if isinstance(message, dict)]
        if not messages or len(messages) != len(listed):
            return web.Response(status=400, text="Invalid Bayeux message")
        asking = self._authenticated(request, may_hold=len(messages) == 1)
        response = web.Response(headers={"Content-Type": "application/json;charset=UTF-8"})
        parts: list[bytes] = []
        for message in messages:
            parts += await self._reply(message, asking, response)
        response.body = b"[" + b",".join(parts) + b"]"
        return response

    def _authenticated(self, request: web.Request, *, may_hold: bool) -> _Asking:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "oauth"} or not token:
            return _Asking(request, None, bayeux.AUTHENTICATION_MISSING, may_hold)
        if not self._is_valid(token.strip()):
            return _Asking(request, None, bayeux.AUTHENTICATION_INVALID, may_hold)
        return _Asking(request, token.strip(), "", may_hold)

    async def _reply(self, message: bayeux.Message, asking: _Asking, response: web.Response) -> list[bytes]:
        channel = message.get("channel")
        if channel == bayeux.HANDSHAKE:
            return [wire.dumps(self._handshake(message, asking, response))]
        session = self.sessions.find(message.get("clientId"))
        if asking.token is None:
            refusal = bayeux.refusal(message, asking.refusal, advice=bayeux.GIVE_UP)
        elif session is None:
            refusal = bayeux.refusal(message, bayeux.UNKNOWN_CLIENT, advice=bayeux.HANDSHAKE_AGAIN)
        elif asking.request.cookies.get(COOKIE) != session.cookie:
            refusal = bayeux.refusal(message, bayeux.cookie_missing(session.client_id, COOKIE))
        elif channel == bayeux.CONNECT:
            return await self._connect(message, session, asking)
        else:
            return [wire.dumps(reply) for reply in self._change_session(message, session)]
        return [wire.dumps(refusal)]

    def _change_session(self, message: bayeux.Message, session: Session) -> list[bayeux.Message]:
        match message.get("channel"):
            case bayeux.SUBSCRIBE:
                return self._subscribe(message, session)
            case bayeux.UNSUBSCRIBE:
                for channel in _channels(message):
                    session.positions.pop(channel, None)
                return [
                    bayeux.success(
                        message, clientId=session.client_id, subscription=message.get("subscription")
                    )
                ]
            case bayeux.DISCONNECT:
                self.sessions.close(session)
                return [bayeux.success(message, clientId=session.client_id)]
            case _:
                return [bayeux.refusal(message, bayeux.PUBLISHING_REFUSED)]

    def _handshake(self, message: bayeux.Message, asking: _Asking, response: web.Response) -> bayeux.Message:
        denial = self.faults.denial("handshake")
        if denial is not None:
            return bayeux.refusal(message, denial.error, reason=denial.reason, advice=denial.advice)
        offered = message.get("supportedConnectionTypes")
        if isinstance(offered, list) and "long-polling" not in offered:
            error = bayeux.connection_type_invalid(",".join(str(each) for each in offered))
            return bayeux.refusal(message, error, advice=bayeux.GIVE_UP)
        reason = asking.refusal
        if not reason and self.sessions.count() >= LARGEST_ORG:
            reason = bayeux.TOO_MANY_CLIENTS
        if asking.token is None or reason:
            return bayeux.refusal(message, bayeux.HANDSHAKE_DENIED, reason=reason, advice=bayeux.GIVE_UP)
        session = self.sessions.open_session(asking.token)
        response.set_cookie(COOKIE, session.cookie, path="/cometd", httponly=True)
        response.set_cookie("BAYEUX_BROWSER", session.cookie[:8], path="/cometd", httponly=True)
        return bayeux.success(
            message,
            clientId=session.client_id,
            version="1.0",
            minimumVersion="1.0",
            supportedConnectionTypes=["long-polling"],
            ext=bayeux.EXTENSIONS,
            advice=bayeux.RETRY,
        )

    def _subscribe(self, message: bayeux.Message, session: Session) -> list[bayeux.Message]:
        channels = _channels(message)
        if not channels:
            return [bayeux.refusal(message, bayeux.NO_SUBSCRIPTION)]
        replies = []
        for channel in channels:
            reply = self._subscribe_one(message, session, channel)
            replies.append({**reply, "subscription": channel})
        return replies

    def _subscribe_one(self, message: bayeux.Message, session: Session, channel: str) -> bayeux.Message:
        replay = _replay(message, channel)
        denial = self.faults.denial(
            "subscribe", channel=channel, replay=replay if isinstance(replay, int) else None
        )
        if denial is not None:
            return bayeux.refusal(message, denial.error)
        if not channel.startswith("/"):
            return bayeux.refusal(message, bayeux.NO_LEADING_SLASH)
        if not self._exists(channel):
            return bayeux.refusal(message, bayeux.no_such_channel(channel))
        try:
            if not isinstance(replay, int) or isinstance(replay, bool):
                raise InvalidReplayIdError(replay)
            session.positions[channel] = self.bus.start(replay, channel)
        except InvalidReplayIdError:
            return bayeux.refusal(message, bayeux.replay_id_invalid(replay))
        session.wake.set()
        return bayeux.success(message, clientId=session.client_id)

    async def _connect(self, message: bayeux.Message, session: Session, asking: _Asking) -> list[bytes]:
        if message.get("connectionType") != "long-polling":
            error = bayeux.connection_type_invalid(message.get("connectionType"))
            return [wire.dumps(bayeux.refusal(message, error))]
        is_first, session.has_connected = not session.has_connected, True
        advice = message.get("advice")
        wants_none = isinstance(advice, dict) and advice.get("timeout") == 0
        hold = HOLD if asking.may_hold and not is_first and not wants_none else timedelta()
        session.seen_at = self.clock.now()
        session.held_by = asking.request
        session.wake.set()  # a connect that is still held returns: there is one at a time
        try:
            messages, refusal = await self._until_events(message, session, asking, self.clock.now() + hold)
        finally:
            if session.held_by is asking.request:
                session.held_by = None
                self.bus.waiting.discard(session.wake)
        session.seen_at = self.clock.now()
        more = {"advice": bayeux.RETRY} if is_first else {}
        reply = refusal or bayeux.success(message, clientId=session.client_id, **more)
        return [*messages, wire.dumps(reply)]

    async def _until_events(
        self, message: bayeux.Message, session: Session, asking: _Asking, until: datetime
    ) -> tuple[list[bytes], bayeux.Message | None]:
        """Wait for events or for a reason to refuse, at most until that time of the sandbox's clock."""
        self.bus.waiting.add(session.wake)
        while True:
            session.wake.clear()
            refusal = self._connect_refusal(message, session, asking)
            if refusal is not None:
                return [], refusal
            if session.held_by is not asking.request or _is_gone(asking.request):
                return [], None  # superseded, or nobody is there to read them: the events stay
            messages = session.read(self.bus)
            left = (until - self.clock.now()).total_seconds()
            if messages or left <= 0 or self._is_stopping:
                return messages, None
            try:
                async with asyncio.timeout(left):
                    await session.wake.wait()
            except TimeoutError:
                continue

    def _connect_refusal(
        self, message: bayeux.Message, session: Session, asking: _Asking
    ) -> bayeux.Message | None:
        if self.sessions.find(session.client_id) is not session:
            return bayeux.refusal(message, bayeux.UNKNOWN_CLIENT, advice=bayeux.HANDSHAKE_AGAIN)
        denial = self.faults.denial("connect")
        if denial is not None:
            return bayeux.refusal(message, denial.error, reason=denial.reason, advice=denial.advice)
        if asking.token is None or not self._is_valid(asking.token):
            return bayeux.refusal(message, bayeux.AUTHENTICATION_INVALID, advice=bayeux.GIVE_UP)
        return None


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _unfit(request: web.Request) -> web.Response | None:
    found = _VERSION.fullmatch(request.path)
    if found is None:
        return web.Response(status=400, text=bayeux.VERSION_MISSING)
    if int(found[1]) < OLDEST_VERSION:
        return web.Response(status=400, text=bayeux.VERSION_UNSUPPORTED)
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        return web.Response(status=413, text=bayeux.BODY_TOO_LARGE)
    if request.content_type != "application/json":
        return web.Response(status=415, text="The Content-Type must be application/json")
    return None


def _channels(message: bayeux.Message) -> list[str]:
    asked = message.get("subscription")
    listed = asked if isinstance(asked, list) else [asked]
    return [channel for channel in listed if isinstance(channel, str) and channel]


def _replay(message: bayeux.Message, channel: str) -> object:
    extension = message.get("ext")
    replay = extension.get("replay") if isinstance(extension, dict) else None
    return replay.get(channel, NEW_EVENTS) if isinstance(replay, dict) else NEW_EVENTS
