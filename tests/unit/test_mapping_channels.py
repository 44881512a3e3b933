"""A field mapping names its channels, or hears the change events of the objects that it watches."""

import json

import pytest

from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document
from daemon.to_m3ter.mapping.channels import Pointer
from daemon.to_m3ter.mapping.errors import MappingInvalid

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
