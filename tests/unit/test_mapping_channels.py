"""A field mapping names its channels, or hears the change events of the objects that it watches."""

import json
from typing import Any

import pytest

from connectors.m3ter import shapes
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import check, described, document
from daemon.to_m3ter.mapping.channels import Pointer
from daemon.to_m3ter.mapping.errors import MappingInvalid
from tests.unit.describes import describes

BOTH = ("Opportunity", "OpportunityLineItem")
DEAL = '{ object = "Opportunity", record_id = "Opportunity_Id__c" }'


def mapped(*lines: str) -> document.Mapping:
    return document.parse("\n".join((presets.text("opportunity"), "[channels]", *lines)))


def test_without_the_table_each_object_is_heard_on_its_own_channel() -> None:
    assert document.channel_objects(document.parse(presets.text("opportunity"))) == {
        "/data/OpportunityChangeEvent": ("Opportunity",),
        "/data/OpportunityLineItemChangeEvent": ("OpportunityLineItem",),
    }


def test_the_channels_of_the_document_are_heard_and_no_others() -> None:
    mapping = mapped(
        '"/data/ChangeEvents" = {}',
        '"/data/Agreements__chn" = {}',
        '"/data/OpportunityLineItemChangeEvent" = {}',
        f'"/event/ns__Deal_Closed__e" = {DEAL}',
        '"/topic/WonDeals" = { object = "OpportunityLineItem" }',
    )
    assert document.channel_objects(mapping) == {
        "/data/ChangeEvents": BOTH,
        "/data/Agreements__chn": BOTH,
        "/data/OpportunityLineItemChangeEvent": ("OpportunityLineItem",),
        "/event/ns__Deal_Closed__e": ("Opportunity",),
        "/topic/WonDeals": ("OpportunityLineItem",),
    }
    assert document.channels(mapping) == list(document.channel_objects(mapping))
    assert document.pointers(mapping) == {
        "/event/ns__Deal_Closed__e": Pointer(object="Opportunity", record_id="Opportunity_Id__c"),
        "/topic/WonDeals": Pointer(object="OpportunityLineItem"),
    }


def test_a_mapping_with_channels_can_be_shown_as_json_and_read_again() -> None:
    mapping = mapped('"/data/ChangeEvents" = {}', f'"/event/Deal_Closed__e" = {DEAL}')
    shown = json.loads(json.dumps(mapping.model_dump(mode="json", exclude_none=True, exclude_defaults=True)))
    assert document.Mapping.model_validate(shown) == mapping


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "/",
        "/u/Generic",
        "/data/",
        "/data/changeevents",
        "/data/Sales__chn\n",
        "/event/Deal_Closed",
        "/event/Deals__chn",
        "/topic/",
        "/topic/With spaces",
        "/topic/" + "x" * 26,
        "/meta/connect",
        "data/ChangeEvents",
        "/data/OpportunityChangeEvent/**",
    ],
)
def test_what_is_no_channel_is_refused(channel: str) -> None:
    with pytest.raises(MappingInvalid, match="is not a channel that m3sync can hear") as refused:
        mapped(f"{json.dumps(channel)} = {{}}")
    assert refused.value.where.startswith("channels")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"/event/Deal_Closed__e" = {}', "needs the record"),
        ('"/event/Deal_Closed__e" = { object = "Opportunity" }', "needs the record"),
        ('"/event/Deal_Closed__e" = { record_id = "Deal__c" }', "needs the record"),
        ('"/event/Deal_Closed__e" = { object = "Account", record_id = "A__c" }', "means Account, which is"),
        ('"/topic/WonDeals" = {}', "needs the object"),
        ('"/topic/WonDeals" = { object = "Account" }', "means Account, which is"),
        ('"/topic/WonDeals" = { object = "Opportunity", record_id = "Id" }', "takes no record_id"),
        ('"/data/ChangeEvents" = { object = "Opportunity" }', "takes neither"),
        ('"/data/Sales__chn" = { record_id = "Id" }', "takes neither"),
        ('"/data/AccountChangeEvent" = {}', "neither the parent nor a line"),
        ('"/data/opportunityChangeEvent" = {}', "neither the parent nor a line"),
    ],
)
def test_a_channel_whose_events_lead_to_no_record_is_refused(line: str, message: str) -> None:
    with pytest.raises(MappingInvalid, match=f"(?i){message}") as refused:
        mapped(line)
    assert refused.value.where == f"channels.{line.partition(' = ')[0]}"


@pytest.mark.parametrize(
    "line", ["", '"/data/ChangeEvents" = 1', '"/data/ChangeEvents" = { replay = -2 }', '"/topic/A" = "B"']
)
def test_a_table_of_another_shape_is_refused(line: str) -> None:
    with pytest.raises(MappingInvalid) as refused:
        mapped(line)
    assert refused.value.where.startswith("channels")
    assert refused.value.instruction


def event_described(**fields: Any) -> dict[str, Any]:
    """Deal_Closed__e with one field, Opportunity_Id__c unless told otherwise."""
    field = {"name": "Opportunity_Id__c", "type": "string", "length": 18, "nillable": False, **fields}
    return {"name": "Deal_Closed__e", "fields": [field], "childRelationships": []}


def findings(*lines: str, event: dict[str, Any] | None = None) -> list[check.Finding]:
    """What is found wrong with the channels in an org that has this platform event, or none."""
    known = describes() | ({"Deal_Closed__e": event} if event else {})
    found = check.check(mapped(*lines), known, shapes.shapes())
    return [each for each in found if each.where.startswith("channels")]


POINTED = f'"/event/Deal_Closed__e" = {DEAL}'


def test_channels_that_hear_every_object_are_well() -> None:
    assert findings('"/data/ChangeEvents" = {}', POINTED, event=event_described()) == []
    assert findings('"/data/Agreements__chn" = {}') == []


def test_a_platform_event_is_asked_for_like_an_object() -> None:
    assert "Deal_Closed__e" in described.wanted(mapped(POINTED), describes())


@pytest.mark.parametrize(
    ("event", "severity", "message"),
    [
        (None, "error", "Salesforce has no platform event Deal_Closed__e"),
        (event_described(name="Opportunity__c"), "error", "has no field Opportunity_Id__c"),
        (event_described(type="double", scale=2), "error", "is of kind number"),
        (event_described(nillable=True), "warning", "Opportunity_Id__c may be empty"),
    ],
)
def test_a_platform_event_that_cannot_name_a_record_is_found(
    event: dict[str, Any] | None, severity: str, message: str
) -> None:
    [finding] = findings('"/data/ChangeEvents" = {}', POINTED, event=event)
    assert finding.severity == severity
    assert finding.where.startswith('channels."/event/Deal_Closed__e"')
    assert message in finding.message
    assert finding.instruction


def test_an_object_that_no_channel_hears_is_found() -> None:
    [finding] = findings('"/topic/WonDeals" = { object = "Opportunity" }')
    assert finding.severity == "warning"
    assert "Changes of OpportunityLineItem are heard on none" in finding.message
    assert '"/data/OpportunityLineItemChangeEvent" = {}' in finding.instruction


def test_an_object_that_is_heard_twice_is_found() -> None:
    [finding] = findings('"/data/ChangeEvents" = {}', '"/data/OpportunityChangeEvent" = {}')
    assert "Each change of Opportunity is heard 2 times" in finding.message
