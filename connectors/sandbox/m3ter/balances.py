"""The transactions of a balance, which make up its amount, and their summary."""

from decimal import Decimal
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, listing
from connectors.sandbox.m3ter.entities import PREFIX
from connectors.sandbox.m3ter.filters import Selection
from connectors.sandbox.m3ter.organization import Organization

Entity = dict[str, Any]

_KIND = "BalanceTransaction"


def routes(organization: Organization) -> list[web.RouteDef]:
    """List and create transactions, and sum them up."""

    async def listed(request: web.Request) -> web.Response:
        return _page(organization, request)

    async def create(request: web.Request) -> web.Response:
        balance = organization.store.get("Balance", request.match_info["id"])
        return answers.reply(_transact(organization, balance, await answers.body_of(request)))

    async def summary(request: web.Request) -> web.Response:
        balance = organization.store.get("Balance", request.match_info["id"])
        return answers.reply(_summary(_transactions(organization, balance["id"])))

    path = f"{PREFIX}/balances/{{id}}/transactions"
    return [web.get(path, listed), web.post(path, create), web.get(f"{path}/summary", summary)]


def _page(organization: Organization, request: web.Request) -> web.Response:
    table = organization.store.tables[_KIND]
    balance = organization.store.get("Balance", request.match_info["id"])
    wanted = {
        field: request.query[name] for name, field in table.kind.equals.items() if request.query.get(name)
    }
    picked = table.candidates("_balanceId", [balance["id"]])
    selection = Selection(picked, lambda one: all(one.get(name) == wanted[name] for name in wanted))
    return listing.of_table(organization, request, listing.Listing(table, selection))


def _transact(organization: Organization, balance: Entity, body: Any) -> Entity:
    by_whom = {"entityType": "SERVICE_USER", "entityId": organization.identity.service_user_id}
    made = organization.create(_KIND, body, hidden={"_balanceId": balance["id"], **by_whom})
    changes = {"amount": balance.get("amount", 0) + made["amount"]}
    organization.change("Balance", balance, changes, event="billing.balanceamount")
    return made


def _transactions(organization: Organization, balance_id: str) -> list[Entity]:
    return organization.store.tables[_KIND].having("_balanceId", balance_id)


def _summary(transactions: list[Entity]) -> Entity:
    """Credits add to a balance, debits draw it down; the oldest credit is the initial one."""
    amounts = [Decimal(one["amount"]) for one in reversed(transactions)]
    added = [amount for amount in amounts if amount > 0]
    drawn = [-amount for amount in amounts if amount < 0]
    nothing = Decimal(0)
    return {
        "totalCreditAmount": sum(added, nothing),
        "totalDebitAmount": sum(drawn, nothing),
        "initialCreditAmount": added[0] if added else nothing,
        "expiredBalanceAmount": nothing,
        "rolloverConsumed": nothing,
        "balanceConsumed": sum(drawn, nothing),
    }
