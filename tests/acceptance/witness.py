"""Sees every commit of the emulated org and every write to the emulated m3ter: is any lost, doubled, late?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from connectors.sandbox.salesforce.changes import RecordChange
from tests.acceptance import oracle
from tests.acceptance.oracle import TABLES, Body, Expectation, Key
from tests.sandboxes import LocalSandbox

NAMED = ("Product", "PlanTemplate", "Aggregation", "Account", "Contract", "Plan")
COLLECTIONS = {f"{kind.lower()}s": kind for kind in TABLES}
# The answer was spoilt or withheld after the write had taken effect.
AFTER = {"status_after", "reset_after", "hang_after", "truncate", "slow", "latency", "hang_before"}


class Witness:
    """Follows some Opportunities from now on; all others are not to be in m3ter."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.sandbox = sandbox
        self.org = sandbox.running.org
        self.organization = sandbox.running.organization
        self.followed: list[str] = []
        self.history: dict[Key, list[Body | None]] = {}
        self.org.on_commit(self._committed)

    def follow(self, *opportunities: str) -> None:
        """Changes of these are to reach m3ter."""
        self.followed += opportunities
        self._note()

    def _committed(self, _changes: Sequence[RecordChange]) -> None:
        self._note()

    def _note(self) -> None:
        now = self.expected()
        for key in {*now, *self.history}:
            states = self.history.setdefault(key, [])
            if not states or states[-1] != now.get(key):
                states.append(now.get(key))

    def expected(self) -> Expectation:
        """What m3ter must hold."""
        return oracle.expected(self.org, self.followed)

    def complaints(self) -> list[str]:
        """What is lost, stale, doubled or not to be there, as m3ter stands now."""
        held = self._held()
        wrong: list[str] = []
        for key, wanted in self.expected().items():
            found = held.get(key, [])
            if len(found) != 1:
                wrong.append(f"{_title(key)} is in m3ter {len(found)} times")
            wrong += [f"{_title(key)}: {_difference(wanted, each)}" for each in found if each != wanted]
        for key, found in held.items():
            states = [state for state in self.history.get(key, []) if state is not None]
            if len(found) > 1:
                wrong.append(f"{_title(key)} is doubled in m3ter")
            wrong += [
                f"{_title(key)} is in m3ter as it never was: {each}" for each in found if each not in states
            ]
        return [*wrong, *self._untied(set(held))]

    async def disorder(self) -> list[str]:
        """Writes that took an entity back to an earlier state of its record, or to one that never was."""
        names = self._names()
        at: dict[Key, int] = {}
        wrong: list[str] = []
        for key, body in await self._writes(names):
            states = self.history.get(key, [])
            reached = at.get(key, 0)
            later = next((n for n, state in enumerate(states) if n >= reached and state == body), None)
            if later is None:
                when = "an earlier state" if body in states else "a state that never was"
                wrong.append(f"{_title(key)} was written in {when}: {body}, of {states}")
            else:
                at[key] = later
        return wrong

    async def _writes(self, names: dict[str, str]) -> list[tuple[Key, Body]]:
        entries = await self.sandbox.m3ter_control.journal("bodies=1&path=*/organizations/*")
        found: list[tuple[Key, Body]] = []
        for entry in entries:
            kind = COLLECTIONS.get(_collection(entry["path"]))
            if kind is None or entry["method"] not in ("POST", "PUT") or not _took_effect(entry):
                continue
            found.append((_key(kind, entry["request"], names), oracle.plain(kind, entry["request"], names)))
        return found

    def _held(self) -> dict[Key, list[Body]]:
        names, found = self._names(), dict[Key, list[Body]]()
        for kind in TABLES:
            for entity in self.organization.all(kind):
                found.setdefault(_key(kind, entity, names), []).append(oracle.plain(kind, entity, names))
        return found

    def _names(self) -> dict[str, str]:
        entities = [(kind, entity) for kind in NAMED for entity in self.organization.all(kind)]
        return {str(entity["id"]): f"{kind}:{entity.get('code')}" for kind, entity in entities}

    def _untied(self, held: set[Key]) -> list[str]:
        """Each entity is tied to its record once by m3ter's own external mapping."""
        kinds = {str(entity["id"]): kind for kind in TABLES for entity in self.organization.all(kind)}
        ties = Counter[Key]()
        wrong: list[str] = []
        for tie in self.organization.all("ExternalMapping"):
            key = (tie["m3terEntity"], tie["externalId"])
            ties[key] += 1
            if kinds.get(tie["m3terId"]) != key[0] or tie["externalTable"] != TABLES[key[0]]:
                wrong.append(f"the external mapping {tie} leads nowhere")
        counted = [(key, ties[key]) for key in held | set(ties)]
        return wrong + [
            f"{_title(key)} has {number} external mappings" for key, number in counted if number != 1
        ]


def _key(kind: str, entity: dict[str, Any], names: dict[str, str]) -> Key:
    """A Commitment has no code: its contract tells whose it is."""
    if kind == "Commitment":
        return kind, names.get(entity.get("contractId", ""), "Contract:?").partition(":")[2]
    return kind, str(entity.get("code"))


def _collection(path: str) -> str:
    parts = path.split("/organizations/", 1)[-1].split("/")
    return parts[1] if len(parts) > 1 else ""


def _took_effect(entry: dict[str, Any]) -> bool:
    fault = set((entry["fault"] or "").split(",")) - {""}
    if fault:
        return fault <= AFTER and (
            entry["status"] is None or entry["status"] < 300 or "status_after" in fault
        )
    return entry["status"] is not None and entry["status"] < 300


def _title(key: Key) -> str:
    return f"the {key[0]} of {key[1]}"


def _difference(wanted: Body, found: Body) -> str:
    fields = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    return ", ".join(f"{name} is {found.get(name)!r}, not {wanted.get(name)!r}" for name in fields)
