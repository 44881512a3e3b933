"""What the sandbox's Salesforce refuses to store or to answer, with Salesforce's codes and bodies."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.salesforce_calls import Salesforce, V, agreement, logged_in
from tests.sandboxes import LocalSandbox

WON = {"Name": "x", "StageName": "Closed Won", "CloseDate": "2026-11-01"}
STRANGER = "001000000000001AAA"


@pytest.fixture
async def client(empty_sandbox: LocalSandbox) -> AsyncIterator[Salesforce]:
    empty_sandbox.running.org.schema.declare(
        {
            "Account": {
                "fields": {
                    "Ref__c": {"type": "string", "length": 10, "external_id": True, "unique": True},
                    "Tier__c": {"type": "picklist", "values": ["Gold"], "restricted": True},
                    "Rate__c": {"type": "double", "precision": 5, "scale": 2},
                }
            }
        }
    )
    async with logged_in(empty_sandbox) as salesforce:
        yield salesforce


CASES: list[tuple[str, dict[str, Any], tuple[str, str, list[str] | None]]] = [
    (
        "Account",
        {},
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
    ),
    (
        "Account",
        {"Name": " "},
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
    ),
    (
        "Account",
        {"Name": None},
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
    ),
    (
        "Opportunity",
        {"Name": "x"},
        ("REQUIRED_FIELD_MISSING", "[StageName, CloseDate]", ["StageName", "CloseDate"]),
    ),
    (
        "Account",
        {"Name": "x" * 256},
        ("STRING_TOO_LONG", "(max length=255)", ["Name"]),
    ),
    (
        "Account",
        {"Nam": "x"},
        ("INVALID_FIELD", "No such column 'Nam' on sobject of type Account", None),
    ),
    (
        "Account",
        {"Name": 5},
        ("JSON_PARSER_ERROR", "instance of string from VALUE_NUMBER_INT value 5", None),
    ),
    (
        "Account",
        {"Name": ["x"]},
        ("JSON_PARSER_ERROR", "instance of string from START_ARRAY", None),
    ),
    (
        "Account",
        {"Name": "x", "Id": STRANGER},
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id", ["Id"]),
    ),
    (
        "Account",
        {"Name": "x", "CreatedDate": "2026-01-01T00:00:00Z", "IsDeleted": True},
        (
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: CreatedDate, IsDeleted. Please check",
            ["CreatedDate", "IsDeleted"],
        ),
    ),
    (
        "Account",
        {"Name": "x", "Tier__c": "Tin"},
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ": Tin", ["Tier__c"]),
    ),
    (
        "Account",
        {"Name": "x", "NumberOfEmployees": Decimal("1.5")},
        ("JSON_PARSER_ERROR", "of int", None),
    ),
    (
        "Account",
        {"Name": "x", "Rate__c": 1000},
        ("NUMBER_OUTSIDE_VALID_RANGE", "outside of valid range", ["Rate__c"]),
    ),
    (
        "Account",
        {"Name": "x", "ParentId": "hello"},
        ("MALFORMED_ID", "incorrect type: hello", ["ParentId"]),
    ),
    (
        "Account",
        {"Name": "x", "ParentId": "006000000000001AAA"},
        ("MALFORMED_ID", "incorrect type", ["ParentId"]),
    ),
    (
        "Account",
        {"Name": "x", "ParentId": STRANGER},
        ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []),
    ),
    (
        "Contact",
        {"LastName": "x", "Email": "no"},
        ("INVALID_EMAIL_ADDRESS", "invalid email address: no", ["Email"]),
    ),
    (
        "Opportunity",
        {**WON, "CloseDate": "1/2/26"},
        ("JSON_PARSER_ERROR", "instance of date", None),
    ),
    (
        "Opportunity",
        {**WON, "CloseDate": "2026-02-30"},
        ("JSON_PARSER_ERROR", "instance of date", None),
    ),
    (
        "Opportunity",
        {**WON, "Amount": "much"},
        ("JSON_PARSER_ERROR", "of double from VALUE_STRING value much", None),
    ),
    (
        "Opportunity",
        {**WON, "IsWon": True},
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "IsWon", ["IsWon"]),
    ),
    (
        "Product2",
        {"Name": "x", "IsActive": None},
        ("INVALID_TYPE_ON_FIELD_IN_RECORD", "null", ["IsActive"]),
    ),
    (
        "Product2",
        {"Name": "x", "IsActive": "yes"},
        ("JSON_PARSER_ERROR", "instance of boolean", None),
    ),
]


@pytest.mark.parametrize(("object_name", "fields", "refused"), CASES)
async def test_a_wrong_record_is_refused_and_not_stored(
    client: Salesforce, object_name: str, fields: Any, refused: tuple[str, str, list[str] | None]
) -> None:
    code, message, blamed = refused
    answer = await client.call("POST", f"sobjects/{object_name}", fields)
    assert (answer.status, answer.code) == (400, code)
    assert message in answer.message
    assert answer.body[0].get("fields") == blamed
    assert (await client.query(f"SELECT COUNT() FROM {object_name}")).body["totalSize"] == 0


async def test_a_line_needs_a_price_and_keeps_its_opportunity(client: Salesforce) -> None:
    ids = agreement(client.org)
    line = {"OpportunityId": ids["opportunity"], "PricebookEntryId": ids["entry"], "Quantity": 1}
    answer = await client.call("POST", "sobjects/OpportunityLineItem", line)
    assert answer.message == "Required fields are missing: [UnitPrice]"
    moved = await client.call("PATCH", f"sobjects/OpportunityLineItem/{ids['line']}", line)
    assert moved.code == "INVALID_FIELD_FOR_INSERT_UPDATE"


async def test_a_deleted_parent_is_refused(client: Salesforce) -> None:
    ids = agreement(client.org)
    client.org.delete("Account", ids["account"])
    answer = await client.call("POST", "sobjects/Opportunity", {**WON, "AccountId": ids["account"]})
    assert (answer.status, answer.code) == (404, "ENTITY_IS_DELETED")


async def test_a_unique_value_is_kept_once_in_whatever_case(client: Salesforce) -> None:
    first = await client.create("Account", Name="a", Ref__c="R-1")
    second = await client.create("Account", Name="b", Ref__c="R-2")
    for method, path in (("POST", "sobjects/Account"), ("PATCH", f"sobjects/Account/{second}")):
        answer = await client.call(method, path, {"Name": "c", "Ref__c": "r-1"})
        assert (answer.status, answer.code) == (400, "DUPLICATE_VALUE")
        assert answer.message == f"duplicate value found: Ref__c duplicates value on record with id: {first}"
    client.org.delete("Account", first)
    assert (await client.call("PATCH", f"sobjects/Account/{second}", {"Ref__c": "R-1"})).status == 204


async def test_an_update_names_no_id_and_a_known_record(client: Salesforce) -> None:
    record_id = await client.create("Account", Name="a")
    answer = await client.call("PATCH", f"sobjects/Account/{record_id}", {"Id": record_id})
    assert (answer.status, answer.code) == (400, "INVALID_FIELD")
    answer = await client.call("PATCH", f"sobjects/Account/{STRANGER}", {"Name": "b"})
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "sobjects/Nothing", 404, "NOT_FOUND"),
        ("GET", "sobjects/Nothing/describe", 404, "NOT_FOUND"),
        ("GET", "nothing", 404, "NOT_FOUND"),
        ("GET", "/services/data/v30.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v99.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/latest/limits", 404, "NOT_FOUND"),
        ("PUT", "sobjects/Account", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "limits", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "query", 400, "MALFORMED_QUERY"),
        ("GET", "query/01gS90000010001IAA-2000", 400, "INVALID_QUERY_LOCATOR"),
        ("GET", "sobjects/Account/Name/x", 404, "NOT_FOUND"),
        ("GET", f"sobjects/Account/{STRANGER}?fields=Nam", 404, "NOT_FOUND"),
        ("POST", "sobjects/Account", 400, "JSON_PARSER_ERROR"),
        ("GET", "query?q=" + "x" * 16_384, 414, "URI_TOO_LONG"),
        (
            "GET",
            "query?q=SELECT+Id+FROM+Account+WHERE+Name+IN+('" + "x" * 16_250 + "')",
            431,
            "REQUEST_HEADER_TOO_LARGE",
        ),
    ],
)
async def test_a_resource_that_is_not_there_is_refused(
    client: Salesforce, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.call(method, path)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("body", [b"{bad", b"[1,", b"\xff\xfe", b'{"Name": NaN}', b"[" * 100_000, b'"text"'])
async def test_a_body_that_is_no_json_object_is_refused(client: Salesforce, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.http.post(f"{client.url}{V}/sobjects/Account", data=body, headers=headers) as response:
        assert response.status == 400
        assert "JSON_PARSER_ERROR" in await response.text()


async def test_another_content_type_is_refused(client: Salesforce) -> None:
    answer = await client.call("POST", "sobjects/Account", {"Name": "x"}, Content_Type="text/plain")
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_calls_are_counted_and_end_at_the_daily_limit(
    client: Salesforce, empty_sandbox: LocalSandbox
) -> None:
    answer = await client.get("limits")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    assert answer.body["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_999}
    await empty_sandbox.salesforce_control.call("POST", "org/limit", {"max": 10, "used": 9})
    assert (await client.get("limits")).headers["Sforce-Limit-Info"] == "api-usage=10/10"
    refused = await client.get("limits")
    assert (refused.status, refused.code) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert refused.message == "TotalRequests Limit exceeded."
    await empty_sandbox.salesforce_control.advance_clock(60 * 60 * 24)
    async with logged_in(empty_sandbox) as tomorrow:
        assert (await tomorrow.get("limits")).status == 200
