"""One exchange over aiohttp, bounded in time and size, sent once, and what its failures amount to."""

import asyncio
import os
import time
from collections.abc import AsyncIterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from connectors import calls
from connectors.errors import RejectedError, SyncError, TooLargeError, TransientError
from connectors.exchange import Limits, Request, Response
from connectors.wire import NotJson, dumps, loads, quote

# The code of an error: the answer to something that was sent is larger than can be held.
TOO_LARGE = "ANSWER_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Line:
    """The open session to one system, with its name for messages and its limits."""

    session: aiohttp.ClientSession
    system: str
    limits: Limits


@dataclass(slots=True)
class Observation:
    """What is learned while a call runs; becomes a Call when it ends."""

    status: int | None = None


class _Severed(aiohttp.ClientError):
    """The connection broke after it had been made."""


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp quietly repeats PUT and DELETE when a connection breaks; a versioned PUT would then be refused
    for having succeeded. An exception of another family stops that."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Severed(str(error) or type(error).__name__) from error


def session(limits: Limits, *, cookies: bool) -> aiohttp.ClientSession:
    """A session without proxies and .netrc; its cookie jar, if any, also serves hosts named by address."""
    jar = aiohttp.CookieJar(unsafe=True) if cookies else aiohttp.DummyCookieJar()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limits.connections),
        cookie_jar=jar,
        trust_env=False,
        middlewares=(_send_once,),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect.total_seconds()),
    )


def url_of(base_url: str, request: Request) -> URL:
    target = request.path if "://" in request.path else base_url + request.path
    url = URL(target, encoded=True)
    return url.extend_query(list(request.query)) if request.query else url


@contextmanager
def observed(line: Line, request: Request, base_url: str) -> Iterator[Observation]:
    """Records the call, however it ends."""
    started_at, started = datetime.now(UTC), time.monotonic()
    observation, failure = Observation(), ""
    try:
        yield observation
    except SyncError as error:
        observation.status = observation.status or error.status
        failure = f"{type(error).__name__} {error.code}".rstrip()
        raise
    except asyncio.CancelledError:
        failure = "cancelled"
        raise
    finally:
        duration = timedelta(seconds=time.monotonic() - started)
        path = url_of(base_url, request).path
        calls.record(
            calls.Call(line.system, request.method, path, observation.status, started_at, duration, failure)
        )


async def exchange(line: Line, request: Request, base_url: str, headers: Mapping[str, str]) -> Response:
    """Any answer of the system, whatever its status; TransientError when none came."""
    url = url_of(base_url, request)
    host = f"{url.host}:{url.port}"
    body, about = _body(request)
    sent = {**headers, **about}
    within = request.answer_within or line.limits.answer
    patience = _until_sent(line, request)
    try:
        async with asyncio.timeout(within.total_seconds()):
            async with line.session.request(
                request.method, url, data=body, headers=sent, allow_redirects=False, timeout=patience
            ) as answer:
                if request.sink is not None and 200 <= answer.status < 300:
                    await _pour(answer, request.sink)
                    return Response(answer.status, answer.headers, None)
                text = await _read(line, request, answer)
                return _response(answer, text, len(body) if isinstance(body, bytes) else 0)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _unreachable(line.system, host, error) from error
    except TimeoutError as error:
        waited = f"no answer from {host} within {within.total_seconds():g} s"
        raise no_answer(line.system, request, waited) from error
    except aiohttp.InvalidURL as error:
        raise RejectedError(
            f"{line.system}: {request.method} {request.path} has no usable address at {base_url}.",
            instruction=f"Correct the url of the {line.system} credential.",
        ) from error
    except aiohttp.ClientPayloadError as error:
        raise no_answer(line.system, request, f"the answer of {host} was cut short") from error
    except aiohttp.ClientError as error:
        raise no_answer(line.system, request, f"the connection to {host} broke: {error}") from error


