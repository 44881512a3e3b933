"""Logs: nothing secret in them, one format for all, nothing from outside that a terminal would obey."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from daemon import logs


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def _json_lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "secret",
    [
        {"client_secret": "hunter22hunter22"},
        {"api_key": "hunter22hunter22"},
        {"nested": {"password": "hunter22hunter22"}},
        {"listed": [{"refresh_token": "hunter22hunter22"}]},
        {"text": "Authorization: Bearer hunter22hunter22"},
        {"text": 'answered {"access_token": "hunter22hunter22"}'},
        {"text": "body client_secret=hunter22hunter22&grant_type=x"},
        {"url": "postgresql://m3sync:hunter22hunter22@db/m3sync"},
        {"text": "00D000000000001EAA!hunter22hunter22.hunter22"},
        {"key": "-----BEGIN RSA PRIVATE KEY-----\nhunter22\n-----END RSA PRIVATE KEY-----"},
        {"token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodW50ZXIyMiJ9.hunter22"},
        {"error": ValueError("refused with password=hunter22hunter22")},
    ],
)
@pytest.mark.parametrize("output", ["json", "console"])
def test_no_secret_is_logged(secret: dict[str, object], output: str) -> None:
    stream = io.StringIO()
    logs.configure("info", "json" if output == "json" else "console", stream=stream)
    structlog.get_logger("test").info("something happened", **secret)
    assert "hunter22" not in stream.getvalue()
    assert "something happened" in stream.getvalue()


def test_a_secret_in_a_traceback_is_not_logged() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    try:
        raise ValueError("refused with Bearer hunter22hunter22")
    except ValueError:
        structlog.get_logger("test").exception("it failed")
    assert "hunter22hunter22" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_what_is_not_secret_stays() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    facts = {
        "record_id": "006000000000001AAA",
        "status": 200,
        "is_authorized": True,
        "path": "/token",
        "replay": "17",
    }
    structlog.get_logger("test").info("called", **facts)
    (line,) = _json_lines(stream)
    assert facts.items() <= line.items()


def test_the_standard_librarys_lines_look_the_same_and_are_redacted() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    logging.getLogger("elsewhere").warning("sent %s", "Bearer hunter22hunter22")
    (line,) = _json_lines(stream)
    assert (line["event"], line["level"], line["logger"]) == (
        "sent Bearer [redacted]",
        "warning",
        "elsewhere",
    )
    assert "at" in line


def test_the_level_is_kept() -> None:
    stream = io.StringIO()
    logs.configure("warning", "json", stream=stream)
    structlog.get_logger("test").info("not news")
    logging.getLogger("elsewhere").info("not news")
    assert stream.getvalue() == ""


def test_the_drivers_own_complaints_about_an_absent_database_are_left_to_ours() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    logging.getLogger("asyncpg.pool").warning("Failed to restore the pool connection floor; retrying")
    assert stream.getvalue() == ""


def test_under_systemd_a_line_has_a_priority_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    stream = io.StringIO()
    logs.configure("info", "auto", stream=stream)
    structlog.get_logger("test").error("it failed")
    line = stream.getvalue()
    assert line.startswith("<3>{")
    assert "at" not in json.loads(line[3:])


def test_text_from_outside_cannot_steer_a_terminal_or_forge_a_line() -> None:
    stream = io.StringIO()
    logs.configure("info", "console", stream=stream)
    structlog.get_logger("test").info("name \x1b[2J\nforged", name="a\x1b]0;b\x07\u202e")
    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
