"""Verdicts on rows, the errors of both APIs read alike, and the CSV that a Bulk job takes."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce import bulk_csv, rows
from connectors.salesforce.rows import RowResult, Verdict

KEY = "m3ter_Id__c"


def failed(code: str, message: str = "no", fields: tuple[str, ...] = ()) -> RowResult:
    return RowResult("", success=False, code=code, message=message, fields=fields)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("UNABLE_TO_LOCK_ROW", Verdict.RETRY),
        ("SERVER_UNAVAILABLE", Verdict.RETRY),
        ("PROCESSING_HALTED", Verdict.RETRY),
        (rows.UNPROCESSED, Verdict.RETRY),
        ("REQUEST_LIMIT_EXCEEDED", Verdict.RETRY_LATER),
        ("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", Verdict.RETRY_LATER),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", Verdict.REFUSED),
        ("INVALID_FIELD", Verdict.REFUSED),
        ("STORAGE_LIMIT_EXCEEDED", Verdict.REFUSED),
        ("A_CODE_OF_NEXT_YEAR", Verdict.REFUSED),
    ],
)
def test_the_code_tells_what_to_do(code: str, verdict: Verdict) -> None:
    assert rows.classify(failed(code)) is verdict


def test_a_row_that_went_well_is_well() -> None:
    assert rows.classify(RowResult("a00", success=True)) is Verdict.OK


def test_a_parent_that_is_missing_is_told_from_a_field_that_is() -> None:
    missing = "Foreign key external ID: acc-1 not found for field m3ter_Id__c in entity m3ter_Account__c"
    twice = (
        "Foreign key external ID: acc-1 matches more than one record for field m3ter_Id__c in entity Account"
    )
    assert rows.classify(failed("INVALID_FIELD", missing)) is Verdict.PARENT_MISSING
    assert rows.classify(failed("INVALID_FIELD", twice)) is Verdict.REFUSED


def test_a_duplicate_of_the_key_is_worth_a_retry_and_of_another_field_is_not() -> None:
    by_key = failed("DUPLICATE_VALUE", "duplicate value found: m3ter_Id__c duplicates value on record a00")
    other = failed("DUPLICATE_VALUE", "duplicate value found: Code__c duplicates value on record a00")
    assert rows.classify(by_key, KEY) is Verdict.RETRY
    assert rows.classify(by_key) is Verdict.REFUSED
    assert rows.classify(other, KEY) is Verdict.REFUSED


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
         ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",))),
        ("INVALID:two:A__c B__c --", ("INVALID", "two", ("A__c", "B__c"))),
        ("INVALID:two:A__c,B__c --", ("INVALID", "two", ("A__c", "B__c"))),
        ("UNABLE_TO_LOCK_ROW:unable: 001:--", ("UNABLE_TO_LOCK_ROW", "unable: 001", ())),
        ("DUPLICATE_VALUE:of record: a00", ("DUPLICATE_VALUE", "of record: a00", ())),
        ("it broke", (rows.UNEXPLAINED, "it broke", ())),
        ("", (rows.UNEXPLAINED, "Salesforce gives no reason.", ())),
    ],
)  # fmt: skip
def test_the_error_of_a_bulk_row_is_taken_apart(said: str, read: Any) -> None:
    assert rows.of_sf_error(said) == read


def test_several_errors_of_a_row_are_all_told() -> None:
    errors = [
        {"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Name"]},
        {"statusCode": "X", "message": "also", "fields": ["Name", "Code__c"]},
    ]
    assert rows.of_errors(errors) == ("STRING_TOO_LONG", "too long; also", ("Name", "Code__c"))


async def table(records: list[dict[str, Any]], **more: Any) -> tuple[int, bytes]:
    async with bulk_csv.sheet_of(records, **more) as sheet:
        content = b"".join([chunk async for chunk in sheet.content().chunks()])
        assert len(content) == sheet.size
        return sheet.rows, content


async def test_csv_says_what_json_would() -> None:
    record = {
        KEY: "a",
        "Name": 'Zoë "Z", Ltd\nline\r\nlast\rone ✓',
        "Formula__c": "=1+1",
        "Padded__c": " x ",
        "Amount__c": Decimal("1E+2"),
        "Small__c": Decimal("0.000000001"),
        "Open__c": True,
        "Version__c": 7,
        "Gone__c": None,
        "Empty__c": "",
        "Parent__r": {"attributes": {"type": "P__c"}, "m3ter_Id__c": "p1"},
    }
    count, content = await table([record])
    assert count == 1
    header, row = csv.reader(io.StringIO(content.decode(), newline=""))
    assert dict(zip(header, row, strict=True)) == {
        KEY: "a",
        "Name": 'Zoë "Z", Ltd\nline\r\nlast\rone ✓',
        "Formula__c": "=1+1",
        "Padded__c": " x ",
        "Amount__c": "100",
        "Small__c": "0.000000001",
        "Open__c": "true",
        "Version__c": "7",
        "Gone__c": "#N/A",
        "Empty__c": "#N/A",
        "Parent__r.m3ter_Id__c": "p1",
    }
    assert content.endswith(b"\n")
    assert not content.split(b"\n")[0].endswith(b"\r")
    assert b'"Zo\xc3\xab ""Z"", Ltd\nline\r\nlast\rone' in content


async def test_a_field_that_a_record_does_not_have_stays_as_it_is() -> None:
    _, content = await table([{KEY: "a", "Name": "x"}, {KEY: "b"}, {KEY: "c", "Name": None}])
    assert content.decode().splitlines() == [f"{KEY},Name", "a,x", "b,", "c,#N/A"]


async def test_a_parent_taken_away_is_emptied_with_or_without_a_column_of_its_key() -> None:
    _, content = await table([{KEY: "a", "P__r": {"K__c": "1"}}, {KEY: "b", "P__r": None}, {KEY: "c"}])
    assert content.decode().splitlines() == [f"{KEY},P__r.K__c", "a,1", "b,#N/A", "c,"]
    _, content = await table([{KEY: "b", "P__r": None}, {KEY: "c"}])
    assert content.decode().splitlines() == [f"{KEY},P__c", "b,#N/A", "c,"]


async def test_a_sheet_ends_before_the_limit_and_says_how_many_it_took() -> None:
    records = [{KEY: f"{number:04}", "Name": "é" * 10} for number in range(100)]
    taken, content = await table(records, max_bytes=1000)
    assert 0 < taken < 100
    assert 1000 - 26 < len(content) <= 1000
    assert len(content.splitlines()) == taken + 1
    with pytest.raises(ValueError, match="alone"):
        await table(records, max_bytes=20)


async def test_a_text_that_reads_as_null_is_not_sent_as_csv() -> None:
    assert not bulk_csv.can_say({KEY: "a", "Name": "#N/A"})
    assert not bulk_csv.can_say({KEY: "a", "P__r": {"K__c": "#N/A"}})
    assert bulk_csv.can_say({KEY: "a", "Name": "#N/A ", "P__r": {"K__c": "k"}, "X__c": None})
    with pytest.raises(ValueError, match="#N/A"):
        await table([{KEY: "a", "Name": "#N/A"}])


def test_what_bulk_has_no_room_for_is_not_sent_as_csv() -> None:
    full = "x" * 32_000
    assert bulk_csv.can_say({KEY: "a"} | {f"F{n}__c": full for n in range(12)})
    assert not bulk_csv.can_say({KEY: "a", "Lines__c": full + "x"})
    assert not bulk_csv.can_say({KEY: "a", "Lines__c": "\N{TANGERINE}" * 16_000 + "x"})
    assert not bulk_csv.can_say({KEY: "a"} | {f"F{n}__c": full for n in range(13)})
