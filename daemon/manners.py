"""What the settings come to for those who work: the manners of both directions, the patience with systems."""

from datetime import timedelta

from connectors.exchange import Limits
from connectors.salesforce.outages import Pace
from daemon import retries
from daemon.clients import Patience
from daemon.probing import Often
from daemon.retries import Policy
from daemon.settings import Settings, SystemSettings
from daemon.to_m3ter import subscriber
from daemon.to_m3ter.brake import Brake
from daemon.to_m3ter.tasks import Manner
from daemon.to_salesforce import place
from daemon.to_salesforce.targets import Naming


def to_m3ter(settings: Settings) -> Manner:
    """How records are synced to m3ter."""
    worker, policy = settings.worker, _policy(settings)
    first = timedelta(seconds=min(1.0, worker.backoff_seconds))
    return Manner(
        in_flight=worker.in_flight,
        lease=worker.lease,
        poll=timedelta(seconds=worker.poll_seconds),
        policy=policy,
        brake=Brake(
            settings.brake.writes,
            window=timedelta(minutes=settings.brake.minutes),
            pause=timedelta(minutes=settings.brake.pause_minutes),
        ),
        listening=subscriber.Timings(
            policy, Pace(first=first), silence=settings.listening.silence, overlap=settings.reread.overlap
        ),
        page_size=settings.reread.page_size,
    )


def probing(settings: Settings) -> Often:
    """How often the systems are asked whether they are there."""
    return Often(
        salesforce=timedelta(seconds=settings.salesforce.probe_seconds),
        m3ter=timedelta(seconds=settings.m3ter.probe_seconds),
    )


def patience(settings: Settings) -> Patience:
    """With both systems."""
    return Patience(
        salesforce=_limits(settings.salesforce, None),
        m3ter=_limits(settings.m3ter, settings.m3ter.per_second),
    )


def _limits(system: SystemSettings, per_second: int | None) -> Limits:
    return Limits(
        connect=timedelta(seconds=system.connect_seconds),
        answer=timedelta(seconds=system.total_seconds),
        answer_many=timedelta(seconds=system.total_seconds * 2),
        deadline=timedelta(seconds=system.total_seconds * 3),
        attempts=system.attempts,
        per_second=per_second,
    )


def to_salesforce(settings: Settings) -> place.Manner:
    """How m3ter's entities are kept in Salesforce."""
    given, worker = settings.entity_data_sync, settings.worker
    return place.Manner(
        feed=timedelta(seconds=given.feed_seconds),
        bulk_threshold=given.bulk_threshold,
        in_flight=given.in_flight,
        reserve=given.api_reserve_percent,
        lookahead=given.lookahead_pages,
        lease=worker.lease,
        poll=timedelta(seconds=worker.poll_seconds),
        policy=_policy(settings),
        naming=naming(settings),
    )


def naming(settings: Settings) -> Naming:
    """What a person says about names of objects and fields."""
    given = settings.entity_data_sync
    return Naming(given.testing_prefix, given.names)


def _policy(settings: Settings) -> Policy:
    worker = settings.worker
    return retries.Policy(
        first=timedelta(seconds=worker.backoff_seconds),
        longest=timedelta(seconds=max(worker.backoff_seconds, worker.backoff_limit_seconds)),
        settle=worker.settle,
        max_attempts=worker.attempts,
    )
