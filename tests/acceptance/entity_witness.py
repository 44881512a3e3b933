"""Sees every commit of the emulated org: is any of m3ter's entities missed, doubled, as it never was?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce.changes import ChangeType, RecordChange
from tests.acceptance import entity_oracle as oracle
from tests.acceptance.entity_oracle import MARK, Facts, Key
from tests.sandboxes import LocalSandbox

KINDS = {oracle.table(kind): kind for kind in oracle.TYPES}


@dataclass(frozen=True, slots=True)
class Write:
    """One commit of one record: what it says in the oracle's terms, and all of it. None: it was deleted."""

    facts: Facts | None
    all: Mapping[str, Any]
    is_new: bool

    @property
    def is_marked(self) -> bool:
        return bool(self.all.get(MARK))


@dataclass(slots=True)
class EntityWitness:
    """`denied` are the accounts left out; `note` is to be called after each change of m3ter or of those.

    What is not to be there any more is marked, or deleted if `is_deleted_too`."""

    sandbox: LocalSandbox
    denied: frozenset[str] = frozenset()
    is_deleted_too: bool = False
    history: dict[Key, list[Facts | None]] = field(default_factory=dict)
    writes: dict[Key, list[Write]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sandbox.running.org.on_commit(self._committed)

    def expected(self) -> dict[Key, Facts]:
        """What Salesforce must hold."""
        return oracle.expected(self.sandbox.running.organization, self.denied)

    def note(self) -> None:
        """Remember the states that may be written from now on."""
        now = self.expected()
        for key in {*now, *self.history}:
            states = self.history.setdefault(key, [])
            if not states or states[-1] != now.get(key):
                states.append(now.get(key))

    def _committed(self, changes: Sequence[RecordChange]) -> None:
        org = self.sandbox.running.org
        for change in changes:
            kind = KINDS.get(change.object_name)
            if kind is None:
                continue
            row = change.after if change.change_type is not ChangeType.DELETE else None
            key = (kind, str((row or change.before or {}).get("m3ter_Id__c")))
            facts = None if row is None else oracle.plain(org, kind, row)
            kept = {name: value for name, value in (row or {}).items() if name not in oracle.OF_SALESFORCE}
            write = Write(facts, kept, change.change_type is ChangeType.CREATE)
            self.writes.setdefault(key, []).append(write)

    def complaints(self) -> list[str]:
        """What is missed, stale, doubled or not to be there, as Salesforce stands now."""
        held, wanted = self._held(), self.expected()
        wrong = [_told(key, wanted[key], held.get(key, [])) for key in wanted]
        for key, rows in held.items():
            if key not in wanted:
                wrong += [f"{_title(key)} is not marked" for row in rows if not row.get(MARK)]
                wrong += [f"{_title(key)} is still there" for _ in rows if self.is_deleted_too]
            if key not in self.history:
                wrong.append(f"{_title(key)} never was in m3ter")
        return [each for each in wrong if each]

    def disorder(self) -> list[str]:
        """Writes of an earlier state, of one that never was, of one state in two ways; a second creation."""
        return [
            f"{_title(key)}: {told}"
            for key, writes in self.writes.items()
            for told in _disorder(writes, self.history.get(key, []))
        ]

    def _held(self) -> dict[Key, list[Facts]]:
        org, found = self.sandbox.running.org, dict[Key, list[Facts]]()
        for object_name, kind in KINDS.items():
            for row in org.table(object_name).rows.values():
                if not row["IsDeleted"]:
                    facts = oracle.plain(org, kind, row)
                    marked = {MARK: row[MARK]} if row.get(MARK) else {}
                    found.setdefault((kind, str(facts.get("m3ter_Id__c"))), []).append(facts | marked)
        return found


def _disorder(writes: Sequence[Write], states: Sequence[Facts | None]) -> list[str]:
    wrong: list[str] = []
    reached, is_there, said = 0, False, dict[int, Mapping[str, Any]]()
    for write in writes:
        if write.is_new and is_there:
            wrong.append("created twice")
        is_there = write.facts is not None
        later = [number for number, state in enumerate(states) if number >= reached and _fits(write, state)]
        if not later:
            wrong.append(f"written in an earlier state or one that never was: {write.facts}, of {states}")
            continue
        reached = later[0]
        if said.setdefault(reached, write.all) != write.all:
            wrong.append(f"one state was written in two ways: {_difference(said[reached], write.all)}")
    return wrong


def _fits(write: Write, state: Facts | None) -> bool:
    """A mark says nothing of the rest: that is what was last written."""
    if write.facts is None or write.is_marked:
        return state is None
    return write.facts == state


def _told(key: Key, wanted: Facts, rows: Sequence[Facts]) -> str:
    if len(rows) != 1:
        return f"{_title(key)} is in Salesforce {len(rows)} times"
    return f"{_title(key)}: {told}" if (told := _difference(wanted, rows[0])) else ""


def _title(key: Key) -> str:
    return f"the {key[0]} {key[1]}"


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    return ", ".join(f"{name} is {found.get(name)!r}, not {wanted.get(name)!r}" for name in names)
