"""Logs for people or machines, with secrets taken out and the standard library's logging routed in."""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

REDACTED = "[redacted]"
_DEPTH_LIMIT = 8

_SECRET_KEY = re.compile(
    r"secret|password|passwd|passphrase|token|authorization|cookie|assertion|sealed|signature|session_?id|"
    r"(api|private|vault|access|client|signing)[_-]?key",
    re.IGNORECASE,
)
_SECRET_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        REDACTED,
    ),
    (re.compile(r"\b(Bearer|Basic|OAuth)\s+[\w\-.~+/!=]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?"), REDACTED),  # a JSON web token
    (re.compile(r"\b00D\w{12}(\w{3})?![\w.]{16,}"), REDACTED),  # a Salesforce session id
    (re.compile(r"(\w+://[^\s/:@]*):[^\s@]+@"), rf"\1:{REDACTED}@"),  # a password in a URL
    (
        re.compile(
            r"([\"']?\b[\w-]*(?:secret|password|token|assertion|api_?key|private_?key|authorization|cookie)"
            r"[\w-]*[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;}]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SYSLOG_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2, "exception": 3}


def configure(
    level: str = "info",
    output: Literal["auto", "console", "json"] = "auto",
    *,
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (standard error) in the given format.

    Under systemd lines carry their priority and no time: the journal writes its own.
    """
    target = stream or sys.stderr
    for_people = output == "console" or (output == "auto" and target.isatty())
    in_journal = bool(os.environ.get("JOURNAL_STREAM")) and not for_people
    shared = _shared(for_people=for_people, in_journal=in_journal)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_people(target) if for_people else _for_machines(in_journal=in_journal)),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line for each request is not news; what failed is said by whoever asked.
    for noisy in ("aiohttp.access", "asyncio", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # A traceback for each try while the database is away, which our own lines tell already.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    logging.captureWarnings(True)


def _shared(*, for_people: bool, in_journal: bool) -> list[Processor]:
    """What every line goes through, ours or a library's."""
    times = structlog.processors.TimeStamper(
        fmt="%H:%M:%S" if for_people else "iso", utc=not for_people, key="at"
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        *([] if in_journal else [times]),
        structlog.processors.format_exc_info,
        redact,
    ]


def _for_people(target: TextIO) -> list[Processor]:
    colours = target.isatty() and "NO_COLOR" not in os.environ
    return [
        _without("logger"),
        _printable,
        structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="at", pad_event_to=0),
    ]


def _for_machines(*, in_journal: bool) -> list[Processor]:
    render = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if not in_journal:
        return [render]

    def with_priority(logger: Any, name: str, event: EventDict) -> str:
        priority = _SYSLOG_LEVELS.get(str(event.pop("level", "info")), 6)
        return f"<{priority}>{render(logger, name, event)!s}"

    return [with_priority]


def _without(key: str) -> Callable[[Any, str, EventDict], EventDict]:
    def drop(_logger: Any, _name: str, event: EventDict) -> EventDict:
        event.pop(key, None)
        return event

    return drop


def _printable(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Text from outside must not move the cursor or forge a line of a terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value if key == "exception" else value.replace("\n", "\\n"))
    return event


def printable(text: str) -> str:
    """The text with its control characters spelt out, but for line ends and tabs."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def redact(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Take out values under secret-looking keys, and tokens wherever they stand in a text."""
    for key in list(event):
        event[key] = _redacted(key, event[key])
    return event


def _redacted(key: object, value: Any, depth: int = 0) -> Any:
    if isinstance(key, str) and _SECRET_KEY.search(key) and value not in (None, "", True, False):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if depth >= _DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping | MutableMapping):
        return {name: _redacted(name, inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", inner, depth + 1) for inner in value]
    if isinstance(value, BaseException):
        return redact_text(f"{type(value).__name__}: {value}")
    return value


def redact_text(text: str) -> str:
    """The text without bearer tokens, session ids, private keys and passwords in URLs."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text
