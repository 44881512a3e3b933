"""A value hashes alike as it is written and as its change event tells it, and unlike any other value."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon import fingerprints


def written(value: object, name: str = "Field") -> str:
    return fingerprints.of("Account", {name: value})[name.lower()]


def told(value: object, name: str = "Field") -> str | None:
    return fingerprints.of_event("Account", {name: value})[name.lower()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, Decimal("5.00")),
        (Decimal("1E+2"), 100),
        (0, Decimal("-0.0")),
        (1.5, Decimal("1.50")),
        ("", None),
        ("  ", None),
        (" Acme ", "Acme"),
        ("two\r\nlines", "two\nlines"),
        (date(2026, 11, 21), "2026-11-21"),
        ("2026-11-21T10:00:00.000+0000", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00Z"),
        (datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T10:00:00.000Z"),
        ("001D000000IqhSL", "001D000000IqhSLIAZ"),
        ("9999-12-31T23:59:59-08:00", " 9999-12-31T23:59:59-08:00"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00 "),
    ],
)
def test_one_value_however_written_is_one(one: object, other: object) -> None:
    assert written(one) == told(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, "5"),
        (1, True),
        (0, False),
        (0, None),
        (False, None),
        ("None", None),
        ("nothing", None),
        ("acme", "Acme"),
        ("a b", "a  b"),
        (Decimal(5), Decimal("5.0000000000000000000000000000000001")),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z"),
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        ("001D000000IqhSL", "001D000000IqhSl"),
    ],
)
def test_values_that_differ_hash_differently(one: object, other: object) -> None:
    assert written(one) != told(other)


def test_the_same_value_in_another_field_or_object_hashes_differently() -> None:
    assert written("Acme", "Name") != written("Acme", "Site")
    assert fingerprints.of("Lead", {"Name": "Acme"}) != fingerprints.of("Account", {"Name": "Acme"})


def test_names_are_compared_without_case() -> None:
    assert fingerprints.of("Account", {"NAME": "Acme"}) == fingerprints.of_event("Account", {"Name": "Acme"})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            {"BillingAddress": {"Street": "1 Quay", "City": None}},
            {"BillingStreet": "1 Quay", "BillingCity": ""},
        ),
        ({"Address": {"PostalCode": "EH1"}}, {"PostalCode": "EH1"}),
        ({"Name": {"FirstName": "Ada", "LastName": "Byron"}}, {"FirstName": "Ada", "LastName": "Byron"}),
        ({"Name": "Acme"}, {"Name": "Acme"}),
        (
            {"Depot__c": {"Latitude": Decimal("55.9"), "Longitude": -3}},
            {"Depot__Latitude__s": Decimal("55.90"), "Depot__Longitude__s": Decimal(-3)},
        ),
    ],
)
def test_the_parts_of_compound_fields_have_the_names_that_writes_use(
    body: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert fingerprints.of_event("Account", body) == fingerprints.of("Account", fields)


def test_a_difference_of_large_text_equals_nothing_that_could_be_written() -> None:
    difference = {"Description": {"diff": "--- \n+++ 00\n@@ -1 +1 @@\n"}}
    assert fingerprints.of_event("Account", difference) == {"description": None}


def test_the_header_names_the_parts_of_compound_fields_alike() -> None:
    body = {"BillingAddress": {"Street": "1 Quay"}, "Name": {"LastName": "Byron"}, "Type": None}
    named = fingerprints.names(["BillingAddress.Street", "Name", "Type", "Site"], body)
    assert named == {"billingstreet", "lastname", "type", "site"}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(0, 12))
def test_a_number_is_itself_with_any_zeros_behind_it(number: Decimal, zeros: int) -> None:
    text = f"{number:f}"
    assert written(number) == told(Decimal(text + "0" * zeros))


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_hash_alike_when_they_are_equal_and_only_then(one: Decimal, other: Decimal) -> None:
    assert (written(one) == told(other)) is (one == other)


@given(st.dates(date(1000, 1, 2), date(9999, 12, 30)), st.times(), st.integers(-14 * 4, 14 * 4))
def test_an_instant_is_itself_in_every_zone(day: date, at: time, quarters: int) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    moment = datetime.combine(day, at.replace(microsecond=0), UTC)
    assert written(moment.isoformat()) == told(moment.astimezone(zone).isoformat())


# Texts that anybody may type into a field, and that look like an instant from any year and zone.
INSTANTS = st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?\Z")


@given(st.text() | INSTANTS)
@example("9999-12-31T23:59:59-08:00")
@example("0001-01-01T00:00:00+01:00")
def test_any_text_hashes(text: str) -> None:
    assert written(text) == told(f" {text}\n")
