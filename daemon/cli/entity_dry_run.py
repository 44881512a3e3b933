"""`integrations run --dry-run` and `--restore`: what a run would change in live Salesforce, and its cost."""

import shlex
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from daemon import app, manners
from daemon.cli import printing
from daemon.cli.session import FAILED, UNCONFIGURED, CommandFailed, Session
from daemon.to_salesforce import dry_run, restoring, tasks
from daemon.to_salesforce.dry_run import DRIFTED, REFUSED, UNFIT, Cost, Difference
from daemon.to_salesforce.gauge import ReserveReached
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import NoSuchTarget
from daemon.web import wording
from state.entity_models import EntitySync

_COLOURS = {
    dry_run.CREATE: printing.GOOD,
    dry_run.UPDATE: "yellow",
    dry_run.DRIFTED: "cyan",
    dry_run.REFUSED: printing.PALE,
}
_LONGEST = 200  # of one value; a bill's lines are longer than anybody reads here
_WORTH_SAYING = 10
_MEANING = {
    dry_run.CREATE: "makes the record",
    dry_run.UPDATE: "writes its fields",
    dry_run.MARK: "marks the record of what is gone",
    dry_run.DELETE: "deletes the record of what is gone",
    UNFIT: "shows it as an issue",
    REFUSED: "leaves it, until it changes or is retried",
    DRIFTED: "leaves what was edited or deleted in Salesforce",
}
_UNSEEN = "Not all records were looked at."


@dataclass(frozen=True, slots=True)
class Asked:
    """How it is shown: the first `limit` records, or one JSON document; with what a restore writes too."""

    limit: int
    as_json: bool
    is_restoring: bool


async def show(opened: Session, sync: EntitySync, asked: Asked) -> int | None:
    """Print the first records and count the rest. The exit code says whether all is, or can be, written.

    Raises CommandFailed where the reserve ends it, after what was seen until then.
    """
    cost, counts, kept, ended = Cost(), Counter[str](), list[dict[str, Any]](), None
    async with _place(opened, sync) as place:
        await _forecast(place, as_json=asked.as_json)
        try:
            async for each in dry_run.dry_run(place, cost, is_restoring=asked.is_restoring):
                counts[each.action] += 1
                if counts.total() > asked.limit:
                    continue
                if asked.as_json:
                    kept.append(_document(each))
                else:
                    _print(each)
        except ReserveReached as error:
            ended = error
    if asked.as_json:
        reason = ended.reason if ended else ""
        printing.document(
            {"differences": kept, "counts": dict(counts), "cost": _cost(cost), "ended_early": reason}
        )
    else:
        _conclude(sync, counts, cost, asked, is_all=ended is None)
    if ended is not None:
        raise CommandFailed(f"{_UNSEEN} {ended.reason}", ended.instruction)
    return FAILED if counts[UNFIT] or counts[REFUSED] else None


async def restore(opened: Session, sync: EntitySync, *, as_json: bool) -> None:
    """Have the next run write what has drifted. Raises CommandFailed where the reserve ends it."""
    count = 0
    async with _place(opened, sync) as place:
        await _forecast(place, as_json=as_json)
        try:
            async for number in restoring.restore(place, Cost()):
                count += number
        except ReserveReached as error:
            raise CommandFailed(
                f"{_UNSEEN} {count:,} records are written anew by the next run. {error.reason}",
                f"{error.instruction} Given again, --restore finds the others.",
            ) from None
    if not as_json:
        what = "1 record that differs" if count == 1 else f"{count:,} records that differ"
        anew = "; this run writes them anew" if count else ""
        printing.line(f"Found {what} only in Salesforce{anew}.")


async def _forecast(place: Place, *, as_json: bool) -> None:
    """Beforehand, where it costs what somebody else may need."""
    copies, calls = await dry_run.forecast(place)
    if calls >= _WORTH_SAYING and not as_json:
        printing.line(f"Comparing {copies:,} copies with Salesforce: about {calls:,} calls.", printing.PALE)


