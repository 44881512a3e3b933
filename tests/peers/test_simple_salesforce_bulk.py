"""simple-salesforce's Bulk API 2.0 client, which knows nothing of the sandbox, loads records there."""

import csv
import io
import time
from typing import Any

import pytest
from simple_salesforce import bulk2
from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding
from simple_salesforce.exceptions import SalesforceOperationError

from tests.peers.test_simple_salesforce import beside
from tests.sandboxes import LocalSandbox

EXT = {"type": "string", "length": 20, "external_id": True, "unique": True}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client looks at its jobs every five seconds, which is long here."""
    monkeypatch.setattr(bulk2, "sleep", lambda seconds: time.sleep(min(seconds, 0.02)))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_it_inserts_upserts_updates_and_deletes(empty_sandbox: LocalSandbox) -> None:
    org = empty_sandbox.running.org
    org.schema.declare({"Account": {"fields": {"Ext__c": EXT}}})

    def work(salesforce: Any) -> None:
        # Its estimate of the size may split this into several jobs.
        jobs = salesforce.bulk2.Account.insert(
            records=[{"Name": f"Größe {k}", "Ext__c": f"E{k}"} for k in range(450)]
        )
        assert sum(job["numberRecordsProcessed"] for job in jobs) == 450
        assert sum(job["numberRecordsFailed"] for job in jobs) == 0
        done = [
            row
            for job in jobs
            for row in rows(salesforce.bulk2.Account.get_successful_records(job["job_id"]))
        ]
        assert {row["sf__Created"] for row in done} == {"true"}
        by_ext = {row["Ext__c"]: row["sf__Id"] for row in done}
        records = [
            {"Ext__c": "E1", "Name": "changed"},
            {"Ext__c": "new", "Name": "new"},
            {"Ext__c": "x", "Name": ""},
        ]
        (merged,) = salesforce.bulk2.Account.upsert(records=records, external_id_field="Ext__c")
        assert (merged["numberRecordsProcessed"], merged["numberRecordsFailed"]) == (3, 1)
        (failed,) = rows(salesforce.bulk2.Account.get_failed_records(merged["job_id"]))
        assert failed["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
        salesforce.bulk2.Account.update(records=[{"Id": by_ext["E2"], "Name": "updated"}])
        (gone,) = salesforce.bulk2.Account.delete(records=[{"Id": by_ext["E3"]}])
        assert gone["numberRecordsFailed"] == 0
        assert rows(salesforce.bulk2.Account.get_unprocessed_records(gone["job_id"])) == []
        names = {
            each["Ext__c"]: each["Name"]
            for each in salesforce.query_all("SELECT Ext__c, Name FROM Account")["records"]
        }
        assert (names["E1"], names["E2"], names["new"], "E3" in names) == ("changed", "updated", "new", False)

    await beside(work, empty_sandbox)


async def test_a_job_that_fails_is_a_failure_to_it(empty_sandbox: LocalSandbox) -> None:
    def work(salesforce: Any) -> None:
        with pytest.raises(SalesforceOperationError, match="Field name not found : Nope"):
            salesforce.bulk2.Account.insert(records=[{"Name": "a", "Nope": "b"}])

    await beside(work, empty_sandbox)


async def test_it_may_choose_line_ending_and_delimiter(empty_sandbox: LocalSandbox, tmp_path: Any) -> None:
    path = tmp_path / "accounts.csv"
    path.write_bytes(b"Name;BillingCity\r\nA;Leeds\r\nB;K\xc3\xb6ln\r\n")

    def work(salesforce: Any) -> None:
        (made,) = salesforce.bulk2.Account.insert(
            str(path), column_delimiter=ColumnDelimiter.SEMICOLON, line_ending=LineEnding.CRLF
        )
        assert (made["numberRecordsProcessed"], made["numberRecordsFailed"]) == (2, 0)

    await beside(work, empty_sandbox)
    assert [row["BillingCity"] for row in empty_sandbox.running.org.table("Account").live()] == [
        "Leeds",
        "Köln",
    ]
