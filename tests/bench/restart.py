"""From the start of `m3sync run` to READY=1, and to its first record, with a full inbox."""

import itertools
from dataclasses import dataclass
from datetime import datetime

from state import embedded, inbox
from state.models import Cause
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House
from tests.bench import stage
from tests.bench.rows import Reach, Row, percentile
from tests.integration.state_rows import record_id
from tests.sandboxes import Sandbox, sandbox_in_process

ROWS = 100_000
AT_ONCE = 10_000
ROUNDS = 5
LIMIT = Reach(2)
MADE_OF = f"{ROWS:,} rows in the inbox, median of {ROUNDS}"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process."""

    ready: float
    first_record: float


async def measure() -> list[Row]:
    """With a PostgreSQL that runs already, and with the embedded one that starts along."""
    async with sandbox_in_process("--scale", "1") as sandbox:
        beside = await _beside_a_server(sandbox)
        along = await _with_its_own(sandbox)
    return [*_rows("", beside), *_rows(", embedded PostgreSQL too", along)]


async def _beside_a_server(sandbox: Sandbox) -> list[Start]:
    async with stage.server() as server, stage.staged(sandbox, server) as staged:
        await _fill(staged.house)
        return [await _start(sandbox, staged.m3sync) for _ in range(ROUNDS)]


async def _with_its_own(sandbox: Sandbox) -> list[Start]:
    with stage.directory() as place:
        m3sync = Commands(place)
        m3sync.configure(None, stage.UNPACED)
        async with embedded.server(place / "state") as url, stage.house_in(sandbox, url, place) as house:
            await _fill(house)
        return [await _start(sandbox, m3sync) for _ in range(ROUNDS)]


async def _fill(house: House) -> None:
    """Records that Salesforce does not know: each taken leaves the inbox after one call."""
    records = (("Opportunity", record_id(number)) for number in range(ROWS))
    while some := list(itertools.islice(records, AT_ONCE)):
        integration_id = house.integration.integration_id
        await inbox.put_many(house.db, integration_id, some, cause=Cause.CHANGE)


async def _start(sandbox: Sandbox, m3sync: Commands) -> Start:
    control = sandbox.salesforce_control
    await control.clear_journal()

    async def first_query() -> float | None:
        asked = await control.journal("path=*/query*")
        return datetime.fromisoformat(asked[0]["time"]).timestamp() if asked else None

    async with stage.running(m3sync) as daemon:
        await daemon.notified.until("READY=1")
        ready = datetime.now().astimezone().timestamp() - daemon.began
        return Start(ready, float(await houses.until(first_query)) - daemon.began)


def _rows(how: str, starts: list[Start]) -> list[Row]:
    ready = [each.ready for each in starts]
    return [
        Row(f"restart to READY=1{how}", percentile(ready, 50), "s", LIMIT, MADE_OF),
        Row(f"  the slowest{how}", max(ready), "s", LIMIT),
        Row(f"  to its first record{how}", percentile([e.first_record for e in starts], 50), "s"),
    ]
