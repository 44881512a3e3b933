"""Change events are sorted into records, parents and windows without asking anybody."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce.models import ChangeEvent, UndecodableEvent
from daemon.to_m3ter import intake, presets
from daemon.to_m3ter.mapping import document
from state.checkpoints import Step

CHANNEL = "/data/OpportunityChangeEvent"
OPPORTUNITY, LINE = "006S900000795MNIAY", "00kS9000001Nxy5IAC"
WATCHED = intake.watch(UUID(int=1), document.parse(presets.text("opportunity")))
AT = datetime(2026, 11, 21, tzinfo=UTC)


def event(object_name: str, *record_ids: str, **more: Any) -> ChangeEvent:
    plain = ChangeEvent(
        f"/data/{object_name}ChangeEvent", "7", object_name, record_ids, "UPDATE", committed_at=AT
    )
    return replace(plain, **more)


def test_the_watch_is_what_the_mapping_needs() -> None:
    assert set(WATCHED.channels) == {CHANNEL, "/data/OpportunityLineItemChangeEvent"}
    assert WATCHED.parent == "Opportunity"
    assert WATCHED.lines == {"OpportunityLineItem": "OpportunityId"}


def test_merged_records_are_told_apart_and_15_characters_become_18() -> None:
    found = intake.sort([event("Opportunity", OPPORTUNITY[:15], "006S900000795MOIAY")], WATCHED)
    assert [each.change.record_id for each in found.heard] == [OPPORTUNITY, "006S900000795MOIAY"]
    assert found.windows == {}
    assert found.steps == {CHANNEL: Step("7", AT)}


@pytest.mark.parametrize(
    "lost",
    [
        event("Opportunity", "000000000000000AAA", change_type="GAP_OVERFLOW"),
        event("Opportunity", "000000000000000AAA"),
        event("Opportunity", "006*"),
        event("Opportunity", change_type="GAP_OVERFLOW"),
        event("Opportunity"),
        UndecodableEvent(CHANNEL, "7", "not JSON"),
    ],
)
def test_an_event_that_names_no_record_opens_a_window_and_is_passed(
    lost: ChangeEvent | UndecodableEvent,
) -> None:
    found = intake.sort([lost], WATCHED)
    assert found.heard == []
    assert "Event 7" in found.windows[CHANNEL]
    assert found.steps[CHANNEL].replay_id == "7"


def test_the_position_of_a_channel_is_its_last_event() -> None:
    some = [event("Opportunity", OPPORTUNITY, replay_id=str(number)) for number in (7, 9, 30)]
    assert intake.sort(some, WATCHED).steps == {CHANNEL: Step("30", AT)}


@pytest.mark.parametrize(
    ("payload", "remembered", "parents"),
    [
        ({"OpportunityId": OPPORTUNITY[:15]}, {}, {OPPORTUNITY}),
        ({}, {LINE: OPPORTUNITY}, {OPPORTUNITY}),
        ({"OpportunityId": "006S900000795MOIAY"}, {LINE: OPPORTUNITY}, {OPPORTUNITY, "006S900000795MOIAY"}),
        ({"OpportunityId": None}, {LINE: OPPORTUNITY}, {OPPORTUNITY}),
        ({}, {}, set()),
    ],
)
def test_a_line_leads_to_the_parents_it_names_and_was_seen_with(
    payload: dict[str, object], remembered: dict[str, str], parents: set[str]
) -> None:
    [heard] = intake.sort([event("OpportunityLineItem", LINE, payload=payload)], WATCHED).heard
    led = intake.lead(heard, remembered, WATCHED)
    expected = [("Opportunity", each) for each in sorted(parents)] or [("OpportunityLineItem", LINE)]
    assert led == expected


def test_a_parent_that_is_no_record_id_opens_a_window_and_the_line_is_heard() -> None:
    lines = "/data/OpportunityLineItemChangeEvent"
    strange = event("OpportunityLineItem", LINE, payload={"OpportunityId": "006xx"})
    found = intake.sort([strange, event("Opportunity", OPPORTUNITY)], WATCHED)
    assert [each.change.record_id for each in found.heard] == [LINE, OPPORTUNITY]
    assert found.heard[0].named is None
    assert "'006xx'" in found.windows[lines]
    assert set(found.windows) == {lines}


def test_what_was_committed_before_going_live_is_left_out_of_every_batch_and_counted() -> None:
    since = {CHANNEL: AT}
    old = event("Opportunity", OPPORTUNITY, committed_at=AT - timedelta(hours=1))
    overflow = replace(old, change_type="GAP_OVERFLOW", record_ids=(), replay_id="8")
    for _ in range(2):
        found = intake.sort([old, overflow], WATCHED, since)
        assert (found.heard, found.windows) == ([], {})
        assert found.steps[CHANNEL].replay_id == "8"
        assert found.steps[CHANNEL].left_out == 2
    now = [
        event("Opportunity", OPPORTUNITY, committed_at=at) for at in (AT, AT - timedelta(seconds=30), None)
    ]
    found = intake.sort([old, *now], WATCHED, since)
    assert len(found.heard) == 3, "at the time, within the margin, and at a time unknown"
    assert found.steps[CHANNEL].left_out == 1
