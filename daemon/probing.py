"""Every system in use is asked now and then whether it is there, whichever flows use it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from daemon.clients import Links
from daemon.prober import Prober
from daemon.tasks import Task


@dataclass(frozen=True, slots=True)
class Often:
    """How often each system is asked."""

    salesforce: timedelta = timedelta(minutes=1)
    m3ter: timedelta = timedelta(seconds=30)


def tasks(links: Links, used: Collection[int], often: Often) -> list[Task]:
    """One task for each open client whose number is among these."""
    probers = [
        *(
            (link.number, Prober(link.client.salesforce.limits, link.client.standing, often.salesforce))
            for link in links.orgs
        ),
        *(
            (link.number, Prober(link.client.m3ter.authenticate, link.client.standing, often.m3ter))
            for link in links.organizations
        ),
    ]
    return [
        Task(f"probe:{prober.standing.subject}", str(number), prober.run)
        for number, prober in probers
        if number in used
    ]