def _body(request: Request) -> tuple[bytes | AsyncIterable[bytes] | None, dict[str, str]]:
    """What is sent, and the headers that tell of it."""
    if request.content is not None:
        content = request.content
        return content.chunks(), {"Content-Type": content.media_type, "Content-Length": str(content.size)}
    if request.form is not None:
        return urlencode(request.form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if request.json is not None:
        return dumps(request.json), {"Content-Type": "application/json"}
    return None, {}


async def _pour(answer: aiohttp.ClientResponse, sink: BinaryIO) -> None:
    """The body, decompressed, in place of whatever an earlier attempt has left there."""
    sink.seek(0)
    sink.truncate()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        sink.write(chunk)


def _until_sent(line: Line, request: Request) -> aiohttp.ClientTimeout:
    """Bounds the way to the first byte; the answer has a limit of its own."""
    left = None
    if request.send_before is not None:
        left = max(request.send_before - asyncio.get_running_loop().time(), 0.001)
    return aiohttp.ClientTimeout(total=None, connect=left, sock_connect=line.limits.connect.total_seconds())


def is_too_late(request: Request) -> bool:
    return request.send_before is not None and asyncio.get_running_loop().time() >= request.send_before


def check_is_in_time(system: str, request: Request) -> None:
    """What waited too long for its turn or its token does not leave: somebody else may act by now."""
    if is_too_late(request):
        raise TransientError(
            f"{system}: {request.method} {request.path} could not be sent in time, and was not sent.",
            instruction="It is tried again. A longer worker.lease_seconds helps when this happens often.",
        )


async def _read(line: Line, request: Request, answer: aiohttp.ClientResponse) -> bytes:
    """The body, decompressed; never more than the cap is held."""
    cap, chunks, size = line.limits.max_body, [], 0
    async for chunk in answer.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > cap:
            answer.close()
            if not request.writes:
                raise TooLargeError(
                    f"{line.system} sent an answer of more than {cap:,} bytes to {request.method} "
                    f"{answer.url.path}.",
                    instruction="Ask for less at once.",
                )
            error = no_answer(line.system, request, f"an answer of more than {cap:,} bytes came")
            error.code = TOO_LARGE
            raise error
        chunks.append(chunk)
    return b"".join(chunks)


def _response(answer: aiohttp.ClientResponse, body: bytes, request_bytes: int) -> Response:
    status, headers = answer.status, answer.headers
    if not body:
        return Response(status, headers, None, request_bytes=request_bytes)
    try:
        return Response(status, headers, loads(body), request_bytes=request_bytes)
    except NotJson:
        return Response(status, headers, None, body.decode(errors="replace"), request_bytes)


def check_is_json(line: Line, request: Request, response: Response) -> None:
    """A success whose body is a page or a torso says nothing: something between us answered."""
    if response.text:
        shown = f": {quote(response.text)}" if request.form is None else ""
        error = TransientError(
            f"{line.system} answered {response.status} with something that is not JSON{shown}",
            instruction="Check that the URL is the system's own and that no proxy answers in its place.",
            status=response.status,
        )
        error.may_have_happened = request.writes
        raise error


def no_answer(system: str, request: Request, what: str) -> TransientError:
    """The request left, and nothing usable came back."""
    error = TransientError(
        f"{system}: {what} ({request.method}).",
        instruction=f"If it lasts, look at {system} and at the network between.",
    )
    error.may_have_happened = request.writes
    return error


def _unreachable(system: str, host: str, error: Exception) -> TransientError:
    """Nothing left: the request was certainly not seen."""
    reason = str(error) or type(error).__name__
    instruction = "Check that the system is up and that the network lets us out."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        reason, instruction = "the name is not known", "Check the host name in the credential's URL, and DNS."
    elif isinstance(error, aiohttp.ClientSSLError):
        instruction = "Check the certificate of the system, and this machine's certificates and clock."
    elif isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        reason = os.strerror(number) if number is not None and number > 0 else reason
    found = TransientError(f"{system} cannot be reached at {host}: {reason}.", instruction=instruction)
    found.unreachable = True
    return found
