"""What is an echo of our own writes, what nearly is one, and that no change is ever taken for one wrongly."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.salesforce.models import ChangeEvent
from daemon import echoes
from daemon.echoes import Ours
from state.own_writes import Expected, OwnWrite, Verdict, WriteKind

OURS = Ours("005D00000000001", "m3sync")
US, THEM = "005D00000000001AAA", "005D00000000002AAA"
REST = "com/salesforce/api/rest/67.0"
ACME, OTHER = "001D00000000001AAA", "001D00000000002AAA"
STAMPS = {"LastModifiedDate": "2026-11-21T10:00:00.000Z", "LastModifiedById": US}
ECHO, NEAR_MISS, FOREIGN = Verdict.ECHO, Verdict.NEAR_MISS, Verdict.FOREIGN


def event(body: Mapping[str, Any], change_type: str = "UPDATE", **values: Any) -> ChangeEvent:
    """By us, by REST, unless said otherwise."""
    stamped = {**body, **STAMPS} if change_type == "UPDATE" else body
    fields = {
        "channel": "/data/AccountChangeEvent",
        "replay_id": "1",
        "object_name": "Account",
        "record_ids": (ACME,),
        "change_type": change_type,
        "changed_fields": tuple(stamped),
        "change_origin": f"{REST};client=m3sync",
        "commit_user": US,
        "payload": stamped,
    }
    return ChangeEvent(**{**fields, **values})


def judged(events: list[ChangeEvent], *writes: OwnWrite) -> list[Verdict]:
    return sifted(events, *writes).verdicts


def sifted(events: list[ChangeEvent], *writes: OwnWrite) -> echoes.Sifted:
    expected = [Expected(number, write) for number, write in enumerate(writes, start=1)]
    seen = [echoes.seen(each, record, OURS) for each in events for record in each.record_ids]
    return echoes.sift(seen, expected)


def wrote(record_id: str = ACME, **fields: Any) -> OwnWrite:
    return echoes.update("Account", record_id, fields)


def test_what_we_wrote_is_an_echo_once() -> None:
    five = event({"Rating": "Hot", "NumberOfEmployees": 5})
    assert judged([five, five], wrote(Rating="Hot", NumberOfEmployees=5)) == [ECHO, NEAR_MISS]


def test_an_echo_carries_only_what_differed() -> None:
    assert judged([event({"Rating": "Hot"})], wrote(Rating="Hot", Site="Leith")) == [ECHO]


def test_an_expectation_not_met_stays() -> None:
    assert sifted([event({"Rating": "Hot"}, record_ids=(OTHER,))], wrote(Rating="Hot")).spent == []


@pytest.mark.parametrize(
    "body",
    [
        {"Rating": "Cold"},
        {"Rating": "Hot", "Type": "Customer"},  # a flow changed more
        {"Rating": None},
        {"Rating": {"diff": "--- \n+++ 00"}},
        {},
    ],
)
def test_different_content_by_us_is_a_near_miss(body: dict[str, Any]) -> None:
    assert judged([event(body)], wrote(Rating="Hot")) == [NEAR_MISS]


def test_a_field_that_only_the_header_names_has_changed_too() -> None:
    told = event({"Rating": "Hot"}, changed_fields=("Rating", "Secret__c", "LastModifiedDate"))
    assert judged([told], wrote(Rating="Hot")) == [NEAR_MISS]


def test_fields_that_enrich_a_custom_channels_event_did_not_change() -> None:
    enriched = event({"Rating": "Hot", "Name": "Acme"}, changed_fields=("Rating", "LastModifiedDate"))
    assert judged([replace(enriched, channel="/data/Accounts__chn")], wrote(Rating="Hot")) == [ECHO]
    assert judged([enriched], wrote(Rating="Hot")) == [NEAR_MISS], "elsewhere nothing enriches"


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ({}, ECHO),
        ({"change_origin": f"{REST};client=m3sync;sforce=1"}, ECHO),
        ({"change_origin": f"{REST}; sforce=1, client=m3sync"}, ECHO),
        ({"change_origin": REST}, ECHO),  # whether calls for many records name the client is not documented
        ({"change_origin": "", "commit_user": ""}, ECHO),
        ({"commit_user": US[:15]}, ECHO),
        ({"commit_user": THEM}, NEAR_MISS),
        ({"commit_user": THEM, "change_origin": ""}, NEAR_MISS),
        ({"change_origin": f"{REST};client=loader"}, NEAR_MISS),
        ({"change_origin": f"{REST};client=m3sync2"}, NEAR_MISS),
    ],
)
def test_equal_content_is_an_echo_unless_somebody_else_signed_it(
    signs: dict[str, str], verdict: Verdict
) -> None:
    assert judged([event({"Rating": "Hot"}, **signs)], wrote(Rating="Hot")) == [verdict]


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ({}, NEAR_MISS),
        ({"change_origin": ""}, NEAR_MISS),
        ({"commit_user": ""}, NEAR_MISS),
        ({"commit_user": THEM, "change_origin": ""}, FOREIGN),
        ({"change_origin": f"{REST};client=loader"}, FOREIGN),
        ({"change_origin": "", "commit_user": ""}, FOREIGN),
    ],
)
def test_without_an_expectation_only_our_signature_makes_a_near_miss(
    signs: dict[str, str], verdict: Verdict
) -> None:
    assert judged([event({"Rating": "Hot"}, **signs)]) == [verdict]


def test_the_events_of_two_writes_of_one_record_are_echoes_if_one_does_not_undo_the_other() -> None:
    first, second = event({"Rating": "Hot"}), event({"Rating": "Cold"})
    assert judged([first, second], wrote(Rating="Hot"), wrote(Rating="Cold")) == [NEAR_MISS, NEAR_MISS]
    assert judged([second, first], wrote(Rating="Hot"), wrote(Rating="Cold")) == [ECHO, NEAR_MISS]
    site = event({"Site": "Leith"})
    assert judged([first, site], wrote(Rating="Hot"), wrote(Site="Leith")) == [ECHO, ECHO]


def test_a_change_away_and_back_by_our_own_user_is_synced() -> None:
    away, back = event({"Rating": "Cold"}), event({"Rating": "Hot"})
    assert judged([away, back], wrote(Rating="Hot")) == [NEAR_MISS, NEAR_MISS]


@pytest.mark.parametrize("change_type", ["DELETE", "UNDELETE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"])
def test_nothing_but_an_update_is_the_echo_of_an_update_and_it_ends_the_expectation(change_type: str) -> None:
    theirs = event({}, change_type, commit_user=THEM, change_origin="")
    assert judged([theirs, event({"Rating": "Hot"})], wrote(Rating="Hot")) == [NEAR_MISS, NEAR_MISS]


def test_a_delete_that_we_expected_is_an_echo_and_no_other() -> None:
    gone = event({}, "DELETE")
    assert judged([gone, gone], echoes.removal("Account", ACME)) == [ECHO, NEAR_MISS]
    assert judged([replace(gone, change_type="GAP_DELETE")], echoes.removal("Account", ACME)) == [NEAR_MISS]
    assert judged([gone]) == [NEAR_MISS]
    assert judged([replace(gone, commit_user=THEM)], echoes.removal("Account", ACME)) == [NEAR_MISS]


def test_after_anybody_elses_change_of_the_record_nothing_is_expected_of_it() -> None:
    elsewhere = event({"Site": "Leith"}, commit_user=THEM, change_origin="")
    hot = event({"Rating": "Hot"})
    assert judged([elsewhere, hot], wrote(Rating="Hot")) == [NEAR_MISS, NEAR_MISS]
    assert judged([elsewhere, event({}, "DELETE")], echoes.removal("Account", ACME)) == [FOREIGN, ECHO]


BORN = {"Name": "Acme", "Ext__c": "m-1", "OwnerId": US, "CreatedDate": "2026-11-21T10:00:00.000Z"}
CREATED = echoes.creation("Account", {"Name": "Acme", "Ext__c": "m-1", "Site": None}, "Ext__c")


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (BORN, ECHO),
        ({**BORN, "IsPartner__c": False}, ECHO),
        ({**BORN, "IsPartner__c": True}, NEAR_MISS),
        ({**BORN, "Rating": "Hot"}, NEAR_MISS),
        ({**BORN, "Name": "Acme Ltd"}, NEAR_MISS),
        ({**BORN, "Site": "Leith"}, NEAR_MISS),
        ({"Ext__c": "m-1"}, NEAR_MISS),
    ],
)
def test_a_new_records_event_is_known_by_its_key_and_is_an_echo_without_anything_more(
    body: dict[str, Any], verdict: Verdict
) -> None:
    assert judged([event(body, "CREATE")], CREATED) == [verdict]


def test_a_create_with_another_key_is_another_record() -> None:
    other = event({**BORN, "Ext__c": "m-2"}, "CREATE", commit_user=THEM, change_origin="")
    assert judged([other, event(BORN, "CREATE")], CREATED) == [FOREIGN, ECHO]


def test_the_echo_of_many_records_in_one_event_is_each_ones() -> None:
    ids = tuple(f"001D0000000{number:04d}AAA" for number in range(200))
    one = event({"Rating": "Hot"}, record_ids=ids)
    found = sifted([one], *(wrote(record_id, Rating="Hot") for record_id in reversed(ids)))
    assert found.verdicts == [ECHO] * 200
    assert sorted(each.own_write_id for each in found.spent) == list(range(1, 201))


def test_an_event_that_was_an_echo_for_another_integration_is_one_here() -> None:
    expected = [Expected(1, wrote(Rating="Hot"), echo_of="key-1")]
    again = echoes.seen(event({"Rating": "Hot"}, transaction_key="key-1"), ACME, OURS)
    later = echoes.seen(event({"Rating": "Hot"}, transaction_key="key-2"), ACME, OURS)
    assert echoes.sift([again, again], expected).verdicts == [ECHO, ECHO]
    assert echoes.sift([later], expected).verdicts == [NEAR_MISS]


VALUES = st.sampled_from(["a", "b", None])
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["person", "write", "unsent", "hear", "by hand"]), st.sampled_from("XY"), VALUES
    ),
    max_size=14,
)


class Life:
    """One record in both systems. Persons edit it under our very user: only the content tells them apart.

    m3ter changes, and the change is written to Salesforce ("write"), or was told and never sent ("unsent").
    """

    def __init__(self) -> None:
        self.record: dict[str, Any] = {"X": None, "Y": None}
        self.in_m3ter = dict(self.record)
        self.owed: set[str] = set()  # fields that a write never sent leaves behind, until it is tried again
        self.told: list[Expected] = []
        self.number = 0
        self.coming: list[ChangeEvent] = []

    def act(self, kind: str, name: str, value: Any) -> None:
        if kind in ("write", "unsent"):
            self.in_m3ter[name] = value
            self.owed = self.owed | {name} if kind == "unsent" else self.owed - {name}
            self.number += 1
            self.told.append(Expected(self.number, wrote(**{name: value})))
        if kind in ("write", "person") and self.record[name] != value:
            self.record[name] = value
            self.coming.append(event({name: value}))
        if kind == "hear":
            self.hear()
        if kind == "by hand":
            self.sync()

    def hear(self) -> None:
        found = echoes.sift([echoes.seen(each, ACME, OURS) for each in self.coming], self.told)
        over = {each.own_write_id for each in found.spent}
        self.told, self.coming = [each for each in self.told if each.own_write_id not in over], []
        if set(found.verdicts) - {ECHO}:
            self.sync()

    def sync(self) -> None:
        self.in_m3ter, self.owed, self.told = dict(self.record), set(), []


@settings(max_examples=1_000)
@example([("unsent", "X", "a"), ("write", "X", None), ("person", "X", "a")])
@given(ACTS)
def test_no_change_is_lost_whoever_makes_it_and_whatever_was_told_and_never_sent(acts: Any) -> None:
    life = Life()
    for each in acts:
        life.act(*each)
    life.hear()
    assert all(life.in_m3ter[name] == life.record[name] for name in {"X", "Y"} - life.owed)


def test_a_write_of_every_kind_says_what_it_is() -> None:
    assert CREATED.kind is WriteKind.CREATE
    assert CREATED.record_id == ""
    assert CREATED.key in CREATED.fields.values()
    assert wrote(Rating="Hot").kind is WriteKind.UPDATE
