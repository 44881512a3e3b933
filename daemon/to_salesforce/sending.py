"""Sends copies to Salesforce, told beforehand as own writes where the other direction listens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import Any

import structlog

from connectors.errors import RejectedError, SyncError
from connectors.salesforce import bulk, bulk_csv, collections
from connectors.salesforce.rows import UNPROCESSED, RowResult
from daemon.to_salesforce import expecting, gone_accounts
from daemon.to_salesforce.loads import Load
from daemon.to_salesforce.mapping import records
from daemon.to_salesforce.place import Place
from daemon.to_salesforce.turn import Stopped
from state import entity_copies, own_writes
from state.database import transaction
from state.entity_models import CopyAction, Waiting
from state.own_writes import OwnWrite

log = structlog.get_logger(__name__)

# What concerns every record of the object alike.
_OF_THE_OBJECT = frozenset(
    {"INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND", "INVALID_FIELD_FOR_INSERT_UPDATE", "API_DISABLED_FOR_ORG"}
)
# What Salesforce says of a lookup that leads to no record any more.
_DEAD = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
_TOLD_TOGETHER = 500  # records of a Bulk job that are unpacked at a time
_PART = 2_000  # results of a Bulk job that are kept in one transaction
_UNFIT = "M3SYNC_UNFIT"
_STILL_UNFIT = "It does not fit Salesforce as m3ter has it. It is tried again when it changes there."


def can_be_sent(row: Waiting) -> bool:
    """What could not be mapped has no record to be sent."""
    return row.action is not CopyAction.UPSERT or bool(row.payload)


def concerns_all(error: RejectedError) -> bool:
    """Whether no part of the call would fare better: as with a version of the API that is retired."""
    return error.code in _OF_THE_OBJECT or error.status == HTTPStatus.GONE


class Sender:
    """Sends rows of one action; one result per row, in order."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def collection(self, rows: Sequence[Waiting]) -> list[RowResult]:
        """At most 200 with one call. Raises the SyncError family for what concerns the whole call."""
        told = await self._tell(rows)
        try:
            results = await self._without_dead_accounts(rows, await self._send(rows))
        except RejectedError:
            await own_writes.withdraw(self._place.db, told)
            raise
        await self._withdraw_refused(told, results)
        return results

    async def unfit(self, rows: Sequence[Waiting]) -> list[RowResult]:
        """Of rows that cannot be sent, whatever a person says, until the entity or the mapping changes: what
        the mapping said, which is as true as it was."""
        return [await self._still_unfit(row.m3ter_id) for row in rows]

    async def _still_unfit(self, m3ter_id: str) -> RowResult:
        place = self._place
        known = await entity_copies.of_record(place.db, m3ter_id)
        said = [copy for copy in known if copy.integration_id == place.integration_id and copy.message]
        message, fields = (said[0].message, said[0].fields) if said else (_STILL_UNFIT, ())
        return RowResult("", False, False, _UNFIT, message, fields)

    async def _without_dead_accounts(
        self, rows: Sequence[Waiting], results: list[RowResult]
    ) -> list[RowResult]:
        """A standard Account that was deleted or merged stops no copy: it waits on without that lookup."""
        doubtful = [
            row for row, result in zip(rows, results, strict=True) if self._may_be_for_account(row, result)
        ]
        if not doubtful:
            return results
        waiting = await gone_accounts.leave_out(self._place, doubtful)
        return [
            RowResult("", False, False, UNPROCESSED, result.message) if row.m3ter_id in waiting else result
            for row, result in zip(rows, results, strict=True)
        ]

    def _may_be_for_account(self, row: Waiting, result: RowResult) -> bool:
        """Salesforce seldom tells which of the lookups leads nowhere."""
        named = [
            name
            for name in self._place.target.derived("salesforce_account")
            if row.payload and row.payload.get(name)
        ]
        told = {name.lower() for name in result.fields}
        return result.code in _DEAD and any(not told or name.lower() in told for name in named)

    async def _send(self, rows: Sequence[Waiting]) -> list[RowResult]:
        salesforce, target = self._place.org.salesforce, self._place.target
        match rows[0].action:
            case CopyAction.UPSERT:
                payloads = [dict(row.payload or {}) for row in rows]
                return await collections.upsert(salesforce, target.object_name, target.key_field, payloads)
            case CopyAction.MARK:
                marks = [{"Id": row.salesforce_id, **self._mark(row)} for row in rows]
                return await collections.update(salesforce, target.object_name, marks)
            case CopyAction.DELETE:
                return await collections.delete(salesforce, [row.salesforce_id or "" for row in rows])

    def _mark(self, row: Waiting) -> dict[str, Any]:
        return records.mark(self._place.target, row.changed_at)

    async def settle(self, job_id: str, stop: asyncio.Event) -> None:
        """End a Bulk job whose end was not seen: what it may still write would be outdated by then."""
        try:
            job = await bulk.resume(self._place.org.salesforce, job_id)
            if not job.info.is_over:
                await job.abort()
                await job.wait(stop)
        except RejectedError as error:  # it has ended meanwhile, failed, or is gone
            log.info("earlier job is over", integration=self._place.name, job_id=job_id, reason=error.message)

    async def bulk(
        self, load: Load, stop: asyncio.Event, keep: Callable[[str | None], Awaitable[None]]
    ) -> AsyncIterator[list[tuple[Waiting, RowResult]]]:
        """As many of the load, all upserts, as one Bulk job holds, and what it came to, some at a time.

        `keep` is given its id before anything is in it, and None once it is over.

        Raises the SyncError family for what concerns the whole job, Stopped while it is waited for.
        """
        salesforce, target = self._place.org.salesforce, self._place.target
        async with (
            bulk_csv.sheet_of(load.records) as sheet,
            bulk.job(salesforce, target.object_name, target.key_field) as job,
        ):
            sent = {row.m3ter_id: row for row in load.rows[: sheet.rows]}
            told = dict(zip(sent, await self._tell(islice(load.whole(), sheet.rows)), strict=False))
            await keep(job.info.job_id)
            await job.upload(sheet)
            await job.close()
            await job.wait(stop)
            if not job.info.is_over:
                # Its records are sent again by whoever goes on: what it may still write must not come after.
                with suppress(SyncError):
                    await job.abort()
                raise Stopped
            await keep(None)
            part: list[tuple[Waiting, RowResult]] = []
            async for key, result in job.results():
                if key in sent:
                    part.append((sent[key], result))
                if len(part) == _PART:
                    yield await self._judged(part, told)
                    part = []
            yield await self._judged(part, told)

    async def _judged(
        self, part: list[tuple[Waiting, RowResult]], told: Mapping[str, int]
    ) -> list[tuple[Waiting, RowResult]]:
        refused = [told[row.m3ter_id] for row, result in part if told and not result.success]
        await own_writes.withdraw(self._place.db, refused)
        return part

    async def _tell(self, rows: Iterable[Waiting]) -> list[int]:
        """Where the other direction listens to the object: what is about to be written, told before it is."""
        watched = {each.lower() for each in await self._place.watched()}  # as field mappings spell them
        if self._place.target.object_name.lower() not in watched:
            return []
        org_id = await self._place.org.org_id()
        writes, left = list[OwnWrite](), iter(rows)
        while some := [*islice(left, _TOLD_TOGETHER)]:
            writes += await expecting.writes(self._place, some)
        async with transaction(self._place.db) as tx:
            return await own_writes.expect(tx, org_id, writes)

    async def _withdraw_refused(self, told: Collection[int], results: Sequence[RowResult]) -> None:
        if told:
            refused = [
                number for number, result in zip(sorted(told), results, strict=True) if not result.success
            ]
            await own_writes.withdraw(self._place.db, refused)
