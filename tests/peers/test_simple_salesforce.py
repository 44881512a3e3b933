"""simple-salesforce, a client that knows nothing of the sandbox, logs in, reads and writes there."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from tests.sandboxes import LocalSandbox

T = TypeVar("T")


class Diversion(HTTPAdapter):
    """Brings what is meant for https://anything.salesforce.com to the sandbox, which has no TLS."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert request.url is not None
        request.url = self._base_url + "/" + request.url.split("/", 3)[3]
        return super().send(request, *args, **kwargs)


def client(sandbox: LocalSandbox, **login: Any) -> Any:
    """A client that logged in with the sandbox's credentials, or with `login`."""
    session = requests.Session()
    session.mount("https://", Diversion(sandbox.salesforce["url"]))
    given = {
        "consumer_key": sandbox.salesforce["client_id"],
        "consumer_secret": sandbox.salesforce["client_secret"],
        "domain": "northwind.my",
    }
    return Salesforce(**(login or given), session=session, version="67.0")


async def beside(work: Callable[[Any], T], sandbox: LocalSandbox, **login: Any) -> T:
    """Do the client's blocking work in a thread while the sandbox answers in this one."""

    def run() -> T:
        peer = client(sandbox, **login)
        with peer.session:
            return work(peer)

    return await asyncio.to_thread(run)


