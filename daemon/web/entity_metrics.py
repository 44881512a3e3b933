"""The figures of the entity data syncs for Prometheus; m3sync_runs counts their runs with all others."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from state.entity_insights import EntityFigures


class Collected(Collector):
    """m3sync_entity_..., each by integration."""

    def __init__(self, figures: EntityFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        yield from self._copies()
        yield from self._totals()
        synced = GaugeMetricFamily(
            "m3sync_entity_last_sync_timestamp_seconds",
            "When a run last ended well.",
            labels=["integration"],
        )
        for name, at in self._figures.last_synchronized_at.items():
            synced.add_metric([name], at.timestamp())
        yield synced
        under_way = GaugeMetricFamily(
            "m3sync_entity_run_under_way", "1 while a run is under way.", labels=["integration"]
        )
        for name in self._figures.backlogs:
            under_way.add_metric([name], int(name in self._figures.under_way))
        yield under_way

    def _copies(self) -> Iterable[Metric]:
        copies = GaugeMetricFamily(
            "m3sync_entity_copies",
            "m3ter entities that are not in Salesforce as they are: waiting (of these retrying), refused.",
            labels=["integration", "status"],
        )
        oldest = GaugeMetricFamily(
            "m3sync_entity_oldest_waiting_timestamp_seconds",
            "When the oldest difference not yet written was found.",
            labels=["integration"],
        )
        for name, backlog in self._figures.backlogs.items():
            counts = {"waiting": backlog.waiting, "retrying": backlog.retrying, "refused": backlog.refused}
            for status, count in counts.items():
                copies.add_metric([name, status], count)
            if backlog.oldest_changed_at is not None:
                oldest.add_metric([name], backlog.oldest_changed_at.timestamp())
        yield copies
        yield oldest

    def _totals(self) -> Iterable[Metric]:
        records = CounterMetricFamily(
            "m3sync_entity_records",
            "m3ter entities that ended runs met, by what became of them.",
            labels=["integration", "what"],
        )
        for (name, what), total in self._figures.records.items():
            records.add_metric([name, what], total)
        yield records
        calls = CounterMetricFamily(
            "m3sync_entity_calls", "Calls that ended runs made, by kind.", labels=["integration", "kind"]
        )
        for (name, kind), total in self._figures.calls.items():
            calls.add_metric([name, kind], total)
        yield calls
