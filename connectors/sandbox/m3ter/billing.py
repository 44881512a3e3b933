"""Bills and balances made as m3ter itself makes them, for tests: complete, with their events."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]
MONTH = timedelta(days=30)


def line(description: str, amount: Decimal | str, **more: Any) -> Entity:
    """One line of a bill; `more` replaces or adds m3ter's fields."""
    subtotal = Decimal(amount)
    return {
        "id": str(uuid4()),
        "description": description,
        "lineItemType": "USAGE",
        "quantity": Decimal(1),
        "units": Decimal(1),
        "unit": "units",
        "averageUnitPrice": subtotal,
        "subtotal": subtotal,
        "conversionRate": 1,
        "convertedSubtotal": subtotal,
        **more,
    }


def bill(
    organization: Organization, account_id: str, lines: Sequence[Entity] | None = None, **more: Any
) -> Entity:
    """A bill of an account for the month that ends today, told as billing.bill.created."""
    account = organization.get("Account", account_id)
    ends = organization.now().date()
    starts = ends - MONTH
    currency = more.get("currency") or account.get("currency") or "USD"
    given = [line("Usage", "10.50")] if lines is None else lines
    fields = {
        "accountId": account_id,
        "accountCode": account["code"],
        "startDate": starts.isoformat(),
        "endDate": ends.isoformat(),
        "startDateTimeUTC": f"{starts.isoformat()}T00:00:00Z",
        "endDateTimeUTC": f"{ends.isoformat()}T00:00:00Z",
        "billDate": ends.isoformat(),
        "dueDate": (ends + MONTH).isoformat(),
        "billingFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "timezone": "UTC",
        "currency": currency,
        "locked": False,
        "status": "PENDING",
        "lineItems": [
            {"currency": currency, "sequenceNumber": number, **each}
            for number, each in enumerate(given, start=1)
        ],
    }
    return organization.issue("Bill", fields | more)


def rebill(organization: Organization, bill_id: str, lines: Sequence[Entity], **more: Any) -> Entity:
    """Calculate a bill anew, as m3ter does while it is pending: next version, billing.bill.updated."""
    old = organization.store.get("Bill", bill_id)
    given = [
        {"currency": old["currency"], "sequenceNumber": number, **each}
        for number, each in enumerate(lines, start=1)
    ]
    return organization.change("Bill", old, {"lineItems": given, **more})


def balance(organization: Organization, account_id: str, amount: Decimal | str = "0", **more: Any) -> Entity:
    """A balance of an account for a year from today, with its first credit; told as such."""
    starts = organization.now().date()
    fields = {
        "accountId": account_id,
        "code": f"balance-{uuid4().hex[:12]}",
        "name": "Prepaid credit",
        "currency": organization.get("Account", account_id).get("currency", "USD"),
        "startDate": f"{starts.isoformat()}T00:00:00Z",
        "endDate": f"{(starts + timedelta(days=365)).isoformat()}T00:00:00Z",
    }
    made = organization.create("Balance", fields | more)
    return credit(organization, made["id"], amount) if Decimal(amount) else made


def credit(organization: Organization, balance_id: str, amount: Decimal | str) -> Entity:
    """A transaction of a balance (negative: drawn down): told as billing.balanceamount.updated."""
    old = organization.store.get("Balance", balance_id)
    by_whom = {"entityType": "SERVICE_USER", "entityId": organization.identity.service_user_id}
    hidden = {"_balanceId": balance_id, **by_whom}
    organization.create("BalanceTransaction", {"amount": Decimal(amount)}, hidden=hidden)
    changes = {"amount": Decimal(old.get("amount", 0)) + Decimal(amount)}
    return organization.change("Balance", old, changes, event="billing.balanceamount")
