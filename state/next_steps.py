"""Says in sentences what is next for a record, and what a person can do about it."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from state import sentence
from state.entity_models import Copy, CopyAction, CopyStatus
from state.insight_models import IssueKind, RunStory, Story
from state.models import InboxRow, InboxStatus, RecordState, SyncStatus
from state.reread_models import RereadStory
from state.run_models import RunObject

_DELETIONS = ("DELETE", "GAP_DELETE")


def instruction(kind: IssueKind, record_id: str, due_at: datetime | None) -> str:
    """What to do about a record's issue that brings no instruction of its own."""
    if kind is IssueKind.RETRYING and due_at is not None:
        return f"It is tried again at {_at(due_at)}; `m3sync sync {record_id}` tries it now."
    if kind is IssueKind.PING_PONG and due_at is not None:
        return (
            "Find what changes it in Salesforce whenever m3ter has it (a flow, another integration) and end "
            f"that. It is synced as it is at {_at(due_at)}; `m3sync sync {record_id}` syncs it now."
        )
    return f"Mend what the message names, then `m3sync sync {record_id}`."


def reread_instruction(each: RereadStory) -> str:
    """What to do about a window that cannot be read again."""
    do = each.instruction or "Mend what the message names."
    return f"{do} It is tried again by itself at {_at(each.due_at)}; nothing of the window is lost meanwhile."


def sentences(story: Story) -> tuple[str, ...]:
    """What is next for a record, the most urgent first."""
    found = [_of_row(row) for row in story.inbox]
    found += [
        f"Creating the {each.m3ter_entity} of {each.external_id} was begun at {_at(each.created_at)} and its "
        "end is not known: m3ter is read before it is created again."
        for each in story.open_intents
    ]
    found += [_of_copy(each) for each in story.copies]
    if not story.inbox and (story.is_heard or not story.copies):
        known = bool(story.states or story.runs)
        found += [_of_end(story.states, story.runs)] if known else _of_deletion(story)
        found += [f"It is a line: its changes are synced with {each}." for each in story.parent_ids]
    return tuple(found) or (_of_nothing(story),)


def _of_copy(copy: Copy) -> str:
    """Of one record that holds what m3ter has."""
    where = f"{copy.entity_type} {copy.m3ter_id} ({copy.integration_name})"
    what = {CopyAction.UPSERT: "written", CopyAction.MARK: "marked as gone", CopyAction.DELETE: "deleted"}
    match copy.status:
        case CopyStatus.WRITTEN:
            done = "marked as gone" if copy.action is CopyAction.MARK else "as m3ter has it"
            return f"{where} is in Salesforce {done} as of {_at(copy.written_at or copy.changed_at)}."
        case CopyStatus.WAITING if copy.message:
            at = _at(copy.due_at)
            return f"{where} is to be {what[copy.action]}, again at {at}: {sentence.ended(copy.message)}"
        case CopyStatus.WAITING:
            return f"{where} waits since {_at(copy.changed_at)} to be {what[copy.action]} in Salesforce."
        case CopyStatus.REFUSED:
            return (
                f"{where} is refused by Salesforce: {sentence.ended(copy.message)} Mend what it names, then "
                f"`m3sync integrations retry {shlex.quote(copy.integration_name)} {copy.m3ter_id}`."
            )
        case _:
            assert_never(copy.status)


def _of_deletion(story: Story) -> list[str]:
    """Of a record that was never synced by itself: that it is no more, if that was the last heard of it."""
    own = [each for each in story.events if each.record_id == story.record_id]
    if not own or own[0].change_type not in _DELETIONS:
        return []
    deleted = f"It was deleted in Salesforce at {_at(own[0].committed_at or own[0].received_at)}"
    if story.parent_ids:
        return [f"{deleted}."]
    return [f"{deleted}. m3sync never synced it, so there is nothing of it to end in m3ter."]


def _of_nothing(story: Story) -> str:
    by_hand = f"`m3sync sync {story.record_id}` syncs it now."
    if story.events or story.rereads:
        return f"Nothing is waiting: what was heard of the record led to no sync. {by_hand}"
    return f"m3sync has heard nothing of this record. {by_hand}"


def _of_row(row: InboxRow) -> str:
    where = f"{row.object_name} {row.record_id} ({row.integration_name})"
    match row.status:
        case InboxStatus.CLAIMED:
            return (
                f"{where} is being synced, attempt {row.attempts}, by {row.claimed_by}; "
                f"its lease runs until {_at(row.lease_until or row.due_at)}."
            )
        case InboxStatus.SET_ASIDE:
            return (
                f"{where} was set aside after {row.attempts} attempts: {sentence.ended(row.error or '')} "
                f"The next change of the record or `m3sync sync {row.record_id}` tries again."
            )
        case InboxStatus.WAITING if row.error:
            after = f"after {row.attempts} attempts" if row.attempts else "no attempt being used up"
            return f"{where} is tried again at {_at(row.due_at)}, {after}: {sentence.ended(row.error)}"
        case InboxStatus.WAITING:
            return f"{where} waits for its turn since {_at(row.first_changed_at)}."


def _of_end(states: Sequence[RecordState], told: Sequence[RunStory]) -> str:
    if told and told[0].run.success is False:
        return _of_failure(told[0])
    if told or any(state.last_synced_at for state in states):
        return "Nothing is waiting: the record is in step as of its last sync."
    return "Nothing is waiting: the record does not meet the criterion of its integration."


def _of_failure(last: RunStory) -> str:
    """Each part a sentence: how it ended, the objects that failed with the systems' own words, what to do."""
    run = last.run
    told = [run.message]
    if run.sync_status is SyncStatus.PARTIAL_SUCCESS:  # its message says that the sync ran to its end
        told = [_of_object(each) for each in last.objects if not each.success]
    ended = f"Nothing is planned: the last run ended as {run.status}"
    ended += f" ({run.sync_status})" if run.sync_status else ""
    parts = [ended, *told, run.instruction]
    return " ".join(sentence.ended(part) for part in parts if part)


def _of_object(one: RunObject) -> str:
    failed = f"The {one.object_name} of {one.salesforce_id} failed: "
    return f"{failed if one.action == 'failed' else ''}{one.message}"


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
