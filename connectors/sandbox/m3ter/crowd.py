"""A large organization that takes no room: entities made when they are asked for, the same every time.

N accounts, each with a contract, a commitment, a balance and three bills of two lines. What is written to one
of them takes its place in the table as any entity does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter import times
from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]

BILLS_EACH = 3
_TAGS = {"Account": 1, "Contract": 2, "Commitment": 3, "Balance": 4, "Bill": 5}
_NAMES = ("Amber", "Bäckerei", "Cobalt", "Délice", "Łódź", "Falcon", "Gránit", "東京", "Indigo", "Júpiter")
_TRADES = ("Freight", "Dental", "Robotics", "Textiles", "Energy & Sons", "Media", "Foods")
_PLACES = (
    ("Leeds", "West Yorkshire", "United Kingdom", "GBP"),
    ("Austin", "Texas", "United States", "USD"),
    ("Köln", "Nordrhein-Westfalen", "Germany", "EUR"),
    ("Porto", "Norte", "Portugal", "EUR"),
)
_LINES = (("USAGE", "API calls", "calls"), ("STANDING_CHARGE", "Platform fee", "months"))


@dataclass(frozen=True, slots=True)
class Crowd:
    """The entities of one kind by number from 0: what `tables.Table` asks of it."""

    kind: str
    count: int
    make: Callable[[int], Entity]

    def number(self, entity_id: object) -> int | None:
        """The number in an id, None when it is no id of this crowd."""
        stem = f"{_TAGS[self.kind]:08x}-c0de-4000-8000-"
        if not isinstance(entity_id, str) or not entity_id.startswith(stem) or len(entity_id) != 36:
            return None
        return _number(entity_id[len(stem) :], 16, self.count)

    def numbers(self, name: str, value: object) -> Iterable[int]:
        """The numbers of those whose field is, or contains, this value."""
        each = BILLS_EACH if self.kind == "Bill" else 1
        if name in {"accountId", "contractId"}:
            owner = Crowd(name.removesuffix("Id").title(), self.count // each, self.make).number(value)
            return () if owner is None else range(owner * each, owner * each + each)
        if name == "code" and isinstance(value, str):
            found = _number(value.rpartition("-")[2], 10, self.count + 1)
            return () if not found or self.make(found - 1).get(name) != value else (found - 1,)
        # What else is indexed is the same for all, or goes with the place among an account's own.
        alike = [place for place in range(each) if value is not None and self.make(place).get(name) == value]
        return (number for place in alike for number in range(place, self.count, each))


def _number(text: str, base: int, below: int) -> int | None:
    try:
        found = int(text, base)
    except ValueError:
        return None
    return found if 0 <= found < below else None


def entity_id(kind: str, number: int) -> str:
    """The id of one entity of the crowd."""
    return f"{_TAGS[kind]:08x}-c0de-4000-8000-{number:012x}"


def load(organization: Organization, count: int) -> None:
    """Let the organization have `count` accounts and what belongs to them, as from before any event."""
    made = _Made(organization)
    makers = {
        "Account": made.account,
        "Contract": made.contract,
        "Commitment": made.commitment,
        "Balance": made.balance,
        "Bill": made.bill,
    }
    for kind, make in makers.items():
        size = count * (BILLS_EACH if kind == "Bill" else 1)
        organization.store.tables[kind].join(Crowd(kind, size, make))


class _Made:
    """Each kind's entity from its number."""

    def __init__(self, organization: Organization) -> None:
        self._today = organization.now().date()
        born = times.now_text(organization.now())
        user = organization.identity.service_user_id
        self._audit = {
            "version": 1,
            "dtCreated": born,
            "dtLastModified": born,
            "createdBy": user,
            "lastModifiedBy": user,
        }

    def account(self, number: int) -> Entity:
        city, region, country, currency = _PLACES[number % 4]
        name = f"{_NAMES[number % 10]} {_TRADES[number % 7]} {number + 1}"
        return {
            "name": name,
            "code": f"crowd-{number + 1}",
            "emailAddress": f"billing-{number + 1}@customers.example",
            "address": {
                "addressLine1": f"{number % 300 + 1} Station Road",
                "locality": city,
                "region": region,
                "postCode": f"{10_000 + number % 90_000}",
                "country": country,
            },
            "purchaseOrderNumber": f"PO-{number * 7 % 100_000:05}",
            "currency": currency,
            "daysBeforeBillDue": 30,
            "customFields": {"segment": _TRADES[number % 7], "seats": 5 + number % 500},
            **self._own("Account", number),
        }

    def contract(self, number: int) -> Entity:
        start, end = self._term(number)
        return {
            "accountId": entity_id("Account", number),
            "name": f"Agreement {number + 1}",
            "code": f"agreement-{number + 1}",
            "description": "Three products, billed monthly: “as agreed”",
            "startDate": start,
            "endDate": end,
            "customFields": {"region": _PLACES[number % 4][1]},
            **self._own("Contract", number),
        }

    def commitment(self, number: int) -> Entity:
        start, end = self._term(number)
        amount = Decimal(120_000 + number % 9_000 * 10) / 10
        return {
            "accountId": entity_id("Account", number),
            "contractId": entity_id("Contract", number),
            "startDate": start,
            "endDate": end,
            "currency": _PLACES[number % 4][3],
            "amount": amount,
            "amountPrePaid": Decimal(number % 100_000) / 100,
            "amountSpent": Decimal(number % 77_777) / 100,
            "overageSurchargePercent": Decimal("12.5"),
            **self._own("Commitment", number),
        }

    def balance(self, number: int) -> Entity:
        start, end = (f"{day}T00:00:00Z" for day in self._term(number))
        return {
            "accountId": entity_id("Account", number),
            "contractId": entity_id("Contract", number),
            "code": f"prepaid-{number + 1}",
            "name": "Prepaid credit",
            "currency": _PLACES[number % 4][3],
            "startDate": start,
            "endDate": end,
            "amount": Decimal(number % 50_000) / 100,
            "_endDate": end,
            "customFields": {"source": "crowd"},
            **self._own("Balance", number),
        }

    def bill(self, number: int) -> Entity:
        owner, back = divmod(number, BILLS_EACH)
        ends = _first_of_month(self._today, back)
        starts = _first_of_month(self._today, back + 1)
        currency = _PLACES[owner % 4][3]
        return {
            "accountId": entity_id("Account", owner),
            "accountCode": f"crowd-{owner + 1}",
            "startDate": starts.isoformat(),
            "endDate": ends.isoformat(),
            "startDateTimeUTC": f"{starts.isoformat()}T00:00:00Z",
            "endDateTimeUTC": f"{ends.isoformat()}T00:00:00Z",
            "billDate": ends.isoformat(),
            "dueDate": (ends + timedelta(days=30)).isoformat(),
            "billingFrequency": "MONTHLY",
            "billFrequencyInterval": 1,
            "timezone": "UTC",
            "currency": currency,
            "locked": False,
            "status": "PENDING" if back == 0 else "APPROVED",
            "lineItems": [_line(number, position, currency) for position in range(2)],
            **self._own("Bill", number),
        }

    def _term(self, number: int) -> tuple[str, str]:
        """A year from some day of this year or the last; the end is the first day after it."""
        start = date(self._today.year - number % 2, number % 12 + 1, 1)
        return start.isoformat(), start.replace(year=start.year + 1).isoformat()

    def _own(self, kind: str, number: int) -> Entity:
        return {"id": entity_id(kind, number), **self._audit}


def _line(number: int, position: int, currency: str) -> Entity:
    kind, words, unit = _LINES[position]
    units = Decimal(1) if position else Decimal(1_000 + number % 90_000) / 10
    subtotal = Decimal("99.00") if position else (units * Decimal("0.0125")).quantize(Decimal("0.01"))
    return {
        "id": f"{6 + position:08x}-c0de-4000-8000-{number:012x}",
        "description": words,
        "lineItemType": kind,
        "quantity": units,
        "units": units,
        "unit": unit,
        "averageUnitPrice": Decimal("99.00") if position else Decimal("0.0125"),
        "subtotal": subtotal,
        "currency": currency,
        "conversionRate": 1,
        "convertedSubtotal": subtotal,
        "sequenceNumber": position + 1,
    }


def _first_of_month(day: date, back: int) -> date:
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)
