"""Which channels owe an event for every change of an object, and what a batch tells of each."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from connectors.salesforce.models import ChangeEvent
from daemon.to_m3ter import intake, presets, telling
from daemon.to_m3ter.mapping import document

DEALS, LINES = "/data/OpportunityChangeEvent", "/data/OpportunityLineItemChangeEvent"
ALL, CUSTOM, TOPIC = "/data/ChangeEvents", "/data/Deals__chn", "/topic/WonDeals"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def watched(*channels: str) -> intake.Watch:
    """The lines of an opportunity, heard on these channels."""
    pointed = {TOPIC: 'object = "Opportunity"'}
    table = "".join(f'"{name}" = {{ {pointed.get(name, "")} }}\n' for name in channels)
    text = presets.text("opportunity") + (f"\n[channels]\n{table}" if channels else "")
    return intake.watch(UUID(int=1), document.parse(text))


def event(channel: str, object_name: str, at: datetime | None) -> ChangeEvent:
    return ChangeEvent(
        channel=channel,
        replay_id="7",
        object_name=object_name,
        record_ids=("006S900000795MNIAY",),
        change_type="UPDATE",
        changed_fields=(),
        change_origin="",
        commit_user="",
        transaction_key="",
        sequence_number=1,
        commit_number=1,
        committed_at=at,
        payload={},
    )


def test_the_channel_of_an_object_tells_of_it_and_another_only_where_there_is_none() -> None:
    assert telling.tellers(watched()) == {"Opportunity": (DEALS,), "OpportunityLineItem": (LINES,)}
    assert telling.tellers(watched(CUSTOM, LINES)) == {
        "Opportunity": (CUSTOM,),
        "OpportunityLineItem": (LINES,),
    }
    assert telling.tellers(watched(ALL, CUSTOM, DEALS)) == {
        "Opportunity": (DEALS,),
        "OpportunityLineItem": (ALL, CUSTOM),
    }


def test_a_channel_whose_events_are_no_changes_owes_none() -> None:
    assert telling.tellers(watched(TOPIC)) == {}
    assert telling.tellers(watched(TOPIC, LINES)) == {"OpportunityLineItem": (LINES,)}


def test_a_channel_is_known_by_its_objects_where_no_other_tells_of_them_in_its_place() -> None:
    assert telling.known_by_objects(watched()) == {DEALS, LINES}
    assert telling.known_by_objects(watched(CUSTOM, LINES)) == {CUSTOM, LINES}
    assert telling.known_by_objects(watched(ALL, CUSTOM, DEALS)) == {DEALS}
    assert telling.known_by_objects(watched(TOPIC, LINES)) == {LINES}


def test_a_batch_tells_of_an_object_up_to_its_latest_commit_on_the_channel_that_owes_it() -> None:
    batch = [
        event(CUSTOM, "Opportunity", AT + timedelta(seconds=1)),
        event(CUSTOM, "Opportunity", AT),
        event(CUSTOM, "OpportunityLineItem", AT),
        event(CUSTOM, "Contact", AT),
    ]
    found = telling.told(batch, watched(CUSTOM, LINES))
    assert found == {"Opportunity": AT + timedelta(seconds=1)}


def test_an_event_that_does_not_say_when_it_was_committed_is_heard_all_the_same() -> None:
    assert telling.told([event(DEALS, "Opportunity", None)], watched()) == {"Opportunity": None}
