"""Copies as they are in Salesforce at this moment, read by their keys, and how they differ from records."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from connectors.errors import RejectedError
from daemon import fingerprints
from daemon.to_salesforce import lacking
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.targets import Target

# Characters of the address with which a query is asked: with the headers it may have 16,384 bytes (REST
# guide, limits), and a token may be long. A SOQL statement alone may have 100,000, a string in it 4,000.
_LONGEST_QUERY = 11_500
_KEY = "00000000-0000-0000-0000-000000000000"  # as long as m3ter's are


def _freely() -> None:
    """No call is one too many."""


@dataclass(frozen=True, slots=True)
class Live:
    """One record; parents under Relation.Key__c."""

    record_id: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Reader:
    """Of one integration's object; `calls` counts its queries. `may_call` is asked before each of them, and
    raises when there shall be none."""

    place: Place
    may_call: Callable[[], None] = _freely
    calls: int = 0
    _names: tuple[str, ...] = field(init=False)
    _spellings: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        own = tuple(self.place.settings.custom_fields.values())
        self._names = tuple(dict.fromkeys([*_selected(self.place.target), *own]))
        self._spellings = {name.lower(): name for name in self._names}

    @property
    def keys_a_query(self) -> int:
        """How many keys have room in one query for all fields."""
        room = _LONGEST_QUERY - len(quote_plus(f"{self._having_any(self._names)})"))
        return max(1, room // len(quote_plus(f"{_quoted(_KEY)},")))

    async def by_keys(self, keys: Sequence[str]) -> dict[str, Live]:
        """The records that have these m3ter ids."""
        return await self._having(keys, self._names)

    async def ids(self, keys: Sequence[str]) -> dict[str, str]:
        """The Salesforce ids of the records that have these m3ter ids."""
        found = await self._having(keys, [self.place.target.key_field])
        return {key: record.record_id for key, record in found.items()}

    async def unmarked(self, keys: Sequence[str]) -> dict[str, str]:
        """The Salesforce ids of those that are there and bear no mark."""
        target = self.place.target
        if not target.mark_field:
            return {}
        found = await self._having(keys, [target.key_field, target.mark_field])
        return {key: each.record_id for key, each in found.items() if not each.fields.get(target.mark_field)}

    async def _having(self, keys: Sequence[str], names: Sequence[str]) -> dict[str, Live]:
        found: dict[str, Live] = {}
        begun = self._having_any(names)
        for some in _chunks(keys, _LONGEST_QUERY - len(quote_plus(f"{begun})"))):
            async for page in self._query(f"{begun}{','.join(some)})"):
                found |= page
        return found

    def _having_any(self, names: Sequence[str]) -> str:
        """The query up to its first key."""
        return f"{self._select(names)} WHERE {self.place.target.key_field} IN ("

    def _select(self, names: Sequence[str]) -> str:
        selected = ",".join(dict.fromkeys(["Id", *names]))
        return f"SELECT {selected} FROM {self.place.target.object_name}"  # noqa: S608 - our own names

    async def _query(self, soql: str) -> AsyncIterator[dict[str, Live]]:
        """Raises RejectedError, in the words of `lacking` where object or field are not there."""
        self.may_call()
        try:
            async for page in self.place.org.salesforce.query(soql):
                self.calls += 1
                flat = [self._spelled(_flat(record)) for record in page]
                yield {each[self.place.target.key_field]: Live(each["Id"], each) for each in flat}
        except RejectedError as error:
            raise lacking.told(self.place.target, self.place.settings.custom_fields, error) from error

    def _spelled(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Under the names by which the fields were asked for: Salesforce gives them in letters of its own."""
        return {self._spellings.get(name.lower(), name): value for name, value in record.items()}


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


def _chunks(keys: Sequence[str], room: int) -> Iterator[list[str]]:
    """The keys as SOQL strings, as many together as have room in an address, commas included."""
    some, left = list[str](), room
    for key in keys:
        quoted = _quoted(key)
        needed = len(quote_plus(f"{quoted},"))
        if some and needed > left:
            yield some
            some, left = [], room
        some.append(quoted)
        left -= needed
    if some:
        yield some


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
