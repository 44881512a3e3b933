"""What a page of a re-read is asked for with, and which records it puts into the inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from connectors.errors import RateLimited, RejectedError, TransientError
from connectors.salesforce.models import Record, to_id18
from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter.mapping import document, reread_soql, sources
from daemon.to_m3ter.mapping.errors import MappingInvalid, MappingValueError
from daemon.to_m3ter.mapping.reread_soql import Place, Span
from daemon.to_m3ter.windows import AHEAD
from state import checkpoints, field_mappings, integrations, record_parents, record_states
from state.database import Connection, Db
from state.rereads import Reread, RereadCause


@dataclass(frozen=True, slots=True)
class Pages:
    """The questions of one integration to its org, and what follows from the answers."""

    db: Db
    salesforce: Salesforce
    integration_id: UUID
    mapping: document.Mapping

    def is_watched(self, reread: Reread) -> bool:
        """Whether the field mapping watches the object."""
        return self.mapping.watched_as(reread.object_name) is not None

    async def is_wanted(self, reread: Reread) -> bool:
        """The same of the field mapping that is saved by now: whoever took it up before this process did may
        have opened the window."""
        integration = await integrations.get(self.db, self.integration_id)
        if integration.field_mapping_id is None:
            return False
        saved = await field_mappings.get(self.db, integration.field_mapping_id)
        try:
            return document.parse(saved.document).watched_as(reread.object_name) is not None
        except MappingInvalid:
            return True  # until a mapping says that it does not

    async def until_now(self) -> datetime:
        """The end of a window that reaches until now, by Salesforce's clock."""
        told = await self.salesforce.now()
        return (told or await checkpoints.now(self.db)) + AHEAD

    async def count(self, reread: Reread, until_at: datetime) -> int | None:
        """How many there are to read; None when Salesforce finds that too much to ask."""
        span = Span(reread.object_name, reread.from_at, until_at)
        try:
            return await self.salesforce.count(reread_soql.count(span), include_deleted=True)
        except RateLimited:
            raise
        except TransientError as error:
            if error.unreachable:
                raise
            return None
        except RejectedError as error:
            if error.code in ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE"):
                return None
            raise

    async def changed(self, reread: Reread, size: int) -> list[Record]:
        """The next records of the window, live and deleted alike."""
        until_at = reread.until_at or await self.until_now()  # it is fixed before the first page is read
        extra = (self._line_field(reread),) if self._line_field(reread) else self._criterion_fields(reread)
        span = Span(reread.object_name, reread.from_at, until_at, extra)
        after = None if reread.cursor_at is None else Place(reread.cursor_at, reread.cursor_id)
        return await self._all(reread_soql.page(span, after, size))

    def cursor(self, reread: Reread, records: Sequence[Record]) -> tuple[datetime | None, str]:
        """Behind the last of these records, or where it was."""
        if not records:
            return reread.cursor_at, reread.cursor_id
        return _stamp(records[-1]), to_id18(records[-1]["Id"])

    async def lead(
        self, tx: Connection, reread: Reread, records: Sequence[Record], asked_at: datetime
    ) -> list[tuple[str, str]]:
        """Which records, (object, id), the inbox is to have for these: a line leads to its parents.

        `asked_at`: by the database's clock, before they were asked for.
        """
        ids = [to_id18(record["Id"]) for record in records]
        field_name = self._line_field(reread)
        if not field_name:
            left_out = await self._left_out(tx, reread, records)
            return [(reread.object_name, record_id) for record_id in ids if record_id not in left_out]
        named = {
            record_id: to_id18(record[field_name])
            for record_id, record in zip(ids, records, strict=True)
            if record.get(field_name)
        }
        found = await self._led(tx, reread, ids, named)
        alive = {to_id18(record["Id"]) for record in records if not record.get("IsDeleted")}
        # A line in the bin that was never read before made nothing: there is nothing to remember it for.
        pairs = sorted((line, parent) for line, parent in named.items() if line in alive)
        await record_parents.remember(tx, self.integration_id, pairs, asked_at)
        return found

    async def known(self, db: Db, reread: Reread) -> list[str]:
        """The next records of the object that m3sync believes to be there, in the order of their ids."""
        limit = reread_soql.LONGEST_IDS
        place = (self.integration_id, reread.org_id, reread.cursor_id)
        if self._line_field(reread):
            return await record_parents.ids_after(db, *place, limit)
        return await record_states.ids_after(db, *place, limit)

    async def missing(self, reread: Reread, known: Sequence[str]) -> list[str]:
        """Those that are neither there nor in the recycle bin, and are of this object by their ids."""
        found = await self._all(reread_soql.existing(reread.object_name, known))
        gone = sorted(set(known) - {to_id18(record["Id"]) for record in found})
        if not gone:
            return []
        # A field mapping that once was about another object left records of that one.
        prefix = str((await self.salesforce.describe(reread.object_name)).get("keyPrefix") or "")
        return [record_id for record_id in gone if record_id.startswith(prefix)]

    async def lead_ids(self, tx: Connection, reread: Reread, ids: Sequence[str]) -> list[tuple[str, str]]:
        """As `lead`, for records of which nothing but the id is left."""
        if self._line_field(reread):
            return await self._led(tx, reread, ids, {})
        return [(reread.object_name, record_id) for record_id in ids]

    async def _led(
        self, tx: Connection, reread: Reread, ids: Sequence[str], named: dict[str, str]
    ) -> list[tuple[str, str]]:
        """The parent that a line names and the one it was last seen with; itself when neither is known."""
        remembered = await record_parents.parents_of(tx, self.integration_id, ids)
        found: set[tuple[str, str]] = set()
        for line in ids:
            parents = {named.get(line), remembered.get(line)} - {None}
            found |= {(self.mapping.parent, parent) for parent in parents if parent}
            if not parents:
                found.add((reread.object_name, line))
        return sorted(found)

    async def _left_out(self, tx: Connection, reread: Reread, records: Sequence[Record]) -> set[str]:
        """Of everything that there is, what is not to be synced and never was: no sync is spent on it."""
        if reread.cause is not RereadCause.INITIAL:
            return set()
        unwanted = {to_id18(record["Id"]) for record in records if not self._may_be_wanted(record)}
        return unwanted - await record_states.known_among(tx, self.integration_id, sorted(unwanted))

    def _may_be_wanted(self, record: Record) -> bool:
        if record.get("IsDeleted"):
            return False
        if reread_soql.criterion_fields(self.mapping) is None:
            return True
        try:
            return sources.criterion_holds(self.mapping, record)
        except MappingValueError:
            return True  # its sync will say what is wrong with it

    def _criterion_fields(self, reread: Reread) -> tuple[str, ...]:
        if reread.cause is not RereadCause.INITIAL:
            return ()
        return reread_soql.criterion_fields(self.mapping) or ()

    def _line_field(self, reread: Reread) -> str:
        """By which a line names its parent; "" for the parent itself."""
        return self.mapping.line_field(reread.object_name) or ""

    async def _all(self, query: str) -> list[Record]:
        return [
            record async for page in self.salesforce.query(query, include_deleted=True) for record in page
        ]


def _stamp(record: Record) -> datetime:
    return datetime.fromisoformat(record["SystemModstamp"]).astimezone(UTC)
