"""What people do in the org during a scenario: one transaction each, or one thing that befalls a stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from connectors.sandbox.salesforce.values import Row
from tests.acceptance.scenes import Scene

# Both of one account; the second has one line, of a product that the first has not.
FIRST = "Harbourline - fleet telemetry API"
SECOND = "Harbourline - customs paperwork pilot"


async def win(stage: Scene) -> None:
    """The first agreement is won."""
    _win(stage, FIRST)


async def win_both(stage: Scene) -> None:
    """Two agreements of one account are won in one transaction."""
    _win(stage, FIRST, SECOND)


async def reprice(stage: Scene) -> None:
    """Every kind of object but the Account changes."""
    row = _found(stage, FIRST)
    with stage.sandbox.running.org.transaction() as tx:
        for line in _lines(stage, row):
            tx.update("OpportunityLineItem", line["Id"], {"UnitPrice": line["UnitPrice"] + Decimal("0.0058")})
        tx.update("Opportunity", row["Id"], {"Amount": Decimal("987654.32"), "End_Date__c": "2031-05-31"})


async def reprice_often(stage: Scene) -> None:
    """A line's price three times, each in its own transaction: a later one must not be overtaken."""
    row = _found(stage, FIRST)
    line = _lines(stage, row)[0]
    for number in range(1, 4):
        price = {"UnitPrice": line["UnitPrice"] + Decimal(number) / 1000}
        stage.sandbox.running.org.update("OpportunityLineItem", line["Id"], price)


async def delete_line(stage: Scene) -> None:
    """The first line goes to the recycle bin."""
    line = _lines(stage, _found(stage, FIRST))[0]
    stage.sandbox.running.org.delete("OpportunityLineItem", line["Id"])


async def move_line(stage: Scene) -> None:
    """The first line goes from the first agreement to the second, as lines of custom objects may."""
    line = _lines(stage, _found(stage, FIRST))[0]
    org, moved = stage.sandbox.running.org, {**line, "OpportunityId": _found(stage, SECOND)["Id"]}
    with org.transaction() as tx:
        tx._stamp(moved, is_new=False)
        tx._store(org.table("OpportunityLineItem"), line["Id"], moved)


async def purge(stage: Scene) -> None:
    """The events are retained no longer: every stored place is refused from now on."""
    stage.sandbox.running.stream.bus.purge()


async def delete_and_purge(stage: Scene) -> None:
    """The first line is deleted, and no event of it is retained."""
    await delete_line(stage)
    await purge(stage)


async def overflow(stage: Scene) -> None:
    """The same change as `reprice`, in a transaction too large for events: only GAP_OVERFLOW is told."""
    capture = stage.sandbox.running.stream.capture
    usual, capture.overflow_after = capture.overflow_after, 0
    try:
        await reprice(stage)
    finally:
        capture.overflow_after = usual


async def gap(stage: Scene) -> None:
    """The same change, of which a gap event names the records only."""
    row = _found(stage, FIRST)
    with _unannounced(stage):
        await reprice(stage)
    capture = stage.sandbox.running.stream.capture
    capture.gap("OpportunityLineItem", "GAP_UPDATE", [line["Id"] for line in _lines(stage, row)])
    capture.gap("Opportunity", "GAP_UPDATE", [row["Id"]])


@contextmanager
def _unannounced(stage: Scene) -> Iterator[None]:
    """Commits meanwhile bring no change event; the witness sees them."""
    running = stage.sandbox.running
    listeners = running.org._listeners
    listeners.remove(running.stream.capture.captured)
    try:
        yield
    finally:
        listeners.append(running.stream.capture.captured)


def _win(stage: Scene, *names: str) -> None:
    rows = [_found(stage, name) for name in names]
    stage.witness.follow(*(row["Id"] for row in rows))
    with stage.sandbox.running.org.transaction() as tx:
        for row in rows:
            tx.update("Opportunity", row["Id"], {"StageName": "Closed Won"})


def _found(stage: Scene, name: str) -> Row:
    rows = stage.sandbox.running.org.table("Opportunity").rows.values()
    return next(row for row in rows if row["Name"] == name)


def _lines(stage: Scene, row: Row) -> list[Row]:
    rows = stage.sandbox.running.org.table("OpportunityLineItem").rows.values()
    return [each for each in rows if each["OpportunityId"] == row["Id"] and not each["IsDeleted"]]
