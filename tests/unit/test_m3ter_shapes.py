"""The shipped request shapes equal m3ter's own description; kinds know their place."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.m3ter.models import EntityKind, M3terCredential
from connectors.m3ter.shapes import REQUEST_FIELDS, FieldShape, shapes
from tests import openapi as openapi_description

WRITABLE = [kind for kind in EntityKind if kind is not EntityKind.BILL]


@pytest.fixture(scope="module")
def openapi() -> Any:
    return json.loads(openapi_description.path().read_text())


def flat(schemas: Any, schema: Any) -> dict[str, Any]:
    """A schema with its references and allOf parts merged."""
    merged: dict[str, Any] = {"properties": {}, "required": set()}
    parts = [schemas[schema["$ref"].rsplit("/", 1)[1]]] if "$ref" in schema else []
    for part in [flat(schemas, part) for part in [*parts, *schema.get("allOf", ())]] + [schema]:
        properties = {**merged["properties"], **part.get("properties", {})}
        required = merged["required"] | set(part.get("required", ()))
        merged = {**merged, **part, "properties": properties, "required": required}
    return merged


def assert_same(ours: FieldShape, schemas: Any, schema: Any, where: str) -> None:
    theirs = flat(schemas, schema)
    assert (ours.min_length, ours.max_length) == (theirs.get("minLength"), theirs.get("maxLength")), where
    assert (ours.minimum, ours.maximum) == (theirs.get("minimum"), theirs.get("maximum")), where
    assert (ours.min_items, ours.max_items) == (theirs.get("minItems"), theirs.get("maxItems")), where
    assert ours.choices == tuple(theirs.get("enum", ())), where
    assert ours.exclusive_minimum == bool(theirs.get("exclusiveMinimum")), where
    if ours.type in ("object", "map"):
        assert theirs["type"] == "object", where
    elif ours.type in ("date", "date-time", "email"):
        assert (theirs["type"], theirs["format"]) == ("string", ours.type), where
    else:
        assert ours.type == theirs["type"], where
    if ours.items is not None:
        assert_same(ours.items, schemas, theirs["items"], f"{where}[]")
    assert_same_fields(ours.fields, schemas, theirs, where)


def assert_same_fields(fields: Any, schemas: Any, schema: Any, where: str) -> None:
    assert set(fields) == set(schema["properties"]), where
    assert {name for name, field in fields.items() if field.required} == schema["required"], where
    for name, field in fields.items():
        assert_same(field, schemas, schema["properties"][name], f"{where}.{name}")


@pytest.mark.parametrize("kind", WRITABLE)
def test_the_fields_of_a_kind_are_those_of_the_description(kind: EntityKind, openapi: Any) -> None:
    schemas = openapi["components"]["schemas"]
    assert_same_fields(shapes()[kind].fields, schemas, flat(schemas, schemas[f"{kind}Request"]), kind)


@pytest.mark.parametrize("kind", EntityKind)
def test_a_kind_knows_its_path_and_its_largest_page(kind: EntityKind, openapi: Any) -> None:
    parameters = openapi["paths"][f"/organizations/{{orgId}}/{kind.path}"]["get"]["parameters"]
    sizes = [each["schema"]["maximum"] for each in parameters if each.get("name") == "pageSize"]
    assert sizes == [kind.page_size]


def test_fields_are_found_by_path() -> None:
    account, pricing = shapes()[EntityKind.ACCOUNT], shapes()[EntityKind.PRICING]
    region, price = account.find("address.region"), pricing.find("pricingBands.unitPrice")
    assert region is not None
    assert region.max_length == 50
    assert price is not None
    assert price.required
    assert account.find("customFields.salesforceId") is not None
    assert account.find("address.planet") is None
    assert account.find("name.first") is None


def test_an_update_may_carry_version_and_custom_fields_but_not_what_is_read_only() -> None:
    assert {"version", "customFields", "code"} <= REQUEST_FIELDS[EntityKind.ACCOUNT]
    assert not {"id", "dtCreated", "createdBy"} & REQUEST_FIELDS[EntityKind.ACCOUNT]
    assert "amountSpent" not in REQUEST_FIELDS[EntityKind.COMMITMENT]
    assert EntityKind.BILL not in REQUEST_FIELDS


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"org_id": ""}, "at least 1 character"),
        ({"org_id": "../other"}, "match pattern"),
        ({"api_key": "key:hush"}, "no colon"),
        ({"api_secret": "  "}, "it is empty"),
        ({"url": "http://api.m3ter.com"}, "in the clear"),
    ],
)
def test_a_bad_credential_says_why(given: dict[str, str], why: str) -> None:
    values = {"org_id": "1-2", "api_key": "k", "api_secret": "s", **given}
    with pytest.raises(ValidationError, match=why):
        M3terCredential.model_validate(values)


def test_a_summary_holds_no_secret() -> None:
    credential = M3terCredential.model_validate({"org_id": "1-2", "api_key": "k", "api_secret": "hush"})
    assert credential.summary() == {"url": "https://api.m3ter.com", "org_id": "1-2", "api_key": "k"}
    assert "hush" not in repr(credential)
