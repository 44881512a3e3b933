"""How wide the windows are that lost places, wordless events and deaf channels leave."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from daemon.to_m3ter import intake, presets, windows
from daemon.to_m3ter.intake import Missed
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.windows import Measure
from state.checkpoints import NO_PLACE, Position

DEALS, LINES = "/data/OpportunityChangeEvent", "/data/OpportunityLineItemChangeEvent"
WATCHED = intake.watch(UUID(int=1), document.parse(presets.text("opportunity")))
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OVERLAP, MONTH = timedelta(minutes=15), timedelta(days=30)
NOW = AT + timedelta(hours=1)
UNTIL = NOW + windows.AHEAD
NEW = Position(NO_PLACE, since=AT, complete_until=AT)
OLD = Position(NO_PLACE, since=AT - MONTH, complete_until=AT)


def test_a_first_start_reads_from_going_live_and_never_before() -> None:
    found = windows.without_place(WATCHED, {DEALS: NEW, LINES: NEW}, {}, Measure(NOW, OVERLAP))
    assert [(each.object_name, each.cause, each.from_at, each.until_at) for each in found] == [
        ("Opportunity", "first start", AT, UNTIL),
        ("OpportunityLineItem", "first start", AT, UNTIL),
    ]


def test_a_refused_place_reads_from_where_the_channel_was_complete_and_looks_for_what_is_gone() -> None:
    lost = {DEALS: "The replayId {7} you provided was invalid."}
    [found] = windows.without_place(WATCHED, {DEALS: OLD}, lost, Measure(NOW, OVERLAP))
    assert (found.cause, found.detail) == ("replay refused", lost[DEALS])
    assert (found.from_at, found.until_at) == (AT - OVERLAP, UNTIL)
    assert found.checks_missing
    recent = replace(OLD, since=AT - timedelta(minutes=5))
    [found] = windows.without_place(WATCHED, {DEALS: recent}, lost, Measure(NOW, OVERLAP))
    assert found.from_at == recent.since


def test_what_goes_live_later_than_now_leaves_no_window() -> None:
    assert windows.without_place(WATCHED, {DEALS: NEW}, {}, Measure(AT - windows.AHEAD, OVERLAP)) == []


def test_two_channels_that_tell_of_one_object_leave_one_window_wide_enough_for_both() -> None:
    both = replace(WATCHED, objects={DEALS: ("Opportunity",), "/data/ChangeEvents": ("Opportunity",)})
    older = replace(OLD, complete_until=AT - timedelta(hours=7))
    positions = {DEALS: OLD, "/data/ChangeEvents": older}
    [found] = windows.without_place(both, positions, {}, Measure(NOW, OVERLAP))
    assert found.from_at == older.complete_until - OVERLAP


def test_events_without_names_leave_one_window_for_each_object_and_cause_open_to_the_end() -> None:
    missed = [
        Missed("Opportunity", DEALS, "overflow", "first", AT - timedelta(hours=2)),
        Missed("Opportunity", DEALS, "overflow", "second", AT - timedelta(hours=3)),
        Missed("Opportunity", DEALS, "gap", "a wildcard", AT + timedelta(hours=3)),
        Missed("OpportunityLineItem", LINES, "undecodable", "a riddle"),
    ]
    found = windows.of_missed(missed, {DEALS: OLD, LINES: OLD}, OVERLAP)
    assert [(each.object_name, each.cause, each.from_at, each.until_at) for each in found] == [
        ("Opportunity", "overflow", AT - timedelta(hours=3) - OVERLAP, None),
        ("Opportunity", "gap", AT - OVERLAP, None),
        ("OpportunityLineItem", "undecodable", AT - OVERLAP, None),
    ]
    assert all(each.checks_missing for each in found)


def test_of_many_events_without_names_one_look_up_of_each_object_is_put_off() -> None:
    missed = [
        Missed("Opportunity", DEALS, "overflow", "many", AT - timedelta(hours=2)),
        Missed("Opportunity", DEALS, "undecodable", "a riddle"),
        Missed("OpportunityLineItem", LINES, "undecodable", "a riddle"),
    ]
    found = windows.of_missed(missed, {DEALS: OLD, LINES: OLD}, OVERLAP, {"Opportunity"})
    assert [each.checks_missing for each in found] == [False, False, True]
    [later] = windows.put_off(found, MONTH)
    assert (later.object_name, later.cause, later.delay) == ("Opportunity", "look-up", MONTH)
    assert later.checks_missing
