"""Copies as they are in Salesforce at this moment, read by their keys, and how they differ from records."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon import fingerprints
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import Target
from state import entity_copies

# 100 keys of 36 characters and the names of all fields stay below what an address may have.
_KEYS_A_QUERY = 100


@dataclass(frozen=True, slots=True)
class Live:
    """One record; parents under Relation.Key__c."""

    record_id: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Reader:
    """Of one integration's object; `calls` counts its queries."""

    place: Place
    calls: int = 0
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        own = tuple(self.place.settings.custom_fields.values())
        self._names = tuple(dict.fromkeys([*_selected(self.place.target), *own]))

    async def by_keys(self, keys: Sequence[str]) -> dict[str, Live]:
        """The records that have these m3ter ids."""
        return await self._having(keys, self._names)

    async def ids(self, keys: Sequence[str]) -> dict[str, str]:
        """The Salesforce ids of the records that have these m3ter ids."""
        found = await self._having(keys, [self.place.target.key_field])
        return {key: record.record_id for key, record in found.items()}

    async def own(self, keys: Sequence[str]) -> dict[str, Live]:
        """Those of them that this integration wrote."""
        known = await entity_copies.known(self.place.db, self.place.integration_id, keys)
        return await self.by_keys(sorted(known))

    async def all(self) -> AsyncIterator[dict[str, Live]]:
        """Every record of the object that this integration wrote, with what tells whether it is marked."""
        target = self.place.target
        names = [name for name in (target.key_field, target.mark_field) if name]
        async for page in self._query(names, f"{target.key_field} != null"):
            own = await entity_copies.known(self.place.db, self.place.integration_id, list(page))
            yield {key: record for key, record in page.items() if key in own}

    async def _having(self, keys: Sequence[str], names: Sequence[str]) -> dict[str, Live]:
        found: dict[str, Live] = {}
        for at in range(0, len(keys), _KEYS_A_QUERY):
            quoted = ", ".join(_quoted(key) for key in keys[at : at + _KEYS_A_QUERY])
            where = f"{self.place.target.key_field} IN ({quoted})"
            async for page in self._query(names, where):
                found |= page
        return found

    async def _query(self, names: Sequence[str], where: str) -> AsyncIterator[dict[str, Live]]:
        target = self.place.target
        selected = ", ".join(dict.fromkeys(["Id", *names]))
        soql = f"SELECT {selected} FROM {target.object_name} WHERE {where}"  # noqa: S608 - quoted, our own names
        async for page in self.place.org.salesforce.query(soql):
            self.calls += 1
            flat = [_flat(record) for record in page]
            yield {each[target.key_field]: Live(each["Id"], each) for each in flat}


def differences(target: Target, wanted: Mapping[str, Any], live: Live | None) -> dict[str, tuple[Any, Any]]:
    """The fields whose values are not the same, however they are spelled: name -> (live, wanted)."""
    held = live.fields if live else {}
    flat = _flat(wanted)
    found: dict[str, tuple[Any, Any]] = {}
    for name, value in flat.items():
        was = held.get(name)
        hashes = [fingerprints.of(target.object_name, {name: each}) for each in (was, value)]
        if hashes[0] != hashes[1]:
            found[name] = (was, value)
    return found


def _selected(target: Target) -> list[str]:
    """Each field by its name; a parent by its key, which is what is written."""
    names = [field.name for field in target.fields]
    parents = [f"{field.relationship}.{field.relation_key}" for field in target.fields if field.relation]
    return [*names, *parents]


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """{"Parent__r": {"Key__c": "k"}} as {"Parent__r.Key__c": "k"}; an unset lookup says the same of both."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": each for inner, each in value.items() if inner != "attributes"}
        elif not name.endswith("__r"):
            found[name] = value
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
