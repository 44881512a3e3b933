"""`explain`: one record's story, from the first event to what is next."""

from typing import Annotated, assert_never

import typer

from connectors.salesforce.models import to_id18
from daemon.cli import entity_tables, printing, runs, session
from daemon.cli.options import AsJson
from daemon.cli.session import FAILED, command
from daemon.web import rereading, telling, wording
from state import insights
from state.insight_models import HeardEvent, RunStory, Story
from state.reread_models import RereadStory


@command
async def explain(
    record_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A Salesforce record id, 15 or 18 characters, or the id of a m3ter entity."
        ),
    ],
    *,
    as_json: AsJson = False,
) -> int | None:
    """Tell the story of one record or one m3ter entity, and what is next."""
    full_id = record_id.lower() if wording.is_m3ter_id(record_id) else to_id18(record_id)
    async with session.opened() as opened:
        story = await insights.explain(opened.db, full_id)
    if as_json:
        printing.document({**wording.plain(story), "is_known": story.is_known})
    else:
        tell(story)
    return None if story.is_known else FAILED


def tell(story: Story) -> None:
    """The whole story, in lines."""
    printing.heading(f"{story.record_id} (times are UTC)")
    if story.parent_ids:
        printing.line(f"It belongs to {', '.join(story.parent_ids)}.")
    for chapter in telling.in_order(story):
        printing.line()
        match chapter:
            case HeardEvent():
                _tell_event(chapter, story.record_id)
            case RunStory():
                _tell_run(chapter)
            case RereadStory():
                _tell_reread(chapter)
            case _:
                assert_never(chapter)
    if story.external_mappings:
        printing.line()
        printing.heading("In m3ter")
        printing.table(
            ("object", "m3ter id", "from"),
            [
                (each.m3ter_entity, each.m3ter_id, f"{each.external_table} {each.external_id}")
                for each in story.external_mappings
            ],
            keep=("object", "m3ter id"),
        )
    if story.copies:
        printing.line()
        printing.heading("In Salesforce, by entity data syncs")
        entity_tables.print_copies(story.copies)
    printing.line()
    printing.heading("What is next")
    for sentence in story.next:
        printing.line(f"  {sentence}")


def _tell_event(event: HeardEvent, record_id: str) -> None:
    whose = "" if event.record_id == record_id else f" {event.record_id}"
    fields = f": {', '.join(event.changed_fields)}" if event.changed_fields else ""
    printing.line(
        f"{wording.shown(event.received_at)}  heard {event.change_type} of {event.object_name}{whose}{fields}"
    )
    by = f", by {event.commit_user}" if event.commit_user else ""
    printing.line(f"  {event.channel}, replay id {event.replay_id}{by}", printing.PALE)
    if note := wording.OWN_WRITE.get(event.own_write):
        printing.line(f"  {note}", printing.PALE)


def _tell_reread(told: RereadStory) -> None:
    printing.line(f"{wording.shown(told.opened_at)}  read again: {rereading.window(told)}")
    if told.detail:
        printing.line(f"  {told.detail}", printing.PALE)
    printing.line(f"  {rereading.progress(told)}", printing.PALE)


def _tell_run(told: RunStory) -> None:
    run = told.run
    lasted = (
        f" in {wording.lasting(run.completed_at - run.started_at)}" if run.completed_at else ", still running"
    )
    printing.line(
        f"{wording.shown(run.started_at)}  attempt {run.attempt} of {run.integration_name} ({run.cause}): "
        f"{wording.came_to(run)}{lasted}",
        printing.style_of(wording.came_to(run)),
    )
    for text in (run.message, run.instruction):
        if text:
            printing.line(f"  {text}")
    runs.print_log(list(told.log))
    if told.objects:
        printing.line()
        runs.print_objects(list(told.objects))
