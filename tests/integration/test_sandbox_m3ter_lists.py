"""What the lists of the emulated m3ter give: pages, filters, what is active, bills with and without lines."""

from decimal import Decimal

import pytest

from connectors.sandbox.m3ter.organization import Organization
from tests import m3ter_examples
from tests.m3ter_calls import Caller, every

EXAMPLES = m3ter_examples.EXAMPLES


@pytest.fixture
def ids(caller: Caller) -> m3ter_examples.Ids:
    return m3ter_examples.create_all(caller.organization)


def accounts(organization: Organization, count: int) -> list[str]:
    rows = [{"name": "x", "code": f"c{number}", "emailAddress": "x@example.com"} for number in range(count)]
    return [one["id"] for one in organization.load("Account", rows)]


@pytest.mark.parametrize(
    "query", ["ids={0}&ids={2}", "ids={0},{2}", "codes=c0&codes=c2", "codes=c0,c2,nothing"]
)
async def test_lists_of_values_come_repeated_or_joined_by_commas(caller: Caller, query: str) -> None:
    made = accounts(caller.organization, 4)
    page = await caller.get("accounts?" + query.format(*made))
    assert [one["id"] for one in page["data"]] == [made[2], made[0]]


async def test_the_last_page_has_no_token_and_no_page_follows_an_exact_end(caller: Caller) -> None:
    made = accounts(caller.organization, 6)
    first = await caller.get("accounts", pageSize=3)
    second = await caller.get("accounts", pageSize=3, nextToken=first["nextToken"])
    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert "nextToken" not in second


async def test_the_largest_page_is_the_documented_one(caller: Caller) -> None:
    for path, largest in (("accounts", 100), ("products", 200), ("externalmappings", 200), ("bills", 100)):
        await caller.get(path, pageSize=largest)
        assert caller.status == 200
        await caller.get(path, pageSize=largest + 1)
        assert caller.status == 400