@asynccontextmanager
async def _place(opened: Session, sync: EntitySync) -> AsyncIterator[Place]:
    async with app.links_of(opened.settings, opened.db) as links:
        try:
            ready = await tasks.connect(opened.db, links, sync, manners.to_salesforce(opened.settings))
        except NoSuchTarget as error:
            raise CommandFailed(
                str(error), "Correct [entity_data_sync] in the settings file.", exit_code=UNCONFIGURED
            ) from None
        if ready is None:
            raise CommandFailed(
                f"The integration {sync.integration.name} has lost a credential.",
                "Connect it again: m3sync integrations connect ...",
                exit_code=UNCONFIGURED,
            )
        yield ready.place


def _print(each: Difference) -> None:
    record = f" ({each.salesforce_id})" if each.salesforce_id else ""
    printing.line(f"{each.action} {each.m3ter_id}{record}", _COLOURS.get(each.action, printing.BAD))
    if each.problem:
        printing.line(f"    {each.problem}")
    if each.action == dry_run.UPDATE and not each.fields:
        printing.line("    Salesforce has all of it already.")
    for name, (live, wanted) in each.fields.items():
        before = "" if each.action == dry_run.CREATE else f"{_short(live)} -> "
        printing.line(f"    {name}: {before}{_short(wanted)}")


def _short(value: Any) -> str:
    text = wording.shown(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _conclude(sync: EntitySync, counts: Counter[str], cost: Cost, asked: Asked, *, is_all: bool) -> None:
    if hidden := max(0, counts.total() - asked.limit):
        printing.line(f"and {hidden:,} more: --limit shows more of them", printing.PALE)
    if counts:
        printing.line()
        rows = [(name, f"{count:,}", _MEANING[name]) for name, count in counts.items()]
        printing.table(("records", "count", "a run"), rows, keep=("records", "count"))
        printing.line()
    elif is_all:
        printing.line(f"Nothing differs: {cost.entities:,} entities are in Salesforce as m3ter has them.")
    printing.facts(_costs(cost, asked, "" if is_all else "at least "), indent=0)
    name = shlex.quote(sync.integration.name)
    if counts[DRIFTED]:
        printing.line(f"Write the drifted anew: m3sync integrations run {name} --restore", "yellow")
    if counts[REFUSED]:
        printing.line(f"Try the refused again: m3sync integrations retry {name}", "yellow")
    printing.line("Nothing was written.")


def _costs(cost: Cost, asked: Asked, least: str) -> dict[str, str]:
    how = "by Bulk API jobs, about" if cost.uses_bulk else "200 records each"
    who = "A run with --restore" if asked.is_restoring else "A run"
    return {
        "Entities allowed": f"{cost.entities:,}",
        f"{who} would spend": f"{least}{cost.writing_calls:,} Salesforce calls to write ({how}), "
        f"{cost.m3ter_calls:,} m3ter calls to read",
        "This dry run spent": f"{cost.reading_calls:,} and {cost.m3ter_calls:,} of them, to read both",
        "Salesforce calls left today": _left(cost),
    }


def _left(cost: Cost) -> str:
    if cost.calls_left is None:
        return "not known"
    if cost.calls_left <= 0:
        return "none, beyond the reserve; a run waits"
    waits = "; a run waits for more" if cost.writing_calls > cost.calls_left else ""
    return f"{cost.calls_left:,}, beyond the reserve{waits}"


def _document(each: Difference) -> dict[str, Any]:
    return {
        "m3ter_id": each.m3ter_id,
        "salesforce_id": each.salesforce_id,
        "action": each.action,
        "fields": {name: {"live": live, "wanted": wanted} for name, (live, wanted) in each.fields.items()},
        "problem": each.problem,
    }


def _cost(cost: Cost) -> dict[str, Any]:
    spent: dict[str, Any] = wording.plain(cost)
    return {**spent, "writing_calls": cost.writing_calls, "uses_bulk": cost.uses_bulk}
