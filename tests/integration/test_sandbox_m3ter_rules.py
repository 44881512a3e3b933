"""What the emulated m3ter refuses because of its other entities: overlaps, references, codes, periods."""

from typing import Any

import pytest

from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples
from tests.m3ter_calls import Caller

NOBODY = "00000000-0000-0000-0000-000000000000"
EXAMPLES = m3ter_examples.EXAMPLES


@pytest.fixture
def ids(caller: Caller) -> m3ter_examples.Ids:
    return m3ter_examples.create_all(caller.organization)


def second_product(organization: Organization) -> dict[str, str]:
    product = organization.create("Product", {"name": "Seats", "code": "SEATS"})["id"]
    template = EXAMPLES["PlanTemplate"]({"Product": product}) | {"code": "SEATS"}
    template_id = organization.create("PlanTemplate", template)["id"]
    plan = {"planTemplateId": template_id, "name": "Seats", "code": "seats"}
    return {"Product": product, "Plan": organization.create("Plan", plan)["id"]}


@pytest.mark.parametrize(
    ("period", "products", "overlaps"),
    [
        (("2026-06-01", "2026-07-01"), "same", True),
        (("2025-01-01", "2026-01-02"), "same", True),
        (("2026-12-31", "2028-01-01"), "all", True),
        (("2027-01-01", "2028-01-01"), "same", False),  # end dates are exclusive
        (("2025-01-01", "2026-01-01"), "all", False),
        (("2026-06-01", "2026-07-01"), "other", False),
    ],
)
async def test_commitments_of_an_account_may_not_overlap_for_a_product(
    caller: Caller, ids: m3ter_examples.Ids, period: tuple[str, str], products: str, *, overlaps: bool
) -> None:
    other = second_product(caller.organization)["Product"]
    chosen = {"same": [ids["Product"], other], "other": [other], "all": []}[products]
    body = EXAMPLES["Commitment"](ids) | {"startDate": period[0], "endDate": period[1], "productIds": chosen}
    del body["contractId"]
    answer = await caller.post("commitments", body)
    if overlaps:
        message = f"Commitment would overlap with existing Commitment {ids['Commitment']}"
        assert (caller.status, answer) == (400, {"message": message})
    else:
        assert caller.status == 200, answer


