"""What the crash matrix plays: what is there before, what happens unheard, what while the daemon dies."""

from dataclasses import dataclass

from tests.acceptance import acts
from tests.acceptance.scenes import Act


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` is seen through by an undisturbed daemon, act by act; `away` happens with none running;
    `during` while the daemon that is to die listens, each act once the one before is seen through."""

    name: str
    before: tuple[Act, ...] = ()
    away: tuple[Act, ...] = ()
    during: tuple[Act, ...] = ()


SCENARIOS = (
    Scenario("first start and first sync", during=(acts.win,)),
    Scenario("amounts and lines", before=(acts.win,), during=(acts.reprice,)),
    Scenario(
        "one price again and again", before=(acts.win,), during=(acts.reprice_often, acts.reprice_often)
    ),
    Scenario("a deleted line", before=(acts.win,), during=(acts.delete_line,)),
    Scenario("a line moved to another parent", before=(acts.win_both,), during=(acts.move_line,)),
    Scenario("two records of one account", during=(acts.win_both,)),
    Scenario("won before the first start", away=(acts.win_both,)),
    Scenario("a refused place", before=(acts.win,), away=(acts.reprice, acts.purge)),
    Scenario(
        "a refused place, and more",
        before=(acts.win,),
        away=(acts.delete_line, acts.purge),
        during=(acts.reprice,),
    ),
    Scenario("an overflow", before=(acts.win,), during=(acts.overflow,)),
    Scenario("gap events", before=(acts.win,), during=(acts.gap,)),
)
