"""Platform events and PushTopics lead to the records that the field mapping says."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce import decoding
from connectors.salesforce.models import ChangeEvent, Notification, UndecodableEvent
from daemon.to_m3ter import intake, pointing, presets
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.channels import Pointer

EVENT, TOPIC = "/event/Deal_Closed__e", "/topic/WonDeals"
DEAL = "006S900000795MNIAY"
POINTERS = {
    EVENT: Pointer(object="Opportunity", record_id="Opportunity_Id__c"),
    TOPIC: Pointer(object="Opportunity"),
}
CHANNELS = """
[channels]
"/data/ChangeEvents" = {}
"/event/Deal_Closed__e" = { object = "Opportunity", record_id = "Opportunity_Id__c" }
"/topic/WonDeals" = { object = "Opportunity" }
"""


def platform_event(**fields: Any) -> dict[str, Any]:
    payload = {"CreatedDate": "2026-11-21T12:00:00.123Z", "CreatedById": "005S9000001TBkDIAW", **fields}
    return {"schema": "x", "payload": payload, "event": {"EventUuid": "2ec0e371", "replayId": 7}}


def topic(kind: object = "updated", **fields: Any) -> dict[str, Any]:
    event = {"createdDate": "2026-11-21T12:00:00.123+0000", "replayId": 8, "type": kind}
    return {"event": event, "sobject": fields}


def watched() -> intake.Watch:
    return intake.watch(UUID(int=1), document.parse(presets.text("opportunity") + CHANNELS))


def pointed(channel: str, data: Any) -> ChangeEvent | UndecodableEvent:
    return pointing.as_change(decoding.decode(channel, data), POINTERS)


def test_a_platform_event_is_decoded_with_its_own_fields() -> None:
    event = decoding.decode(EVENT, platform_event(Opportunity_Id__c=DEAL))
    assert isinstance(event, Notification)
    assert (event.replay_id, event.event_type, event.event_key) == ("7", "", "2ec0e371")
    assert event.created_at == datetime(2026, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC)
    assert event.payload["Opportunity_Id__c"] == DEAL


def test_a_pushtopic_notification_is_decoded_with_what_its_query_selects() -> None:
    event = decoding.decode(TOPIC, topic("deleted", Id=DEAL))
    assert event == Notification(
        channel=TOPIC,
        replay_id="8",
        event_type="deleted",
        event_key="2026-11-21T12:00:00.123+0000",
        created_at=datetime(2026, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC),
        payload={"Id": DEAL},
    )


@pytest.mark.parametrize("channel", [EVENT, TOPIC])
@pytest.mark.parametrize(
    "data", [None, [], {}, {"event": {"replayId": 5}}, {"payload": {}, "sobject": {}}, {"event": "x"}]
)
def test_what_has_no_body_or_no_replay_id_is_undecodable(channel: str, data: Any) -> None:
    assert isinstance(decoding.decode(channel, data), UndecodableEvent)


@pytest.mark.parametrize("moment", [None, 5, "yesterday", "2026-11-21T12:00:00"])
def test_an_event_whose_time_cannot_be_read_is_still_an_event(moment: Any) -> None:
    event = decoding.decode(EVENT, platform_event(CreatedDate=moment))
    assert isinstance(event, Notification)
    assert event.created_at is None


@pytest.mark.parametrize("given", [DEAL, DEAL[:15]])
def test_the_named_field_of_a_platform_event_says_which_record(given: str) -> None:
    change = pointed(EVENT, platform_event(Opportunity_Id__c=given))
    assert isinstance(change, ChangeEvent)
    assert (change.object_name, change.record_ids, change.change_type) == ("Opportunity", (DEAL,), "EVENT")


def test_a_platform_event_is_never_the_echo_of_a_write() -> None:
    change = pointed(EVENT, platform_event(Opportunity_Id__c=DEAL))
    assert isinstance(change, ChangeEvent)
    assert (change.change_origin, change.commit_user) == ("", "")
    assert change.transaction_key == "2ec0e371"


@pytest.mark.parametrize(
    ("said", "change_type"),
    [
        ("created", "CREATE"),
        ("updated", "UPDATE"),
        ("deleted", "DELETE"),
        ("undeleted", "UNDELETE"),
        ("new", "EVENT"),
        (None, "EVENT"),
    ],
)
def test_a_pushtopic_says_by_its_id_which_record(said: object, change_type: str) -> None:
    change = pointed(TOPIC, topic(said, Id=DEAL))
    assert isinstance(change, ChangeEvent)
    assert (change.object_name, change.record_ids) == ("Opportunity", (DEAL,))
    assert change.change_type == change_type


@pytest.mark.parametrize("given", [None, "", 5, [DEAL], "Q-1001", DEAL[:-1] + "B", "006*"])
def test_an_event_that_names_no_record_is_undecodable_and_says_which_field(given: Any) -> None:
    for channel, data, name in (
        (EVENT, platform_event(Opportunity_Id__c=given), "Opportunity_Id__c"),
        (TOPIC, topic(Id=given), "Id"),
    ):
        lost = pointed(channel, data)
        assert isinstance(lost, UndecodableEvent)
        assert lost.replay_id
        assert lost.reason.startswith(f"{name}")


def test_an_event_of_a_channel_without_a_pointer_is_undecodable() -> None:
    assert isinstance(pointing.as_change(decoding.decode(EVENT, platform_event()), {}), UndecodableEvent)


def test_both_put_the_named_record_into_the_inbox_like_a_change() -> None:
    events = [
        decoding.decode(EVENT, platform_event(Opportunity_Id__c=DEAL)),
        decoding.decode(TOPIC, topic("created", Id=DEAL)),
    ]
    found = intake.sort(events, watched())
    assert [
        (each.change.channel, each.change.object_name, each.change.record_id) for each in found.heard
    ] == [
        (EVENT, "Opportunity", DEAL),
        (TOPIC, "Opportunity", DEAL),
    ]
    assert {channel: step.replay_id for channel, step in found.steps.items()} == {EVENT: "7", TOPIC: "8"}
    assert not found.missed


def test_an_event_without_its_record_moves_the_place_and_has_its_object_read_again() -> None:
    found = intake.sort([decoding.decode(EVENT, platform_event())], watched())
    assert not found.heard
    assert found.steps[EVENT].replay_id == "7"
    [missed] = found.missed
    assert (missed.object_name, missed.channel, missed.cause) == ("Opportunity", EVENT, "undecodable")
    assert "Opportunity_Id__c" in missed.detail
