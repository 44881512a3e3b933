"""What must hold when a world is quiet, by the records in Salesforce alone; nothing of m3sync is asked."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce.records import Org
from tests.acceptance import oracle
from tests.acceptance.oracle import Body, Expectation, Key
from tests.acceptance.world_company import ACCOUNT, LINE, OPPORTUNITY, SITE, rows
from tests.acceptance.worlds import World

Entity = dict[str, Any]

KINDS = ("Account", "Contract", "Commitment", "Plan", "Pricing", "AccountPlan")
NAMED = (*KINDS, "Product", "PlanTemplate", "Aggregation")
# The m3ter kinds that a record makes, which its disappearance leaves in force.
MADE = {
    ACCOUNT: ("Account",),
    OPPORTUNITY: ("Contract", "Commitment"),
    LINE: ("Plan", "Pricing", "AccountPlan"),
}


async def complaints(world: World) -> list[str]:
    """Everything that is not as Salesforce's present records say."""
    found = Findings(world)
    wanted = expected(world.sandbox.running.org)
    found.compare(wanted)
    found.count_mappings(wanted)
    found.miss()
    await found.ask_database()
    world.seen = found.ids
    return found.complaints


def expected(org: Org) -> Expectation:
    """One of each for each living Account and site, and for each won agreement with its lines."""
    wanted: Expectation = {("Account", row["Id"]): oracle._account(row) for row in rows(org, ACCOUNT)}
    for row in rows(org, SITE):
        if org.row(row.get("Account__c")) is not None:
            wanted["Contract", row["Id"]] = {
                "accountId": f"Account:{row['Account__c']}",
                "name": row["Name"],
                "code": row["Id"],
                "startDate": row["Opened_On__c"],
                "endDate": oracle.OPEN_ENDED,
            }
    return wanted | oracle.expected(org, [row["Id"] for row in rows(org, OPPORTUNITY)])


class Findings:
    """m3ter's entities by what they are made from, and what is wrong with them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._org = world.sandbox.running.org
        self.complaints: list[str] = []
        m3ter = world.sandbox.running.organization
        self._entities = {kind: m3ter.all(kind) for kind in NAMED}
        self._mappings = m3ter.all("ExternalMapping")
        self._names = {
            each["id"]: f"{kind}:{each.get('code', '')}" for kind in NAMED for each in self._entities[kind]
        }
        self.ids = {each["id"] for kind in KINDS for each in self._entities[kind]}
        self._made: dict[Key, list[Entity]] = defaultdict(list)
        for kind in KINDS:
            for each in self._entities[kind]:
                self._made[kind, self._origin(kind, each)].append(each)

    def _origin(self, kind: str, entity: Entity) -> str:
        """The record that it is made from: its code, and that of its Contract for a Commitment."""
        if kind == "Commitment":
            return self._names.get(entity["contractId"], "?").removeprefix("Contract:")
        return str(entity.get("code"))

    def compare(self, wanted: Expectation) -> None:
        for key, said in wanted.items():
            body = {name: value for name, value in said.items() if value != []}
            there = [self._plain(key[0], each) for each in self._made.get(key, [])]
            if there != [body]:
                self.complaints.append(f"{' '.join(key)}: wanted {_short(body, there)}")
        doubled = {key: len(there) for key, there in self._made.items() if len(there) > 1}
        if doubled:
            self.complaints.append(f"more than one in m3ter: {doubled}")

    def _plain(self, kind: str, entity: Mapping[str, Any]) -> Body:
        return oracle.plain(kind, entity, self._names)

    def count_mappings(self, wanted: Expectation) -> None:
        """Each entity that is wanted is mapped once, to the record it is made from; another at most once:
        what was half made of a record that is not to be synced any more stays as it is."""
        said = [(each["m3terEntity"], each["externalId"], each["m3terId"]) for each in self._mappings]
        meant = {(kind, origin, each["id"]) for (kind, origin), made in self._made.items() for each in made}
        needed = {each for each in meant if each[:2] in wanted}
        doubled = {each for each in said if said.count(each) > 1}
        if wrong := doubled | (set(said) - meant) | (needed - set(said)):
            self.complaints.append(f"external mappings: {sorted(wrong)}")

    def miss(self) -> None:
        """What was in m3ter stays there."""
        if gone := self.world.seen - self.ids:
            self.complaints.append(f"gone from m3ter: {gone}")

    async def ask_database(self) -> None:
        """Nothing is set aside or half done, and what is gone and in force is told by a last run."""
        db = self.world.house.db
        counts = {
            "open intents": "SELECT count(*) FROM intents WHERE status = 'OPEN'",
            "set aside": "SELECT count(*) FROM inbox WHERE status = 'SET_ASIDE'",
            "unfinished runs": "SELECT count(*) FROM runs WHERE completed_at IS NULL",
            "leases": "SELECT count(*) FROM leases WHERE lease_until > now()",
        }
        for name, statement in counts.items():
            if number := await db.fetchval(statement):
                self.complaints.append(f"{number} {name}")
        runs = await db.fetch(
            """SELECT DISTINCT ON (record_id) record_id, sync_status FROM runs
               WHERE sync_status IS NOT NULL ORDER BY record_id, started_at DESC"""
        )
        said = {row["record_id"]: row["sync_status"] for row in runs}
        for record_id, (word, why) in self._words().items():
            if said.get(record_id) != word:
                self.complaints.append(f"{record_id} is {said.get(record_id, 'untold')}, not {word}: {why}")

    def _words(self) -> dict[str, tuple[str, str]]:
        """What the last run of a record must say, and why; nothing of those that are not won.

        Of sites nothing either: who is told of a lost one depends on how often it has moved.
        """
        found: dict[str, tuple[str, str]] = {}
        for row in rows(self._org, OPPORTUNITY):
            if row["IsWon"]:
                found[row["Id"]] = ("Completed", "it is won")
        for object_name in (ACCOUNT, OPPORTUNITY):
            for record_id, made in self._gone(object_name):
                found[record_id] = ("Failed", f"it is gone, and in m3ter there is {made}")
        for record_id, made in self._gone(LINE):
            parent = self.world.company.parent_of[record_id]
            if found.get(parent, ("", ""))[0] == "Completed":
                found[parent] = ("Partial Success", f"{record_id} is gone, and in m3ter there is {made}")
        return found

    def _gone(self, object_name: str) -> list[tuple[str, str]]:
        """Records that are not in Salesforce any more and are in m3ter, and what of them."""
        return [
            (record_id, ", ".join(made))
            for record_id in self.world.company.ids[object_name]
            if self._org.row(record_id) is None
            and (made := [kind for kind in MADE[object_name] if (kind, record_id) in self._made])
        ]


def _short(wanted: Body, there: list[Body]) -> str:
    if len(there) != 1:
        return f"one, and there are {len(there)}"
    differing = {name for name in {*wanted, *there[0]} if wanted.get(name) != there[0].get(name)}
    return "; ".join(f"{name}={wanted.get(name)}, not {there[0].get(name)}" for name in sorted(differing))
