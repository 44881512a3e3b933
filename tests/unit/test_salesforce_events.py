"""Change events are decoded whatever comes; places know from where to replay."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.salesforce import bayeux, decoding
from connectors.salesforce.models import ChangeEvent, UndecodableEvent
from connectors.salesforce.places import Places
from connectors.salesforce.soql_results import child_relationships

CHANNEL = "/data/OpportunityChangeEvent"
HEADER: dict[str, Any] = {
    "entityName": "Opportunity",
    "recordIds": ["006S900000795MN"],
    "changeType": "UPDATE",
    "changeOrigin": "com/salesforce/api/rest/67.0;client=m3sync",
    "transactionKey": "0002",
    "sequenceNumber": 1,
    "commitTimestamp": 1_795_262_400_123,
    "commitUser": "005S9000001TBkDIAW",
    "commitNumber": 11_000_000_000_001,
    "nulledFields": [],
}


def data(header: Any = None, **payload: Any) -> dict[str, Any]:
    return {
        "schema": "x",
        "event": {"replayId": 42},
        "payload": {"ChangeEventHeader": HEADER if header is None else header, **payload},
    }


def test_an_event_is_decoded() -> None:
    event = decoding.decode(CHANNEL, data(StageName="Closed Won"))
    assert event == ChangeEvent(
        channel=CHANNEL,
        replay_id="42",
        object_name="Opportunity",
        record_ids=("006S900000795MNIAY",),
        change_type="UPDATE",
        changed_fields=("StageName",),
        change_origin="com/salesforce/api/rest/67.0;client=m3sync",
        commit_user="005S9000001TBkDIAW",
        transaction_key="0002",
        sequence_number=1,
        commit_number=11_000_000_000_001,
        committed_at=datetime(2026, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC),
        payload={"StageName": "Closed Won"},
    )


def test_changed_fields_of_the_header_go_before_the_keys_of_the_body() -> None:
    event = decoding.decode(CHANNEL, data({**HEADER, "changedFields": ["Amount"]}, StageName="x"))
    assert isinstance(event, ChangeEvent)
    assert event.changed_fields == ("Amount",)


@pytest.mark.parametrize("record_id", ["001*", "000000000000000AAA"])
def test_ids_that_name_no_single_record_are_kept(record_id: str) -> None:
    event = decoding.decode(CHANNEL, data({**HEADER, "recordIds": [record_id]}))
    assert isinstance(event, ChangeEvent)
    assert event.record_ids == (record_id,)


@pytest.mark.parametrize(
    "bad",
    [
        {"entityName": 5},
        {"recordIds": "006"},
        {"recordIds": ["nonsense"]},
        {"changeType": None},
        {"commitTimestamp": 10**30},
        {"commitTimestamp": "x"},
    ],
)
def test_what_cannot_be_read_keeps_its_place(bad: dict[str, Any]) -> None:
    event = decoding.decode(CHANNEL, data({**HEADER, **bad}))
    assert isinstance(event, UndecodableEvent)
    assert (event.channel, event.replay_id) == (CHANNEL, "42")
    assert event.reason


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: (
        some.lists(inner) | some.dictionaries(some.sampled_from([*HEADER, "event", "payload", "x"]), inner)
    ),
)


@given(ANYTHING)
def test_nothing_breaks_the_decoder(anything: Any) -> None:
    assert isinstance(decoding.decode(CHANNEL, anything), ChangeEvent | UndecodableEvent)
    assert decoding.decode(CHANNEL, data(anything if anything is not None else {}))


def test_a_place_moves_only_with_what_is_durable() -> None:
    places = Places({"/a": "5", "/b": "-2"})
    assert places.to_subscribe() == {"/a": "5", "/b": "-2"}
    places.advance([UndecodableEvent("/a", "7", "?"), UndecodableEvent("/b", "", "no id")])
    assert places.to_subscribe() == {"/a": "7", "/b": "-2"}


def test_a_channel_without_a_place_is_asked_for_new_events_until_its_first_is_durable() -> None:
    places = Places({CHANNEL: None})
    assert places.to_subscribe() == {CHANNEL: "-1"}
    places.advance([ChangeEvent("/another", "1", "Account", (), "UPDATE")])
    assert places.to_subscribe()[CHANNEL] == "-1"
    places.advance([ChangeEvent(CHANNEL, "2", "Account", (), "UPDATE")])
    assert places.to_subscribe()[CHANNEL] == "2"


@pytest.mark.parametrize(
    ("soql", "names"),
    [
        ("SELECT Id FROM Account", set()),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", {"Contacts"}),
        (
            "select Id, (select Id, (select Id from Lines__r) from Items__r) from Order",
            {"Lines__r", "Items__r"},
        ),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)", set()),
        ("SELECT Id FROM Account WHERE Name = '(SELECT x FROM y)'", set()),
    ],
)
def test_child_relationships_are_found(soql: str, names: set[str]) -> None:
    assert child_relationships(soql) == names


def test_advice_is_in_milliseconds_and_garbage_is_ignored() -> None:
    advice = bayeux.Advice().revised({"interval": 3000, "timeout": 110_000, "reconnect": "handshake"})
    assert advice == bayeux.Advice("handshake", timedelta(seconds=3), timedelta(seconds=110))
    assert advice.revised({"interval": "x", "timeout": -1, "reconnect": "dance"}) == advice
    assert advice.revised(None) == advice


def test_many_subscriptions_fit_the_largest_request() -> None:
    positions = {f"/data/{'X' * 70}{n}__ChangeEvent": "9" * 18 for n in range(200)}
    portions = list(bayeux.subscribes("c" * 40, positions))
    assert sum(len(portion) for portion in portions) == 200
    assert all(len(str(portion)) < 32_768 for portion in portions)
