"""What the org computes itself: names, stages, line totals and products, numbers, roll-ups."""

import calendar
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from connectors.sandbox.salesforce import notation, values
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.tables import Tables
from connectors.sandbox.salesforce.values import Row

STAGES: dict[str, tuple[int, str]] = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
_NUMBERED = {"Order": "OrderNumber", "Contract": "ContractNumber", "OrderItem": "OrderItemNumber"}


def derive(tables: Tables, object_name: str, row: Row, given: Iterable[str]) -> None:
    """Set the computed fields of a row about to be stored; `given` names what the request wrote."""
    match object_name:
        case "Contact" | "Lead" | "User":
            row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
        case "Opportunity":
            _opportunity(row, set(given))
        case "PricebookEntry":
            product = tables.row(row["Product2Id"]) or {}
            row.update(Name=product.get("Name"), ProductCode=product.get("ProductCode"))
        case "OpportunityLineItem":
            _line(tables, row, set(given))
            parent = tables.row(row["OpportunityId"]) or {}
            row["Name"] = f"{parent.get('Name')} {_product_name(tables, row)}"[:376]
        case "OrderItem":
            _line(tables, row, set(given) - {"TotalPrice"})
        case "Order" | "Contract":
            status = row.get("Status")
            row["StatusCode"] = {"In Approval Process": "InApproval"}.get(str(status), status)
            if object_name == "Contract":
                row["EndDate"] = _end_of_term(row)
    if object_name in _NUMBERED:
        row.setdefault(_NUMBERED[object_name], tables.next_number(object_name))


def _opportunity(row: Row, given: set[str]) -> None:
    probability, category = STAGES.get(row["StageName"], (50, "Pipeline"))
    row["IsWon"] = row["StageName"] == "Closed Won"
    row["IsClosed"] = row["StageName"] in {"Closed Won", "Closed Lost"}
    row.setdefault("HasOpportunityLineItem", False)
    if "StageName" in given and "Probability" not in given:
        row["Probability"] = notation.number(probability, 0)
    if "StageName" in given and "ForecastCategoryName" not in given:
        row["ForecastCategoryName"] = category
    closes = date.fromisoformat(row["CloseDate"])
    row.update(FiscalYear=closes.year, FiscalQuarter=(closes.month + 2) // 3)


def _line(tables: Tables, row: Row, given: set[str]) -> None:
    entry = tables.row(row["PricebookEntryId"]) or {}
    for name in ("Product2Id", "ProductCode"):
        row[name] = entry.get(name)
    row["ListPrice"] = entry.get("UnitPrice")
    quantity: Decimal = row["Quantity"]
    if "TotalPrice" in given and "UnitPrice" not in given and row.get("TotalPrice") is not None and quantity:
        row["UnitPrice"] = notation.number(row["TotalPrice"] / quantity, 6)
        return
    if row.get("UnitPrice") is None:
        raise values.missing(["UnitPrice"])
    if not ({"TotalPrice", "UnitPrice"} <= given and row.get("TotalPrice") is not None):
        row["TotalPrice"] = notation.number(row["UnitPrice"] * quantity, 2)


def _product_name(tables: Tables, row: Row) -> str:
    entry = tables.row(row["PricebookEntryId"]) or {}
    return str(entry.get("Name"))


def _end_of_term(row: Row) -> str | None:
    if row.get("StartDate") is None or row.get("ContractTerm") is None:
        return None
    start = date.fromisoformat(row["StartDate"])
    months = start.month - 1 + int(row["ContractTerm"])
    year, month = start.year + months // 12, months % 12 + 1
    if year > date.max.year:
        raise SalesforceError(
            "NUMBER_OUTSIDE_VALID_RANGE", "Contract Term: value outside of valid range", ("ContractTerm",)
        )
    day = min(start.day, calendar.monthrange(year, month)[1])
    return (date(year, month, day) - timedelta(days=1)).isoformat()


def ripple(tables: Tables, object_name: str, row: Row) -> Iterable[tuple[str, Row]]:
    """Rows elsewhere whose roll-ups and copies follow from a written row; they raise no change event."""
    match object_name:
        case "OpportunityLineItem":
            yield from _rolled_up(tables, row["OpportunityId"], "OpportunityLineItem", "OpportunityId")
        case "OrderItem":
            yield from _rolled_up(tables, row["OrderId"], "OrderItem", "OrderId")
        case "Product2":
            for entry_id in tables.table("PricebookEntry").find("Product2Id", row["Id"]) or ():
                yield from _with_copies(tables, entry_id, row)


def _rolled_up(tables: Tables, parent_id: str, child: str, by: str) -> Iterable[tuple[str, Row]]:
    parent = tables.row(parent_id)
    if parent is None:
        return
    table = tables.table(child)
    lines = [table.rows[line_id] for line_id in table.find(by, parent_id) or ()]
    lines = [line for line in lines if not line["IsDeleted"]]
    if child == "OpportunityLineItem":
        computed: Row = {"HasOpportunityLineItem": bool(lines)}
    else:
        computed = {
            "TotalAmount": notation.number(sum((line["TotalPrice"] for line in lines), Decimal(0)), 2)
        }
    if any(parent.get(name) != value for name, value in computed.items()):
        yield parent_id, {**parent, **computed}


def _with_copies(tables: Tables, entry_id: str, product: Row) -> Iterable[tuple[str, Row]]:
    entry = tables.table("PricebookEntry").rows[entry_id]
    if entry.get("Name") == product.get("Name") and entry.get("ProductCode") == product.get("ProductCode"):
        return
    yield entry_id, {**entry, "Name": product.get("Name"), "ProductCode": product.get("ProductCode")}
    for line_object in ("OpportunityLineItem", "OrderItem"):
        table = tables.table(line_object)
        for line_id in table.find("PricebookEntryId", entry_id) or ():
            yield line_id, {**table.rows[line_id], "ProductCode": product.get("ProductCode")}
