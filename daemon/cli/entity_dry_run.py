"""`integrations run --dry-run`: what a run would change in live Salesforce, by record, and its cost."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from daemon import app, manners
from daemon.cli import printing
from daemon.cli.session import FAILED, UNCONFIGURED, CommandFailed, Session
from daemon.to_salesforce import dry_run, tasks
from daemon.to_salesforce.dry_run import UNFIT, Cost, Difference
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import NoSuchTarget
from daemon.web import wording
from state.entity_models import EntitySync

_COLOURS = {"create": printing.GOOD, "update": "yellow", UNFIT: printing.BAD}
_LONGEST = 200  # of one value; a bill's lines are longer than anybody reads here


async def show(opened: Session, sync: EntitySync, *, limit: int, as_json: bool) -> int | None:
    """Print the first `limit` records and count the rest. The exit code says whether all can be written."""
    cost, counts, kept = Cost(), Counter[str](), []
    async with _place(opened, sync) as place:
        async for each in dry_run.dry_run(place, cost):
            counts[each.action] += 1
            if counts.total() > limit:
                continue
            if as_json:
                kept.append(_document(each))
            else:
                _print(each)
    if as_json:
        printing.document({"differences": kept, "counts": dict(counts), "cost": _cost(cost)})
    else:
        _conclude(counts, cost, hidden=max(0, counts.total() - limit))
    return FAILED if counts[UNFIT] else None


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
    for name, (live, wanted) in each.fields.items():
        before = "" if each.action == "create" else f"{_short(live)} -> "
        printing.line(f"    {name}: {before}{_short(wanted)}")


def _short(value: Any) -> str:
    text = wording.shown(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _conclude(counts: Counter[str], cost: Cost, *, hidden: int) -> None:
    if hidden:
        printing.line(f"and {hidden:,} more: --limit shows more of them", printing.PALE)
    if counts:
        printing.line()
        printing.table(("records", "count"), [(name, f"{count:,}") for name, count in counts.items()])
        printing.line()
    else:
        printing.line(f"Nothing differs: {cost.entities:,} entities are in Salesforce as m3ter has them.")
    how = "as one Bulk API job" if cost.uses_bulk else "200 records each"
    left = "not known" if cost.calls_left is None else f"{cost.calls_left:,}"
    printing.facts(
        {
            "Entities allowed": f"{cost.entities:,}",
            "A run would spend": f"{cost.writing_calls:,} Salesforce calls to write ({how}), "
            f"{cost.m3ter_calls:,} m3ter calls to read",
            "This dry run spent": f"{cost.reading_calls:,} and {cost.m3ter_calls:,} of them, to read both",
            "Salesforce calls left today": f"{left}, beyond the reserve",
        },
        indent=0,
    )
    printing.line("Nothing was written.")


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
