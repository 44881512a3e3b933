"""An update starts from the entity as read, changes what the mapping owns and keeps the rest."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.m3ter import shapes
from connectors.m3ter.models import EntityKind
from daemon.to_m3ter.mapping import merge

ACCOUNT = shapes.REQUEST_FIELDS[EntityKind.ACCOUNT]
PRICING = shapes.REQUEST_FIELDS[EntityKind.PRICING]
COMMITMENT = shapes.REQUEST_FIELDS[EntityKind.COMMITMENT]

ENTITY: dict[str, Any] = {
    "id": "x",
    "version": 7,
    "name": "Acme",
    "code": "001",
    "emailAddress": "a@b.example",
    "address": {"locality": "London", "addressLine3": "By hand"},
    "customFields": {"theirs": 1, "ours": "old"},
    "statementDefinitionId": "kept",
    "purchaseOrderNumber": None,
    "dtCreated": "2026-01-01T00:00:00Z",
    "lastModifiedBy": "someone",
}


def test_an_unchanged_entity_has_no_changes() -> None:
    made = merge.merge(ENTITY, {"name": "Acme", "code": "001", "purchaseOrderNumber": None}, ACCOUNT)
    assert made.changes == {}


def test_the_body_keeps_version_and_what_the_mapping_does_not_own_and_drops_what_m3ter_does_not_take() -> (
    None
):
    made = merge.merge(ENTITY, {"name": "Acme Ltd"}, ACCOUNT)
    assert made.changes == {"name": ("Acme", "Acme Ltd")}
    assert made.body == {
        "version": 7,
        "name": "Acme Ltd",
        "code": "001",
        "emailAddress": "a@b.example",
        "address": {"locality": "London", "addressLine3": "By hand"},
        "customFields": {"theirs": 1, "ours": "old"},
        "statementDefinitionId": "kept",
    }


def test_of_custom_fields_and_addresses_only_the_owned_keys_change() -> None:
    desired = {
        "customFields": {"ours": "new", "gone": None},
        "address": {"locality": None, "region": "Kent", "addressLine1": None},
    }
    made = merge.merge(ENTITY, desired, ACCOUNT)
    assert made.body["customFields"] == {"theirs": 1, "ours": "new"}
    assert made.body["address"] == {"addressLine3": "By hand", "region": "Kent"}
    assert made.changes == {
        "customFields.ours": ("old", "new"),
        "address.locality": ("London", None),
        "address.region": (None, "Kent"),
    }


def test_an_owned_field_whose_source_is_empty_is_left_out_of_the_body() -> None:
    made = merge.merge({**ENTITY, "purchaseOrderNumber": "PO 1"}, {"purchaseOrderNumber": None}, ACCOUNT)
    assert "purchaseOrderNumber" not in made.body
    assert made.changes == {"purchaseOrderNumber": ("PO 1", None)}


def test_the_last_owned_key_of_a_table_takes_the_table_with_it() -> None:
    made = merge.merge({"customFields": {"a": 1}, "version": 1}, {"customFields": {"a": None}}, ACCOUNT)
    assert made.body == {"version": 1}


def test_the_entity_as_read_and_the_desired_body_are_left_as_they_were() -> None:
    entity = {"version": 1, "address": {"locality": "London"}, "customFields": {"a": 1}}
    desired = {"address": {"locality": "Paris"}, "customFields": {"a": None}}
    merge.merge(entity, desired, ACCOUNT)
    assert entity == {"version": 1, "address": {"locality": "London"}, "customFields": {"a": 1}}
    assert desired == {"address": {"locality": "Paris"}, "customFields": {"a": None}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Decimal("10.00"), 10),
        (Decimal("1E+1"), Decimal("10.0")),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000Z"),
        (None, None),
        (None, ""),
        ([], None),
        (["b", "a"], ["b", "a"]),
        ({"lowerLimit": 0, "id": "by m3ter"}, {"lowerLimit": Decimal("0.0")}),
    ],
)
def test_values_that_mean_the_same_are_the_same(before: Any, after: Any) -> None:
    assert merge.is_same("any", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Decimal("10.00"), Decimal("10.01")),
        (1, True),
        (0, False),
        (None, False),
        (None, 0),
        ("10", 10),
        ("2026-01-01", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
        ("2026-13-01T00:00:00Z", "2026-13-01T00:00:00.0Z"),
        (["b", "a"], ["a", "b"]),
        (["a"], ["a", "a"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ("a", ["a"]),
    ],
)
def test_values_that_differ_are_told_apart(before: Any, after: Any) -> None:
    assert not merge.is_same("any", before, after)


def test_the_order_of_products_does_not_matter_but_their_number_does() -> None:
    assert merge.is_same("productIds", ["a", "b"], ["b", "a"])
    assert not merge.is_same("productIds", ["a", "a", "b"], ["a", "b", "b"])


def test_pricing_bands_are_compared_by_content_whatever_their_order_and_ids() -> None:
    entity = {
        "version": 1,
        "pricingBands": [
            {"id": "2", "lowerLimit": 100, "fixedPrice": 0, "unitPrice": Decimal("0.04")},
            {"id": "1", "lowerLimit": 0, "fixedPrice": 0, "unitPrice": Decimal("0.050")},
        ],
    }
    bands = [
        {"lowerLimit": 0, "fixedPrice": Decimal("0.0"), "unitPrice": Decimal("0.05")},
        {"lowerLimit": 100, "fixedPrice": 0, "unitPrice": Decimal("0.04")},
    ]
    assert merge.merge(entity, {"pricingBands": bands}, PRICING).changes == {}
    bands[1]["unitPrice"] = Decimal("0.03")
    changed = merge.merge(entity, {"pricingBands": bands}, PRICING)
    assert list(changed.changes) == ["pricingBands"]
    assert [band["id"] for band in changed.body["pricingBands"]] == ["1", "2"]
    assert changed.body["pricingBands"][1]["unitPrice"] == Decimal("0.03")


def test_a_new_body_leaves_out_what_is_empty() -> None:
    assert merge.creation(
        {"a": None, "b": {"c": None}, "d": {"e": 1, "f": None}, "g": False, "h": 0, "i": []}
    ) == {
        "d": {"e": 1},
        "g": False,
        "h": 0,
    }


MONEY = st.decimals(min_value=0, max_value=10**9, places=2)


@given(MONEY, MONEY)
def test_an_update_applied_needs_no_second_one(before: Decimal, after: Decimal) -> None:
    entity = {"id": "x", "version": 1, "amount": before, "productIds": ["p"]}
    desired = {"amount": after, "amountPrePaid": after, "productIds": None}
    first = merge.merge(entity, desired, COMMITMENT)
    assert first.body["amount"] == after
    assert merge.merge({**first.body, "id": "x", "version": 2}, desired, COMMITMENT).changes == {}
