"""A company in the emulated m3ter: a few entities of each type, and what changes in them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.sandbox.m3ter import billing
from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]


@dataclass(slots=True)
class Company:
    """`ids` has the m3ter id of each entity by the name that this company gives it."""

    organization: Organization
    ids: dict[str, str] = field(default_factory=dict)

    def found(self) -> None:
        """Four accounts, one the child of another; more of everything than one call or page takes."""
        for name in ("harbour", "harbour branch", "mill", "yard"):
            self.customer(name, parent="harbour" if name == "harbour branch" else "")
        self.bill("harbour", "second harbour bill", "10.10", "0.23")

    def customer(self, name: str, parent: str = "") -> None:
        """An account with one of everything."""
        account = {"name": name.title(), "code": name.upper(), "emailAddress": "pay@example.com"}
        above = {"parentAccountId": self.ids[parent]} if parent else {}
        account_id = self._made(name, "Account", account | above | {"currency": "USD"})
        period = {"accountId": account_id, "startDate": "2026-01-01", "endDate": "2027-01-01"}
        contract_id = self._made(f"{name} contract", "Contract", period | {"name": f"Frame of {name}"})
        terms = {"currency": "USD", "amount": Decimal("1200.55"), "contractId": contract_id}
        self._made(f"{name} commitment", "Commitment", period | terms)
        made = billing.balance(self.organization, account_id, "99.99", contractId=contract_id)
        self.ids[f"{name} balance"] = made["id"]
        self.bill(name, f"{name} bill", "7.07")

    def bill(self, customer: str, name: str, *amounts: str) -> None:
        """One month, a line for each amount."""
        lines = [billing.line(f"Usage {number}", amount) for number, amount in enumerate(amounts)]
        made = billing.bill(self.organization, self.ids[customer], lines)
        self.ids[name] = made["id"]

    def change(self, kind: str, which: str, **changes: Any) -> None:
        """An entity as somebody edits it."""
        old = self.organization.store.get(kind, self.ids[which])
        self.organization.change(kind, old, changes)

    def credit(self, name: str, amount: str) -> None:
        """A balance credited."""
        billing.credit(self.organization, self.ids[name], amount)

    def rebill(self, name: str, *amounts: str) -> None:
        """A bill calculated anew."""
        lines = [billing.line(f"Usage {number}", amount) for number, amount in enumerate(amounts)]
        billing.rebill(self.organization, self.ids[name], lines)

    def delete(self, kind: str, name: str) -> None:
        """An entity deleted in m3ter."""
        self.organization.delete(kind, self.ids[name])

    def close(self, name: str) -> None:
        """All of a customer deleted."""
        for part, kind in (("bill", "Bill"), ("balance", "Balance"), ("commitment", "Commitment")):
            self.delete(kind, f"{name} {part}")
        self.delete("Contract", f"{name} contract")
        self.delete("Account", name)

    def _made(self, name: str, kind: str, body: Entity) -> str:
        made: str = self.organization.create(kind, body)["id"]
        self.ids[name] = made
        return made
