"""The customers of the state machine: few records in Salesforce, and every way in which people change them.

The agreements never overlap in time, whichever accounts they are moved to, and none has a product twice:
m3ter refuses both, and then what is right would depend on the order of the changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.salesforce.changes import Actor
from connectors.sandbox.salesforce.records import Org
from connectors.sandbox.salesforce.values import Row

ACCOUNT, OPPORTUNITY, LINE, SITE = "Account", "Opportunity", "OpportunityLineItem", "Service_Site__c"
CHILDREN = {ACCOUNT: (OPPORTUNITY, "AccountId"), OPPORTUNITY: (LINE, "OpportunityId")}
OBJECTS = (ACCOUNT, OPPORTUNITY, LINE, SITE)
FIRST_DAY = date(2027, 1, 1)
SLOT = timedelta(days=200)
WON, OPEN = "Closed Won", "Qualification"
Fields = dict[str, Any]


@dataclass(slots=True)
class Company:
    """Every act is one transaction of somebody who is not m3sync. `ids`: whatever was made, in its order;
    `parent_of`: the agreement of a line."""

    org: Org
    ids: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in OBJECTS})
    parent_of: dict[str, str] = field(default_factory=dict)
    _somebody: Actor = field(init=False)
    _products: list[str] = field(init=False)
    _sold: dict[str, int] = field(default_factory=dict)
    _witnesses: dict[str, str] = field(default_factory=dict)
    _looks: int = 0

    def __post_init__(self) -> None:
        user = {
            "Username": "sales@northwind.example",
            "LastName": "Sales",
            "Email": "sales@northwind.example",
        }
        self._somebody = Actor(self.org.create("User", {**user, "Alias": "sales"}))
        self._products = [row["Id"] for row in self.org.table("PricebookEntry").live()]

    def appear(self) -> None:
        """One record of each object is a witness: nobody changes it, and it is not won."""
        account = self.open_account("Witness")
        self.open_opportunity(account, OPEN, 1)
        self.open_site(account, "Witness")
        self._witnesses = {name: ids.pop() for name, ids in self.ids.items()}

    def touch(self) -> None:
        """A change on each channel that is told, and feeds no field of m3ter."""
        self._looks += 1
        fields = {ACCOUNT: "Site", OPPORTUNITY: "NextStep", LINE: "Description", SITE: "City__c"}
        for name, record_id in self._witnesses.items():
            self.edit(name, [record_id], {fields[name]: f"Looked at {self._looks} times"})

    def living(self, object_name: str) -> list[str]:
        return [each for each in self.ids[object_name] if self.org.row(each) is not None]

    def binned(self) -> list[str]:
        """Everything in the recycle bin."""
        return [each for name in OBJECTS for each in self.ids[name] if self._is_in_bin(each)]

    def pick(self, object_name: str, number: int) -> str | None:
        """One of the living; the number counts them round."""
        found = self.living(object_name)
        return found[number % len(found)] if found else None

    def open_account(self, name: str) -> str:
        number = len(self.ids[ACCOUNT]) + 1
        given = {
            "Name": name,
            "Billing_Email__c": f"billing-{number}@customers.example",
            "BillingStreet": f"{number} Station Road\n2nd floor",
            "BillingCity": "Leeds",
        }
        return self._made(ACCOUNT, given)

    def open_opportunity(self, account_id: str, stage: str, lines: int) -> str:
        """With its lines in the same transaction."""
        starts = FIRST_DAY + SLOT * len(self.ids[OPPORTUNITY])
        given = {
            "AccountId": account_id,
            "Name": f"Agreement {len(self.ids[OPPORTUNITY]) + 1}",
            "StageName": stage,
            "Amount": Decimal(1000),
            "CloseDate": starts.isoformat(),
            "End_Date__c": (starts + timedelta(days=90)).isoformat(),
        }
        with self.org.transaction(self._somebody) as tx:
            made = tx.create(OPPORTUNITY, given)
            self.ids[OPPORTUNITY].append(made)
            for _ in range(lines):
                line = tx.create(LINE, self._line(made))
                self.ids[LINE].append(line)
                self.parent_of[line] = made
        return made

    def add_line(self, opportunity_id: str) -> None:
        """Unless the agreement has had every product that there is."""
        if self._sold.get(opportunity_id, 0) < len(self._products):
            self.parent_of[self._made(LINE, self._line(opportunity_id))] = opportunity_id

    def open_site(self, account_id: str, name: str) -> str:
        given = {"Name": name, "Account__c": account_id, "Opened_On__c": FIRST_DAY.isoformat()}
        return self._made(SITE, given)

    def edit(self, object_name: str, record_ids: Iterable[str], given: Fields) -> None:
        """The same change to several records at once: Salesforce tells it in one event."""
        with self.org.transaction(self._somebody) as tx:
            for record_id in record_ids:
                tx.update(object_name, record_id, given)

    def shift(self, opportunity_id: str, days: int) -> None:
        """Another term, within its slot."""
        starts = FIRST_DAY + SLOT * self.ids[OPPORTUNITY].index(opportunity_id) + timedelta(days=days)
        ends = starts + timedelta(days=60 + days)
        given = {"CloseDate": starts.isoformat(), "End_Date__c": ends.isoformat()}
        self.edit(OPPORTUNITY, [opportunity_id], given)

    def merge(self, winner: str, losers: list[str], name: str) -> None:
        with self.org.transaction(self._somebody) as tx:
            tx.merge(winner, losers, {"Name": name})

    def delete(self, object_name: str, record_id: str) -> None:
        with self.org.transaction(self._somebody) as tx:
            tx.delete(object_name, record_id)

    def undelete(self, record_id: str) -> None:
        """Unless what it belongs to is not there any more: Salesforce refuses that as well."""
        name = self.org.table_of_id(record_id).definition.name
        row = self.org.table(name).rows[record_id]
        parent = next((by for child, by in CHILDREN.values() if child == name), None)
        if parent is None or self.org.row(row[parent]) is not None:
            with self.org.transaction(self._somebody) as tx:
                tx.undelete(name, record_id)

    def empty_bin(self, record_id: str) -> None:
        """Gone for good, and with it what belongs to it; nothing tells of this."""
        name = self.org.table_of_id(record_id).definition.name
        if name in CHILDREN:
            child_object, by = CHILDREN[name]
            for child in self.org.table(child_object).find(by, record_id) or ():
                if self._is_in_bin(child):
                    self.empty_bin(child)
        with self.org.transaction(self._somebody) as tx:
            tx.empty_bin(name, record_id)

    def _is_in_bin(self, record_id: str) -> bool:
        row = self.org.table_of_id(record_id).rows.get(record_id)
        return row is not None and bool(row["IsDeleted"])

    def _made(self, object_name: str, given: Fields) -> str:
        with self.org.transaction(self._somebody) as tx:
            made = tx.create(object_name, given)
        self.ids[object_name].append(made)
        return made

    def _line(self, opportunity_id: str) -> Fields:
        number = self._sold[opportunity_id] = self._sold.get(opportunity_id, 0) + 1
        price = {"Quantity": Decimal(number), "UnitPrice": Decimal(number) / 4}
        return {"OpportunityId": opportunity_id, "PricebookEntryId": self._products[number - 1], **price}


def rows(org: Org, object_name: str) -> list[Row]:
    """The living records of an object."""
    return list(org.table(object_name).live())