async def test_an_update_may_not_bring_an_overlap_about_but_does_not_overlap_with_itself(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    body = EXAMPLES["Commitment"](ids) | {"startDate": "2027-01-01", "endDate": "2028-01-01"}
    made = await caller.post("commitments", body)
    await caller.put(f"commitments/{made['id']}", body | {"version": 1, "amount": 5})
    assert caller.status == 200
    answer = await caller.put(f"commitments/{made['id']}", body | {"version": 2, "startDate": "2026-12-31"})
    assert answer["message"] == f"Commitment would overlap with existing Commitment {ids['Commitment']}"


async def test_an_account_has_one_account_plan_for_a_product_at_a_time(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    body = {"accountId": ids["Account"], "planId": ids["Plan"], "startDate": "2028-12-31T23:59:59Z"}
    answer = await caller.post("accountplans", body)
    existing, product = ids["AccountPlan"], ids["Product"]
    message = f"AccountPlan would overlap with AccountPlan {existing} for the same product {product}"
    assert (caller.status, answer) == (400, {"message": message})

    await caller.post("accountplans", body | {"startDate": "2029-01-01T00:00:00Z"})
    assert caller.status == 200
    made = await caller.post("accountplans", body | {"planId": second_product(caller.organization)["Plan"]})
    assert caller.status == 200
    assert "endDate" not in made


async def test_an_organization_may_allow_overlapping_plans_of_different_contracts(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    config = await caller.get("organizationconfig")
    audit = ("id", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy")
    wanted = {key: value for key, value in config.items() if key not in audit} | {
        "allowOverlappingPlans": True
    }
    await caller.put("organizationconfig", wanted)
    body = {"accountId": ids["Account"], "planId": ids["Plan"], "startDate": "2026-06-01T00:00:00Z"}
    await caller.post("accountplans", body)
    assert caller.status == 200


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("Contract", {"accountId": NOBODY}, f"accountId: Account with id {NOBODY} does not exist"),
        ("Contract", {"endDate": "2026-01-01"}, "endDate: must be after startDate"),
        ("Commitment", {"productIds": [NOBODY]}, f"productIds: Product with id {NOBODY} does not exist"),
        ("Plan", {"planTemplateId": NOBODY}, f"planTemplateId: PlanTemplate with id {NOBODY} does not exist"),
        ("Pricing", {"aggregationId": NOBODY}, f"aggregationId: Aggregation with id {NOBODY} does not exist"),
        (
            "Pricing",
            {"aggregationId": None},
            "exactly one of aggregationId and compoundAggregationId must be given",
        ),
        ("Pricing", {"planId": None}, "exactly one of planId and planTemplateId must be given"),
        ("AccountPlan", {"planId": None}, "exactly one of planId and planGroupId must be given"),
        ("AccountPlan", {"planGroupId": NOBODY}, f"planGroupId: PlanGroup with id {NOBODY} does not exist"),
        ("Balance", {"endDate": "2025-01-01T00:00:00Z"}, "endDate: must be after startDate"),
        ("ExternalMapping", {"m3terEntity": "Unicorn"}, "m3terEntity: Unicorn cannot be mapped"),
        ("ExternalMapping", {"externalSystem": "Fax"}, "externalSystem: Fax is not configured"),
    ],
)
def test_an_entity_must_fit_its_surroundings(
    caller: Caller, ids: m3ter_examples.Ids, kind: str, change: dict[str, Any], message: str
) -> None:
    body = EXAMPLES[kind](ids) | ({"code": "another"} if "code" in EXAMPLES[kind](ids) else {}) | change
    with pytest.raises(Exception, match=message.replace("(", r"\(")):
        caller.organization.create(kind, body)


@pytest.mark.parametrize("kind", ["Account", "Product", "PlanTemplate", "Plan", "Pricing", "AccountPlan"])
async def test_codes_are_unique_where_that_is_documented(
    caller: Caller, ids: m3ter_examples.Ids, kind: str
) -> None:
    body = EXAMPLES[kind](ids)
    with pytest.raises(Exception, match=f"{kind} with code {body['code']} already exists"):
        caller.organization.create(kind, body)
    assert len(caller.organization.all(kind)) == 1


def test_contracts_may_share_a_code(caller: Caller, ids: m3ter_examples.Ids) -> None:
    caller.organization.create("Contract", EXAMPLES["Contract"](ids))
    assert len(caller.organization.all("Contract")) == 2


async def test_contracts_and_custom_plans_serve_their_own_account_only(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    other = caller.organization.create("Account", EXAMPLES["Account"](ids) | {"code": "other"})["id"]
    body = EXAMPLES["Commitment"](ids) | {"accountId": other}
    refused = await caller.post("commitments", body)
    assert refused["message"] == f"contractId: Contract {ids['Contract']} belongs to another Account"
    plan = {"accountId": other, "planId": ids["Plan"], "startDate": "2026-01-01T00:00:00Z"}
    refused = await caller.post("accountplans", plan)
    assert refused["message"] == f"planId: Plan {ids['Plan']} is a custom Plan of another Account"


async def test_what_is_referred_to_cannot_be_deleted(caller: Caller, ids: m3ter_examples.Ids) -> None:
    for path, kind in (
        ("accounts", "Account"),
        ("plans", "Plan"),
        ("products", "Product"),
        ("contracts", "Contract"),
    ):
        answer = await caller.delete(f"{path}/{ids[kind]}")
        assert caller.status == 400
        assert "is in use by" in answer["message"]
    for path, kind in (("accountplans", "AccountPlan"), ("pricings", "Pricing"), ("plans", "Plan")):
        await caller.delete(f"{path}/{ids[kind]}")
        assert caller.status == 200
        await caller.get(f"{path}/{ids[kind]}")
        assert caller.status == 404


async def test_an_account_cannot_be_its_own_ancestor(caller: Caller) -> None:
    body = EXAMPLES["Account"]({})
    parent = await caller.post("accounts", body)
    child = await caller.post("accounts", body | {"code": "child", "parentAccountId": parent["id"]})
    answer = await caller.put(
        f"accounts/{parent['id']}", body | {"version": 1, "parentAccountId": child["id"]}
    )
    assert answer["message"] == "parentAccountId: an Account cannot be its own ancestor"