async def test_a_filtered_list_may_have_empty_pages_that_go_on(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    bills = caller.organization.load(
        "Bill", [m3ter_examples.bill(ids, locked=number < 2) for number in range(12)]
    )
    first = await caller.get("bills", locked="true", pageSize=5)
    assert first["data"] == []
    assert "nextToken" in first
    found = await every(caller, "bills", locked="true", pageSize=5)
    assert [one["id"] for one in found] == [bills[1]["id"], bills[0]["id"]]


async def test_empty_pages_can_be_asked_for(caller: Caller) -> None:
    made = accounts(caller.organization, 7)
    caller.organization.behaviour.empty_page_every = 2
    first = await caller.get("accounts", pageSize=3)
    second = await caller.get("accounts", pageSize=3, nextToken=first["nextToken"])
    assert (len(first["data"]), second["data"]) == (3, [])
    caller.organization.lists_served = 1
    assert [one["id"] for one in await every(caller, "accounts", pageSize=3)] == made[::-1]


async def test_account_plans_are_the_active_ones_unless_all_are_asked_for(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    active = ids["AccountPlan"]
    ended = EXAMPLES["AccountPlan"](ids) | {"code": "old", "startDate": "2025-01-01T00:00:00Z"}
    old = caller.organization.create("AccountPlan", ended | {"endDate": "2025-06-01T00:00:00Z"})["id"]
    account = {"account": ids["Account"]}

    async def listed(**query: str) -> list[str]:
        return [one["id"] for one in await every(caller, "accountplans", **query)]

    assert await listed() == [active]
    assert await listed(includeall="true") == [active]  # without account, plan or contract it has no effect
    assert await listed(**account) == [active]
    assert await listed(**account, includeall="true") == [old, active]
    assert await listed(contract=ids["Contract"], includeall="true") == [old, active]
    assert await listed(**account, date="2025-02-01") == [old]
    assert await listed(**account, product=ids["Product"]) == [active]
    assert await listed(ids=old) == []


async def test_commitments_are_filtered_by_product_contract_and_dates(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    first = ids["Commitment"]
    body = EXAMPLES["Commitment"](ids) | {
        "startDate": "2027-01-01",
        "endDate": "2028-01-01",
        "productIds": [],
    }
    del body["contractId"]
    second = caller.organization.create("Commitment", body)["id"]

    async def listed(**query: str) -> list[str]:
        return [one["id"] for one in await every(caller, "commitments", **query)]

    assert await listed(accountId=ids["Account"]) == [second, first]
    assert await listed(productId=ids["Product"]) == [first]
    assert await listed(contractId=ids["Contract"]) == [first]
    assert await listed(date="2026-12-31") == [first]
    assert await listed(date="2027-01-01") == [second]
    assert await listed(endDateStart="2027-01-01", endDateEnd="2028-01-01") == [first]


async def test_balances_that_roll_over_end_when_their_grace_period_ends(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    body = EXAMPLES["Balance"](ids) | {"code": "b", "rolloverAmount": None, "contractId": None}
    plain = caller.organization.create("Balance", body)["id"]

    async def listed(**query: str) -> list[str]:
        return [one["id"] for one in await every(caller, "balances", **query)]

    assert await listed(endDateEnd="2027-02-01") == [plain]
    assert await listed(endDateStart="2027-02-01") == [ids["Balance"]]
    assert await listed(accountId=ids["Account"], contractId="") == [plain]
    assert await listed(contractId=ids["Contract"]) == [ids["Balance"]]


async def test_bills_come_with_lines_and_without_total_unless_asked(
    caller: Caller, ids: m3ter_examples.Ids
) -> None:
    [plain] = await every(caller, "bills")
    [asked] = await every(caller, "bills", excludeLineItems="true", includeBillTotal="true")
    whole = await caller.get(f"bills/{ids['Bill']}")
    assert (len(plain["lineItems"]), "billTotal" in plain) == (2, False)
    assert ("lineItems" in asked, asked["billTotal"]) == (False, Decimal("101.33"))
    assert (len(whole["lineItems"]), whole["billTotal"]) == (2, Decimal("101.33"))
    for query, count in (
        ({"billDate": "2026-02-01"}, 1),
        ({"billDateEnd": "2026-02-01"}, 0),
        ({"status": "APPROVED"}, 0),
    ):
        assert len(await every(caller, "bills", **query)) == count


async def test_a_locked_bill_never_changes(caller: Caller, ids: m3ter_examples.Ids) -> None:
    path = f"bills/{ids['Bill']}"
    await caller.put(f"{path}/lock")
    assert caller.status == 400
    approved = await caller.put(f"{path}/status", {"status": "APPROVED"})
    locked = await caller.put(f"{path}/lock")
    assert (approved["version"], locked["version"], locked["locked"]) == (2, 3, True)
    await caller.put(f"{path}/status", {"status": "PENDING"})
    assert caller.status == 400
    await caller.delete(path)
    assert caller.status == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"searchQuery": "code:c1"}, ["c1"]),
        ({"searchQuery": "codes:c1,c3"}, ["c3", "c1"]),
        ({"searchQuery": "name~xy$code:c1", "operator": "OR"}, ["c1"]),
        ({"searchQuery": "name:x$code:c2"}, ["c2"]),
        (
            {"searchQuery": "dtCreated>2020-01-01", "sortBy": "code", "sortOrder": "ASC", "pageSize": 2},
            ["c0", "c1"],
        ),
        ({"fromDocument": 2, "pageSize": 2}, ["c1", "c0"]),
        ({"searchQuery": "dtCreated<2020-01-01"}, []),
    ],
)
async def test_accounts_are_searched(caller: Caller, query: dict[str, str], found: list[str]) -> None:
    accounts(caller.organization, 4)
    answer = await caller.get("accounts/search", **query)
    assert [one["code"] for one in answer["data"]] == found
    assert "nextToken" not in answer


@pytest.mark.parametrize(
    "query", ["searchQuery=shoe:4", "searchQuery=name", "operator=XOR", "fromDocument=-1"]
)
async def test_a_wrong_search_is_refused(caller: Caller, query: str) -> None:
    await caller.get(f"accounts/search?{query}")
    assert caller.status == 400


async def test_an_external_id_may_hold_any_character(caller: Caller, ids: m3ter_examples.Ids) -> None:
    body = EXAMPLES["ExternalMapping"](ids) | {"externalId": "a/b c%2F?é"}
    made = await caller.post("externalmappings", body)
    found = await caller.get("externalmappings/externalid/Salesforce/Account/a%2Fb%20c%252F%3F%C3%A9")
    assert found["data"] == [made]
    listed = await every(caller, "externalmappings", externalSystemId="Salesforce", m3terIds=ids["Account"])
    assert len(listed) == 2
