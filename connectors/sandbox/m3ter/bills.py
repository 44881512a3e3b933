"""Bills: read with or without their lines and total, approved, locked; and their line items on their own."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, filters, listing, times
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.organization import Organization, shown
from connectors.sandbox.m3ter.refusals import bad_request, not_found
from connectors.sandbox.m3ter.tables import Table

Entity = dict[str, Any]


def total(bill: Entity) -> Decimal:
    """The bill's total, as it was loaded or else the sum of its lines in the bill's currency."""
    if "billTotal" in bill:
        return Decimal(bill["billTotal"])
    return sum((Decimal(line["convertedSubtotal"]) for line in bill.get("lineItems", ())), Decimal(0))


def routes(organization: Organization) -> list[web.RouteDef]:
    """Everything about bills but the search."""
    bills = Bills(organization)
    path = f"{PREFIX}/bills"
    return [
        web.get(path, bills.listed),
        web.get(f"{path}/accountid/{{account_id}}", bills.of_account),
        web.get(f"{path}/latest/{{account_id}}", bills.latest),
        web.post(f"{path}/approve", bills.approve),
        web.get(f"{path}/{{id}}", bills.get),
        web.put(f"{path}/{{id}}/status", bills.set_status),
        web.put(f"{path}/{{id}}/lock", bills.lock),
    ]


@dataclass(frozen=True, slots=True)
class Bills:
    """The handlers of one organization's bills."""

    organization: Organization

    async def listed(self, request: web.Request) -> web.Response:
        """The bills that fit the query."""
        picked = filters.select(self._table, request.query, self.organization.now())
        return _page(self.organization, request, picked)

    async def of_account(self, request: web.Request) -> web.Response:
        """All bills of one account."""
        picked = self._table.candidates("accountId", [request.match_info["account_id"]])
        return _page(self.organization, request, filters.Selection(picked, lambda _bill: True))

    async def latest(self, request: web.Request) -> web.Response:
        """The newest bill of an account."""
        account_id = request.match_info["account_id"]
        bill = self._table.newest("accountId", account_id)
        if bill is None:
            raise not_found("Bill of Account", account_id)
        return answers.reply(_whole(bill))

    async def get(self, request: web.Request) -> web.Response:
        """One bill."""
        return answers.reply(_whole(self.organization.store.get("Bill", request.match_info["id"])))

    async def set_status(self, request: web.Request) -> web.Response:
        """Approve one bill, or take that back."""
        body = await answers.body_of(request)
        status = body.get("status") if isinstance(body, dict) else None
        return answers.reply(_set_status(self.organization, request.match_info["id"], status))

    async def approve(self, request: web.Request) -> web.Response:
        """Approve several bills."""
        return answers.reply(_approve(self.organization, await answers.body_of(request)))

    async def lock(self, request: web.Request) -> web.Response:
        """Lock one bill for good."""
        return answers.reply(_lock(self.organization, request.match_info["id"]))

    @property
    def _table(self) -> Table:
        return self.organization.store.tables["Bill"]


def _page(organization: Organization, request: web.Request, selection: filters.Selection) -> web.Response:
    """Lines come unless they are excluded, the total only when it is asked for."""
    without_lines = filters.flag(request.query, "excludeLineItems")
    with_total = filters.flag(request.query, "includeBillTotal")

    def show(bill: Entity) -> Entity:
        left_out = {"billTotal"} | ({"lineItems"} if without_lines else set())
        kept = {key: value for key, value in shown(bill).items() if key not in left_out}
        return kept | ({"billTotal": total(bill)} if with_total else {})

    table = organization.store.tables["Bill"]
    return listing.of_table(organization, request, listing.Listing(table, selection, show))


def _whole(bill: Entity) -> Entity:
    """One bill alone, with its lines and its total: no parameter asks for them, so this is inferred."""
    return shown(bill) | {"billTotal": total(bill)}


def _set_status(organization: Organization, bill_id: str, status: Any) -> Entity:
    bill = organization.store.get("Bill", bill_id)
    if status not in ("PENDING", "APPROVED"):
        raise bad_request("status: must be one of PENDING, APPROVED")
    if bill.get("locked"):
        raise bad_request(f"Bill {bill_id} is locked")
    return _whole(organization.change("Bill", bill, {"status": status, **_approval(organization, status)}))


def _approval(organization: Organization, status: str) -> Entity:
    if status != "APPROVED":
        return {}
    user = organization.identity.service_user_id
    return {"dtApproved": times.now_text(organization.now()), "approvedBy": user}


def _approve(organization: Organization, body: Any) -> Entity:
    bill_ids = body.get("billIds") if isinstance(body, dict) else None
    if not isinstance(bill_ids, list) or not bill_ids:
        raise bad_request("billIds: size must be between 1 and 2147483647")
    for bill in [organization.store.get("Bill", str(bill_id)) for bill_id in bill_ids]:
        _set_status(organization, bill["id"], "APPROVED")
    return {"message": f"{len(bill_ids)} Bills approved"}


def _lock(organization: Organization, bill_id: str) -> Entity:
    bill = organization.store.get("Bill", bill_id)
    if bill.get("status") != "APPROVED":
        raise bad_request(f"Bill {bill_id} is PENDING and cannot be locked: approve it first")
    locked = {
        "dtLocked": times.now_text(organization.now()),
        "lockedBy": organization.identity.service_user_id,
    }
    return _whole(organization.change("Bill", bill, {"locked": True, **locked}))
