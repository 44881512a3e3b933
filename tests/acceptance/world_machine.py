"""The rules of the state machine: what people do to records, what goes amiss, and what must hold."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.acceptance import world_oracle, worlds
from tests.acceptance.world_company import ACCOUNT, LINE, OBJECTS, OPEN, OPPORTUNITY, SITE, WON
from tests.acceptance.worlds import Ground, World

some = st.integers(0, 7)
names = st.sampled_from(["Amber", "Birch & Söhne", "Cobalt Ltd", "D" * 70])
objects = st.sampled_from(OBJECTS)
# How long the others go on meanwhile, in milliseconds: from not at all to about a sync.
pauses = st.sampled_from([0, 2, 10, 30, 100, 200])
M3TER = {"path": "*/organizations/*"}
REST = {"path": "/services/data/*"}
STREAM = {"path": "/cometd/*"}
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "body": "<html>away</html>"},
    {"kind": "status_after", "status": 500},
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "refuse"},
    {"kind": "truncate"},
    {"kind": "hang_after", "seconds": 2},
    {"kind": "expired_session"},
)
# Salesforce's limit is that of a day: what it refuses for that is tried again after a quarter of an hour.
RATE_LIMITED = {"kind": "rate_limited"}
REFUSALS: tuple[dict[str, Any], ...] = (
    {"kind": "drop_session"},
    {"kind": "unauthorized"},
    {"kind": "deny_handshake"},
    {"kind": "refuse_replay", "times": 1},
    {"kind": "refuse_replay", "times": 2},
    {"kind": "purge"},
)
MANNERS = ("gap", "overflow", "wildcard", "undecodable")
GAPS = ("GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE")
A_LONG_WEEKEND = 80 * 3_600  # longer than events are retained


class Example(RuleBasedStateMachine):
    """One world from its beginning to its last quiet. Subclassed with the ground it stands on."""

    ground: ClassVar[Ground]
    runner: ClassVar[asyncio.Runner]
    number: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).number += 1
        self._things = AsyncExitStack()
        self._is_wrong = False
        self._is_stopped = True
        opening = worlds.opened(self.ground, str(self.number))
        self.world: World = self._run(self._things.enter_async_context(opening))
        self.company = self.world.company

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _go_on(self, milliseconds: int) -> None:
        """A daemon that died is started again, as its service manager does, unless it was stopped."""
        if not self._is_stopped:
            self.world.daemon.start()
        self._run(asyncio.sleep(milliseconds / 1_000))

    def _control(self, fault: dict[str, Any], *, of_m3ter: bool = False) -> None:
        sandbox = self.world.sandbox
        control = sandbox.m3ter_control if of_m3ter else sandbox.salesforce_control
        self._run(control.call("POST", "faults", fault))

    @initialize(lines=st.integers(0, 2), is_running=st.sampled_from([True, True, True, False]))
    def begin(self, lines: int, is_running: bool) -> None:
        self._is_stopped = not is_running
        if is_running:
            self._run(self.world.quiet())
        for number in range(3):
            account = self.company.open_account(f"Customer {number}")
            self.company.open_site(account, f"Site {number}")
            self.company.open_opportunity(account, WON if number else OPEN, lines)

    # --- people

    @rule(name=names, pause=pauses)
    def open_account(self, name: str, pause: int) -> None:
        self.company.open_account(name)
        self._go_on(pause)

    @rule(at=some, stage=st.sampled_from([WON, OPEN]), lines=st.integers(0, 3), pause=pauses)
    def open_opportunity(self, at: int, stage: str, lines: int, pause: int) -> None:
        if account := self.company.pick(ACCOUNT, at):
            self.company.open_opportunity(account, stage, lines)
            self._go_on(pause)

    @rule(at=some, pause=pauses)
    def add_line(self, at: int, pause: int) -> None:
        if opportunity := self.company.pick(OPPORTUNITY, at):
            self.company.add_line(opportunity)
            self._go_on(pause)

    @rule(at=some, name=names, pause=pauses)
    def open_site(self, at: int, name: str, pause: int) -> None:
        if account := self.company.pick(ACCOUNT, at):
            self.company.open_site(account, name)
            self._go_on(pause)

    @rule(object_name=st.sampled_from([ACCOUNT, OPPORTUNITY, SITE]), at=some, name=names, pause=pauses)
    def rename(self, object_name: str, at: int, name: str, pause: int) -> None:
        if record := self.company.pick(object_name, at):
            self.company.edit(object_name, [record], {"Name": name})
            self._go_on(pause)

    @rule(at=some, price=st.integers(1, 9), pause=pauses)
    def reprice(self, at: int, price: int, pause: int) -> None:
        """Twice within one second."""
        if line := self.company.pick(LINE, at):
            self.company.edit(LINE, [line], {"Quantity": Decimal(price)})
            self.company.edit(LINE, [line], {"UnitPrice": Decimal(price) / 8})
            self._go_on(pause)

    @rule(at=some, days=st.integers(0, 20), pause=pauses)
    def shift(self, at: int, days: int, pause: int) -> None:
        if opportunity := self.company.pick(OPPORTUNITY, at):
            self.company.shift(opportunity, days)
            self._go_on(pause)

    @rule(at=some, stage=st.sampled_from([WON, WON, OPEN]), pause=pauses)
    def set_stage(self, at: int, stage: str, pause: int) -> None:
        if opportunity := self.company.pick(OPPORTUNITY, at):
            self.company.edit(OPPORTUNITY, [opportunity], {"StageName": stage})
            self._go_on(pause)

    @rule(stage=st.sampled_from([WON, OPEN]), pause=pauses)
    def set_all_stages(self, stage: str, pause: int) -> None:
        """One transaction, told in one event of many records."""
        self.company.edit(OPPORTUNITY, self.company.living(OPPORTUNITY), {"StageName": stage})
        self._go_on(pause)

    @rule(object_name=st.sampled_from([OPPORTUNITY, SITE]), at=some, to=some, pause=pauses)
    def move(self, object_name: str, at: int, to: int, pause: int) -> None:
        """To another Account, or to the same."""
        record, account = self.company.pick(object_name, at), self.company.pick(ACCOUNT, at + to)
        if record and account:
            by = "AccountId" if object_name == OPPORTUNITY else "Account__c"
            self.company.edit(object_name, [record], {by: account})
            self._go_on(pause)

    @rule(at=some, to=some, name=names, pause=pauses)
    def merge(self, at: int, to: int, name: str, pause: int) -> None:
        winner, loser = self.company.pick(ACCOUNT, to), self.company.pick(ACCOUNT, at)
        if winner and loser and winner != loser:
            self.company.merge(winner, [loser], name)
            self._go_on(pause)

    @rule(object_name=objects, at=some, pause=pauses)
    def delete(self, object_name: str, at: int, pause: int) -> None:
        if record := self.company.pick(object_name, at):
            self.company.delete(object_name, record)
            self._go_on(pause)

    @rule(at=some, is_for_good=st.booleans(), pause=pauses)
    def open_bin(self, at: int, is_for_good: bool, pause: int) -> None:
        """Undelete something, or delete it for good."""
        if found := self.company.binned():
            act = self.company.empty_bin if is_for_good else self.company.undelete
            act(found[at % len(found)])
            self._go_on(pause)

    @rule(at=some, waits=st.lists(st.sampled_from([2, 5, 10, 20]), min_size=2, max_size=6))
    def hammer(self, at: int, waits: list[int]) -> None:
        """Change after change while the one before is being synced."""
        if opportunity := self.company.pick(OPPORTUNITY, at):
            for number, wait in enumerate(waits):
                changes = {"Name": f"Draft {number}", "StageName": WON, "Amount": Decimal(100 + number)}
                self.company.edit(OPPORTUNITY, [opportunity], changes)
                self._go_on(wait)

    # --- what goes amiss

    @rule(fault=st.sampled_from([*FAULTS, RATE_LIMITED]), skip=st.integers(0, 12), times=st.integers(1, 3))
    def disturb_m3ter(self, fault: dict[str, Any], skip: int, times: int) -> None:
        self._control({**fault, "match": M3TER, "skip": skip, "times": times}, of_m3ter=True)

    @rule(
        fault=st.sampled_from(FAULTS),
        match=st.sampled_from([REST, STREAM]),
        skip=st.integers(0, 3),
        times=st.integers(1, 3),
    )
    def disturb_salesforce(self, fault: dict[str, Any], match: dict[str, str], skip: int, times: int) -> None:
        self._control({**fault, "match": match, "skip": skip, "times": times})

    @rule(refusal=st.sampled_from(REFUSALS), pause=pauses)
    def refuse_stream(self, refusal: dict[str, Any], pause: int) -> None:
        self._control(refusal)
        self._go_on(pause)

    @rule()
    def be_too_busy(self) -> None:
        """Salesforce asks for minutes of patience; nobody here has them: the daemon is ended before quiet."""
        self._control({"kind": "too_busy"})
        self.world.is_busy = True

    @rule()
    def deafen(self) -> None:
        """The sessions that there are get nothing any more, and no error."""
        if self._run(self.world.has_begun()):
            self._control({"kind": "deafen"})
            self.world.is_deaf = True

    @rule(manner=st.sampled_from(MANNERS), times=st.integers(1, 2))
    def tell_amiss(self, manner: str, times: int) -> None:
        """The next transactions are not told as they should be."""
        self._control({"kind": "tell_as", "as": manner, "times": times})

    @rule(object_name=objects, at=some, change_type=st.sampled_from(GAPS), pause=pauses)
    def tell_gap(self, object_name: str, at: int, change_type: str, pause: int) -> None:
        """Of a record that may be there or not, and nothing has become of it."""
        if ids := self.company.ids[object_name]:
            told = {"object": object_name, "change_type": change_type, "record_ids": [ids[at % len(ids)]]}
            self._control({"kind": "gap", **told})
            self._go_on(pause)

    @rule(object_name=st.sampled_from([ACCOUNT, OPPORTUNITY, LINE]), at=some, manner=st.sampled_from(MANNERS))
    def vanish(self, object_name: str, at: int, manner: str) -> None:
        """Deleted, told amiss, and gone from the recycle bin before anybody looks."""
        if record := self.company.pick(object_name, at):
            self._control({"kind": "tell_as", "as": manner})
            self.company.delete(object_name, record)
            self.company.empty_bin(record)

    @rule(object_name=objects)
    def tell_overflow(self, object_name: str) -> None:
        self._control({"kind": "overflow", "object": object_name})

    @rule()
    def be_away(self) -> None:
        """Longer than events are retained, and than any session or token lasts.

        Not before it is settled from when on every change is owed: the database's clock stays behind.
        """
        if self._run(self.world.has_begun()):
            self._run(self.world.sandbox.salesforce_control.advance_clock(A_LONG_WEEKEND))

    @rule(points=st.integers(1, 60))
    def arm(self, points: int) -> None:
        """The daemon dies at one of the next commits and outside writes."""
        self.world.daemon.arm(points)

    @rule(pause=pauses)
    def kill(self, pause: int) -> None:
        self._run(self.world.daemon.kill())
        self._go_on(pause)

    @rule()
    def stop(self) -> None:
        self._is_stopped = True
        self._run(self.world.daemon.stop())

    @rule(pause=pauses)
    def start(self, pause: int) -> None:
        self._is_stopped = False
        self._go_on(pause)

    # --- what must hold

    @rule()
    def check(self) -> None:
        self._is_stopped = False
        try:
            self._run(self.world.quiet())
            found = self._run(world_oracle.complaints(self.world))
            assert not found, "\n".join(found)
        except BaseException:
            self._is_wrong = True
            note(self._run(self.world.story()))
            raise

    def teardown(self) -> None:
        try:
            if not self._is_wrong:
                self.check()
        finally:
            self._run(self._things.aclose())
