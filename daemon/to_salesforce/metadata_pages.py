"""How a copy is shown in Salesforce: its page layout and its list view."""

from collections.abc import Iterable, Sequence
from typing import Any

from daemon.to_salesforce.targets import Target, TargetField

# What a list of each entity type shows, by the names of targets/*.toml; the name of the record comes first.
_COLUMNS = {
    "Account": ("Code", "Salesforce_Account", "Currency", "m3ter_Modified_At", "m3ter_Deleted_At"),
    "Contract": ("m3ter_Account", "Start_Date", "Last_Day", "m3ter_Modified_At", "m3ter_Deleted_At"),
    "Commitment": ("m3ter_Account", "Currency", "Amount", "Amount_Spent", "Start_Date", "Last_Day"),
    "Balance": ("m3ter_Account", "Currency", "Amount", "Start_Date", "Last_Day", "m3ter_Deleted_At"),
    "Bill": ("m3ter_Account", "Status", "Bill_Date", "Due_Date", "Currency", "Total"),
}


def layout_name(target: Target) -> str:
    """The layout that Salesforce itself makes with a new object: whose profiles all use it already."""
    return f"{target.object_name}-{target.label} Layout"


def layout(target: Target, every: Iterable[Target]) -> dict[str, Any]:
    """All fields, read-only, for nobody edits a copy; under them the children's lists."""
    kept = [each for each in target.fields if each.own_name.startswith("m3ter_") and not each.relation]
    texts = [each for each in target.fields if each.type == "LongTextArea"]
    facts = [each for each in target.fields if each not in texts and each not in kept]
    sections = [
        _section(target.label, facts, 2),
        _section("Texts and Lists", texts, 1),
        _section("In m3ter", [each for each in kept if each not in texts], 2),
    ]
    return {
        "layoutSections": [each for each in sections if each is not None],
        "relatedLists": [
            {
                "fields": _columns(child),
                "relatedList": f"{child.object_name}.{field.name}",
            }
            for child in every
            for field in child.fields
            if field.refers_to == target.object_name
        ],
        "showEmailCheckbox": False,
        "showHighlightsPanel": False,
        "showInteractionLogPanel": False,
        "showRunAssignmentRulesCheckbox": False,
        "showSubmitAndAttachButton": False,
    }


def list_view(target: Target) -> dict[str, Any]:
    """All records of the object."""
    return {"fullName": "All", "columns": _columns(target), "filterScope": "Everything", "label": "All"}


def _columns(target: Target) -> list[str]:
    found = (target.field(own_name) for own_name in _COLUMNS[target.entity_type])
    return ["NAME", *(each.name for each in found if each is not None)]


def _section(label: str, fields: Sequence[TargetField], columns: int) -> dict[str, Any] | None:
    if not fields:
        return None
    half = -(-len(fields) // columns)
    return {
        "customLabel": True,
        "detailHeading": True,
        "editHeading": True,
        "label": label,
        "layoutColumns": [
            {"layoutItems": [_item(each) for each in fields[start : start + half]]}
            for start in range(0, half * columns, half)
        ],
        "style": "TwoColumnsTopToBottom" if columns == 2 else "OneColumn",
    }


def _item(field: TargetField) -> dict[str, str]:
    is_required = field.is_required or field.name == "Name"
    return {"behavior": "Required" if is_required else "Readonly", "field": field.name}