async def test_it_creates_reads_changes_upserts_and_deletes(empty_sandbox: LocalSandbox) -> None:
    empty_sandbox.running.org.schema.declare(
        {"Account": {"fields": {"Ext__c": {"type": "string", "length": 20, "external_id": True}}}}
    )

    def work(salesforce: Any) -> None:
        made = salesforce.Account.create({"Name": "Acme", "BillingCity": "Leeds"})
        assert made["success"] is True
        record = salesforce.Account.get(made["id"])
        assert (record["Name"], record["BillingAddress"]["city"]) == ("Acme", "Leeds")
        assert salesforce.Account.update(made["id"], {"Name": "Acme 2", "Ext__c": "A-1"}) == 204
        assert salesforce.Account.get_by_custom_id("Ext__c", "A-1")["Name"] == "Acme 2"
        assert salesforce.Account.upsert("Ext__c/A-1", {"Name": "Acme 3"}) == 200
        assert salesforce.Account.upsert("Ext__c/A-2", {"Name": "Other"}) == 201
        assert salesforce.query("SELECT COUNT() FROM Account")["totalSize"] == 2
        assert salesforce.Account.delete(made["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound):
            salesforce.Account.get(made["id"])
        assert [each["Name"] for each in salesforce.query("SELECT Name FROM Account")["records"]] == ["Other"]
        deleted = salesforce.query("SELECT Id FROM Account WHERE IsDeleted = true", include_deleted=True)
        assert [each["Id"] for each in deleted["records"]] == [made["id"]]

    await beside(work, empty_sandbox)


async def test_it_reads_everything_over_several_pages(empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    wanted = set(org.load("Account", ({"Name": f"A{number}"} for number in range(4500))))

    def work(salesforce: Any) -> None:
        answer = salesforce.query_all("SELECT Id, Name FROM Account")
        assert answer["done"] is True
        assert answer["totalSize"] == 4500
        assert {record["Id"] for record in answer["records"]} == wanted
        assert {record["Id"] for record in salesforce.query_all_iter("SELECT Id FROM Account")} == wanted

    await beside(work, empty_sandbox)


async def test_it_describes_objects_and_reads_limits(sandbox: LocalSandbox) -> None:
    def work(salesforce: Any) -> None:
        names = {each["name"] for each in salesforce.describe()["sobjects"]}
        assert {"Account", "Opportunity", "OpportunityLineItem", "Order", "Product2"} <= names
        fields = {field["name"]: field for field in salesforce.Opportunity.describe()["fields"]}
        assert fields["AccountId"]["referenceTo"] == ["Account"]
        assert salesforce.Account.metadata()["objectDescribe"]["keyPrefix"] == "001"
        assert salesforce.limits()["DailyApiRequests"]["Max"] == 100_000
        usage = salesforce.api_usage["api-usage"]
        assert usage.total == 100_000
        assert usage.used > 0

    await beside(work, sandbox)


async def test_it_reads_an_agreement_with_its_lines_and_their_products(sandbox: LocalSandbox) -> None:
    def work(salesforce: Any) -> None:
        found = salesforce.query(
            "SELECT Name, Account.Name, (SELECT Quantity, UnitPrice, PricebookEntry.Product2.ProductCode"
            " FROM OpportunityLineItems) FROM Opportunity WHERE HasOpportunityLineItem = true"
            " AND CreatedDate >= LAST_N_DAYS:2 ORDER BY Name LIMIT 5"
        )
        assert found["totalSize"] >= 1
        for opportunity in found["records"]:
            assert opportunity["Account"]["Name"]
            assert opportunity["OpportunityLineItems"]["totalSize"] >= 1
            for line in opportunity["OpportunityLineItems"]["records"]:
                assert line["PricebookEntry"]["Product2"]["ProductCode"]

    await beside(work, sandbox)


async def test_it_lists_what_was_updated_and_deleted(empty_sandbox: LocalSandbox) -> None:
    now = empty_sandbox.running.clock.now()

    def work(salesforce: Any) -> None:
        kept = salesforce.Contact.create({"LastName": "kept"})["id"]
        gone = salesforce.Contact.create({"LastName": "gone"})["id"]
        salesforce.Contact.delete(gone)
        start, end = now.replace(hour=0, minute=0), now.replace(year=now.year + 1)
        assert salesforce.Contact.updated(start, end)["ids"] == [kept]
        assert [each["id"] for each in salesforce.Contact.deleted(start, end)["deletedRecords"]] == [gone]

    await beside(work, empty_sandbox)


async def test_it_meets_the_refusals_that_it_knows(empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    org.schema.declare({"Lead": {"fields": {"Ext__c": {"type": "string", "length": 9, "external_id": True}}}})
    for _ in range(2):
        org.create("Lead", {"LastName": "x", "Company": "x", "Ext__c": "same"})

    def work(salesforce: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
            salesforce.Account.create({})
        with pytest.raises(SalesforceMalformedRequest, match="MALFORMED_QUERY"):
            salesforce.query("SELECT Id FORM Account")
        with pytest.raises(SalesforceResourceNotFound):
            salesforce.Nothing.describe()
        with pytest.raises(SalesforceMoreThanOneRecord):
            salesforce.Lead.upsert("Ext__c/same", {"LastName": "y"})

    await beside(work, empty_sandbox)


async def test_it_logs_in_with_a_signed_assertion_and_not_with_a_wrong_secret(sandbox: LocalSandbox) -> None:
    login = sandbox.salesforce
    signed = {
        "username": login["username"],
        "consumer_key": login["client_id"],
        "privatekey": login["private_key"],
        "domain": "login",
    }
    await beside(lambda salesforce: salesforce.limits(), sandbox, **signed)
    wrong = {"consumer_key": login["client_id"], "consumer_secret": "wrong", "domain": "northwind.my"}
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        await beside(lambda salesforce: salesforce.limits(), sandbox, **wrong)


async def test_an_expired_session_is_an_expired_session_to_it(sandbox: LocalSandbox) -> None:
    session = sandbox.running.org.sessions.open(sandbox.running.org.actor.user_id)
    direct = {"session_id": session.token, "instance_url": sandbox.salesforce["url"]}

    def work(salesforce: Any) -> None:
        assert salesforce.limits()
        sandbox.running.org.expire_sessions()
        with pytest.raises(SalesforceExpiredSession):
            salesforce.limits()

    await beside(work, sandbox, **direct)
