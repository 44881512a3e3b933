"""Change events are sorted into records, parents and what was missed without asking anybody."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce.models import ChangeEvent, UndecodableEvent
from daemon.to_m3ter import intake, presets
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.channels import Pointer
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
    assert WATCHED.objects[CHANNEL] == ("Opportunity",)
    assert WATCHED.objects["/data/OpportunityLineItemChangeEvent"] == ("OpportunityLineItem",)


def test_merged_records_are_told_apart_and_15_characters_become_18() -> None:
    found = intake.sort([event("Opportunity", OPPORTUNITY[:15], "006S900000795MOIAY")], WATCHED)
    assert [each.change.record_id for each in found.heard] == [OPPORTUNITY, "006S900000795MOIAY"]
    assert (found.missed, found.gaps) == ([], {})
    assert found.steps == {CHANNEL: Step("7", AT)}


@pytest.mark.parametrize(
    ("lost", "cause", "event_at"),
    [
        (event("Opportunity", "000000000000000AAA", change_type="GAP_OVERFLOW"), "overflow", AT),
        (event("Opportunity", "000000000000000AAA"), "overflow", AT),
        (event("Opportunity", change_type="GAP_OVERFLOW"), "overflow", AT),
        (event("Opportunity", "006*"), "gap", AT),
        (event("Opportunity", "006*", committed_at=None), "gap", None),
        (event("Opportunity"), "gap", AT),
        (UndecodableEvent(CHANNEL, "7", "not JSON"), "undecodable", None),
    ],
)
def test_an_event_that_names_no_record_leaves_its_object_to_be_read_again_and_is_passed(
    lost: ChangeEvent | UndecodableEvent, cause: str, event_at: datetime | None
) -> None:
    found = intake.sort([lost], WATCHED)
    [missed] = found.missed
    assert (found.heard, found.gaps) == ([], {})
    assert (missed.object_name, missed.channel, missed.cause, missed.event_at) == (
        *("Opportunity", CHANNEL),
        *(cause, event_at),
    )
    assert "Event 7" in missed.detail
    assert found.steps[CHANNEL].replay_id == "7"


def test_an_undecodable_event_may_have_been_about_each_object_of_its_channel() -> None:
    every = replace(WATCHED, objects={"/data/ChangeEvents": ("Opportunity", "OpportunityLineItem")})
    found = intake.sort([UndecodableEvent("/data/ChangeEvents", "7", "not JSON")], every)
    assert [each.object_name for each in found.missed] == ["Opportunity", "OpportunityLineItem"]


def test_records_named_beside_a_wildcard_are_heard_and_the_others_read_again() -> None:
    found = intake.sort([event("Opportunity", OPPORTUNITY, "006*")], WATCHED)
    assert [each.change.record_id for each in found.heard] == [OPPORTUNITY]
    assert [each.cause for each in found.missed] == ["gap"]


def test_gap_events_that_name_their_records_are_heard_and_counted_for_each_object() -> None:
    gaps = [
        event("Opportunity", OPPORTUNITY, "006S900000795MOIAY", change_type="GAP_UPDATE"),
        event("Opportunity", OPPORTUNITY, change_type="GAP_DELETE", replay_id="8"),
        event("OpportunityLineItem", LINE, change_type="GAP_CREATE", replay_id="9"),
        event("Opportunity", OPPORTUNITY, replay_id="10"),
    ]
    found = intake.sort(gaps, WATCHED)
    assert len(found.heard) == 5
    assert found.missed == []
    assert [(each.object_name, each.records) for each in found.gaps.values()] == [
        ("Opportunity", 3),
        ("OpportunityLineItem", 1),
    ]
    assert "Event 7 (GAP_UPDATE)" in found.gaps[CHANNEL, "Opportunity"].detail


@pytest.mark.parametrize("kind", ["UPDATE", "GAP_UPDATE", "GAP_OVERFLOW"])
def test_an_event_of_an_object_that_is_not_watched_only_moves_the_place(kind: str) -> None:
    other = event("Contact", "003S90000012oZ5IAI", change_type=kind, channel="/data/ChangeEvents")
    found = intake.sort([other], WATCHED)
    assert (found.heard, found.missed, found.gaps) == ([], [], {})
    assert found.steps == {"/data/ChangeEvents": Step("7", AT)}


def test_an_object_is_wanted_in_any_case_and_its_content_stays_as_salesforce_spells_it() -> None:
    watched = replace(WATCHED, parent="opportunity", lines={"OPPORTUNITYLINEITEM": "OpportunityId"})
    changed, lost = event("Opportunity", OPPORTUNITY), event("Opportunity", "006*", change_type="GAP_UPDATE")
    line = event("OpportunityLineItem", LINE, payload={"OpportunityId": OPPORTUNITY})
    found = intake.sort([changed, lost, line], watched)
    assert [each.change.object_name for each in found.heard] == ["opportunity", "OPPORTUNITYLINEITEM"]
    assert [each.event for each in found.heard] == [changed, line]
    assert [each.object_name for each in found.missed] == ["opportunity"]
    assert intake.lead(found.heard[1], {}, watched) == [("opportunity", OPPORTUNITY)]


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


@pytest.mark.parametrize("remembered", [{}, {LINE: "006S900000795MOIAY"}])
def test_of_a_line_whose_parent_is_no_record_id_the_worker_asks_for_it(remembered: dict[str, str]) -> None:
    strange = event("OpportunityLineItem", LINE, payload={"OpportunityId": "006xx"})
    found = intake.sort([strange, event("Opportunity", OPPORTUNITY)], WATCHED)
    assert [each.change.record_id for each in found.heard] == [LINE, OPPORTUNITY]
    led = intake.lead(found.heard[0], remembered, WATCHED)
    assert led == [*(("Opportunity", each) for each in remembered.values()), ("OpportunityLineItem", LINE)]


@pytest.mark.parametrize(
    ("more", "is_unclear"),
    [
        ({"change_type": "GAP_UPDATE"}, True),
        ({"change_type": "GAP_DELETE"}, True),
        ({"channel": "/topic/Lines"}, True),
        ({"changed_fields": ("Quantity", "OpportunityId")}, True),
        ({"changed_fields": ("Quantity",)}, False),
        ({"change_type": "DELETE"}, False),
        ({"channel": "/topic/Lines", "payload": {"OpportunityId": OPPORTUNITY}}, False),
        ({"changed_fields": ("OpportunityId",), "payload": {"OpportunityId": None}}, False),
    ],
)
def test_an_event_that_does_not_tell_whether_a_line_moved_leaves_its_parent_to_be_asked_for(
    more: dict[str, Any], is_unclear: bool
) -> None:
    watched = replace(WATCHED, pointers={"/topic/Lines": Pointer(object="OpportunityLineItem")})
    [line, parent] = intake.sort(
        [event("OpportunityLineItem", LINE, **more), event("Opportunity", OPPORTUNITY, **more)], watched
    ).heard
    assert (line.is_unclear, parent.is_unclear) == (is_unclear, False)
