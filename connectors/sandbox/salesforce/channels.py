"""The channels of an org: which exist, and on which of them an object's change events appear."""

from collections.abc import Callable, Iterable

from connectors.sandbox.salesforce.channel_members import Member
from connectors.sandbox.salesforce.schema import Schema

ALL_SELECTED = "/data/ChangeEvents"
DEFAULT_SELECTION = (
    "Account",
    "Contact",
    "Contract",
    "Lead",
    "Opportunity",
    "OpportunityLineItem",
    "Order",
    "OrderItem",
    "PricebookEntry",
    "Product2",
)


class Channels:
    """Change Data Capture's selection and the org's custom channels; names are case-sensitive.

    A custom object is selected as soon as it is declared, a standard one when it is named in `selected`.
    """

    def __init__(self, schema: Schema, selected: Iterable[str] = DEFAULT_SELECTION) -> None:
        self.schema = schema
        self.selected = set(selected)
        self.custom: dict[str, dict[str, Member]] = {}
        # /event/X__e and /topic/X: whether there is an X
        self.others: dict[str, Callable[[str], bool]] = {}

    def is_selected(self, object_name: str) -> bool:
        """Whether changes of this object become events."""
        return object_name in self.selected or object_name.endswith("__c")

    def add_custom(self, name: str, members: Iterable[Member]) -> None:
        """Declare a custom channel (`Sales__chn`) with these members, or change which it has.

        Raises ValueError for a name that does not end in __chn.
        """
        if not name.endswith("__chn"):
            raise ValueError(f"A custom channel's name ends in __chn, not {name}.")
        self.custom[name] = {each.owner.name: each for each in members}

    def known(self, object_name: str) -> str:
        """The name of an object given in any case; raises LookupError."""
        found = self.schema.find(object_name)
        if found is None:
            raise LookupError(f"There is no object {object_name}.")
        return found.name

    def exists(self, channel: str) -> bool:
        """Whether a client may subscribe to it."""
        room, _, name = channel.removeprefix("/").partition("/")
        if room != "data":
            return room in self.others and self.others[room](name)
        if channel == ALL_SELECTED or name in self.custom:
            return True
        return any(name == change_event(known.name) for known in self.schema)

    def of(self, object_name: str) -> frozenset[str]:
        """Where a change of this object may be heard."""
        custom = {f"/data/{name}" for name, members in self.custom.items() if object_name in members}
        if not self.is_selected(object_name):
            return frozenset(custom)
        return frozenset({ALL_SELECTED, f"/data/{change_event(object_name)}", *custom})

    def particular(self, object_name: str) -> dict[str, Member]:
        """The custom channels on which this object's events are filtered or enriched."""
        return {
            f"/data/{name}": members[object_name]
            for name, members in self.custom.items()
            if object_name in members and not members[object_name].is_plain
        }


def change_event(object_name: str) -> str:
    """The name of an object's change event: AccountChangeEvent, Thing__ChangeEvent."""
    if object_name.endswith("__c"):
        return f"{object_name.removesuffix('__c')}__ChangeEvent"
    return f"{object_name}ChangeEvent"
