"""Change events are sorted into records, parents and windows without asking anybody."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce.models import ChangeEvent, UndecodableEvent
from daemon.to_m3ter import intake, presets
from daemon.to_m3ter.mapping import document
from state.models import Target

ONE, OTHER = UUID(int=1), UUID(int=2)
OPPORTUNITY, LINE = "006S900000795MNIAY", "00kS9000001Nxy5IAC"
WATCHED = intake.watch({ONE: document.parse(presets.text("opportunity"))})
AT = datetime(2026, 11, 21, tzinfo=UTC)


def event(object_name: str, *record_ids: str, **more: Any) -> ChangeEvent:
    plain = ChangeEvent(
        f"/data/{object_name}ChangeEvent", "7", object_name, record_ids, "UPDATE", committed_at=AT
    )
    return replace(plain, **more)


def test_the_watch_is_the_union_of_the_mappings() -> None:
    account = document.parse(presets.text("account"))
    watched = intake.watch({ONE: document.parse(presets.text("opportunity")), OTHER: account})
    assert set(watched.channels) == {
        "/data/OpportunityChangeEvent",
        "/data/OpportunityLineItemChangeEvent",
        "/data/AccountChangeEvent",
    }
    assert set(watched.parents) == {Target(ONE, "Opportunity"), Target(OTHER, "Account")}
    assert set(watched.leads) == {"OpportunityLineItem"}


def test_merged_records_are_told_apart_and_15_characters_become_18() -> None:
    found = intake.sort([event("Opportunity", OPPORTUNITY[:15], "006S900000795MOIAY")], WATCHED)
    assert [each.change.record_id for each in found.heard] == [OPPORTUNITY, "006S900000795MOIAY"]
    assert found.windows == {}
    assert found.positions == {"/data/OpportunityChangeEvent": "7"}
    assert found.event_at == {"/data/OpportunityChangeEvent": AT}


@pytest.mark.parametrize(
    "lost",
    [
        event("Opportunity", "000000000000000AAA", change_type="GAP_OVERFLOW"),
        event("Opportunity", "000000000000000AAA"),
        event("Opportunity", "006*"),
        UndecodableEvent("/data/OpportunityChangeEvent", "7", "not JSON"),
    ],
)
def test_an_event_that_names_no_record_opens_a_window_and_is_passed(
    lost: ChangeEvent | UndecodableEvent,
) -> None:
    found = intake.sort([lost], WATCHED)
    assert found.heard == []
    assert "Event 7" in found.windows["/data/OpportunityChangeEvent"]
    assert found.positions == {"/data/OpportunityChangeEvent": "7"}


def test_the_position_of_a_channel_is_its_last_event() -> None:
    some = [event("Opportunity", OPPORTUNITY, replay_id=str(number)) for number in (7, 9, 30)]
    assert intake.sort(some, WATCHED).positions == {"/data/OpportunityChangeEvent": "30"}


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
    assert {record_id for _, record_id in led.parents.get(ONE, set())} == parents
    assert led.orphans == ([] if parents else [Target(ONE, "OpportunityLineItem")])
