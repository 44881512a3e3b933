"""`doctor`: everything m3sync needs, looked at, and how to mend what is wrong."""

import textwrap
from collections.abc import Sequence
from datetime import timedelta

from connectors.exchange import Limits
from daemon import location, manners
from daemon.cli import printing, session
from daemon.cli.options import AsJson
from daemon.cli.session import DONE, FAILED, UNCONFIGURED, command
from daemon.clients import Patience
from daemon.configuration import ConfigurationError
from daemon.doctor import examining, findings, house
from daemon.doctor.findings import Finding, Verdict
from daemon.settings import Settings
from state import database
from state.errors import StateError

_WIDTH = 80
_SHOWN = {
    Verdict.OK: ("ok", printing.GOOD),
    Verdict.WARNING: ("doubtful", "yellow"),
    Verdict.UNCONFIGURED: ("to do", "yellow"),
    Verdict.ERROR: ("FAILS", printing.BAD),
}
# Somebody waits for the answer: a system that is away is asked once, and not for long.
_LIMITS = Limits(answer=timedelta(seconds=20), deadline=timedelta(seconds=30), attempts=1)


@command
async def doctor(*, as_json: AsJson = False) -> int | None:
    """Look at settings, database, credentials, both systems and every integration; say how to mend each."""
    found = await _examined()
    if as_json:
        verdict = findings.worst(found)
        printing.document({"is_well": verdict in (Verdict.OK, Verdict.WARNING), "findings": found})
    else:
        _print(found)
    match findings.worst(found):
        case Verdict.ERROR:
            return UNCONFIGURED if found[-1].where == "settings" else FAILED
        case Verdict.UNCONFIGURED:
            return UNCONFIGURED
        case _:
            return DONE


async def _examined() -> list[Finding]:
    try:
        settings = session.load_settings()
    except ConfigurationError as error:
        return [findings.bad("settings", error.reason, error.instruction)]
    named = session.config_file.get()
    found = [
        findings.good("settings", f"{named} is sound." if named else "They are sound."),
        *house.settling(settings),
        house.directory(settings),
    ]
    if findings.worst(found) in (Verdict.OK, Verdict.WARNING):
        found += await _beyond(settings)
    return found


async def _beyond(settings: Settings) -> list[Finding]:
    try:
        async with (
            location.of_database(settings) as url,
            database.connect(url, min_size=1, max_size=4) as db,
        ):
            return await examining.examine(settings, db, manners.naming(settings), Patience(_LIMITS, _LIMITS))
    except StateError as error:
        instruction = error.instruction or "Correct [database] in the settings, or start PostgreSQL."
        return [findings.bad("database", error.reason, instruction)]


def _print(found: Sequence[Finding]) -> None:
    for each in found:
        word, style = _SHOWN[each.verdict]
        first, *rest = _wrapped(each.where)
        printing.line(f"{word:<9}{first.lstrip()}", style)
        for line in rest:
            printing.line(line, style)
        for text in (each.message, each.instruction):
            for line in _wrapped(text):
                printing.line(line)
    counts = {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
    said = ", ".join(f"{n} {_SHOWN[verdict][0]}" for verdict, n in counts.items() if n)
    verdict = findings.worst(found)
    ends = {
        Verdict.OK: "All is well.",
        Verdict.WARNING: "It works; look at what is doubtful.",
        Verdict.UNCONFIGURED: "Something is still to be set up.",
        Verdict.ERROR: "Something does not work.",
    }
    printing.line(f"{ends[verdict]} ({said})", _SHOWN[verdict][1])


def _wrapped(text: str) -> list[str]:
    """Lines of 80 columns; a name, path or address is never broken."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * 9,
        subsequent_indent=" " * 9,
        break_long_words=False,
        break_on_hyphens=False,
    )
