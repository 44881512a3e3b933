"""/metrics: the figures of the database and of this process, for Prometheus."""

import asyncio
from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from daemon.web import entity_metrics, judging
from daemon.web.sources import SOURCES, Sources
from state import entity_insights, insights
from state.database import Db
from state.entity_insights import EntityFigures
from state.errors import StateError
from state.insight_models import Figures

routes = web.RouteTableDef()


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Always 200: while the database is away only `m3sync_ready 0` and the process's own figures remain."""
    sources = request.app[SOURCES]
    verdict, figures = await asyncio.gather(judging.judge(sources), _figures(sources))
    registry = CollectorRegistry()
    registry.register(_Ready(verdict.is_ready))
    if figures is not None:
        registry.register(_Figures(figures[0]))
        registry.register(entity_metrics.Collected(figures[1]))
    ProcessCollector(namespace="m3sync", registry=registry)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _figures(sources: Sources) -> tuple[Figures, EntityFigures] | None:
    try:
        return await judging.patiently(_both(judging.reached(sources)))
    except StateError:
        return None


async def _both(db: Db) -> tuple[Figures, EntityFigures]:
    return await insights.figures(db), await entity_insights.figures(db)


class _Ready(Collector):
    def __init__(self, is_ready: bool) -> None:
        self._is_ready = is_ready

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("m3sync_ready", "1 when /readyz answers 200.", value=int(self._is_ready))


class _Figures(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        yield from self._inbox()
        yield from self._totals()
        yield from self._rereads()
        yield from self._moments()
        well = GaugeMetricFamily(
            "m3sync_part_well", "1 when the part last said that it is well.", labels=["part"]
        )
        for each in self._figures.health:
            well.add_metric([each.subject], int(each.is_well))
        yield well

    def _inbox(self) -> Iterable[Metric]:
        records = GaugeMetricFamily(
            "m3sync_inbox_records",
            "Records known to have changed and not yet synced.",
            labels=["integration", "status"],
        )
        for name, depth in self._figures.inbox.items():
            counts = {"waiting": depth.waiting, "claimed": depth.claimed, "set_aside": depth.set_aside}
            for status, count in counts.items():
                records.add_metric([name, status], count)
        yield records
        lag = GaugeMetricFamily(
            "m3sync_lag_seconds",
            "Age of the oldest change not yet synced, 0 when none waits.",
            labels=["integration"],
        )
        for name, age in self._figures.lag.items():
            lag.add_metric([name], age.total_seconds())
        yield lag

    def _totals(self) -> Iterable[Metric]:
        runs = CounterMetricFamily("m3sync_runs", "Runs that ended.", labels=["integration", "status"])
        for (name, status), total in self._figures.runs.items():
            runs.add_metric([name, status], total)
        yield runs
        objects = CounterMetricFamily(
            "m3sync_objects", "m3ter objects looked at, by what was done.", labels=["integration", "action"]
        )
        for (name, action), total in self._figures.objects.items():
            objects.add_metric([name, action], total)
        yield objects
        echoes = CounterMetricFamily(
            "m3sync_own_writes_heard",
            "Change events of what m3sync wrote to Salesforce: echoes are not synced, near misses are.",
            labels=["integration", "verdict"],
        )
        for (name, verdict), total in self._figures.echoes.items():
            echoes.add_metric([name, verdict.replace(" ", "_")], total)
        yield echoes

    def _rereads(self) -> Iterable[Metric]:
        windows = CounterMetricFamily(
            "m3sync_windows",
            "Windows in which changes may have been missed, by cause.",
            labels=["integration", "cause"],
        )
        for (name, cause), total in self._figures.windows.items():
            windows.add_metric([name, cause], total)
        yield windows
        records = CounterMetricFamily(
            "m3sync_reread_records",
            "Records of windows: read, put into the inbox, and those whose sync then wrote or failed.",
            labels=["integration", "what"],
        )
        for (name, what), total in self._figures.rereads.items():
            records.add_metric([name, what], total)
        yield records
        still_open = GaugeMetricFamily(
            "m3sync_open_windows", "Windows that are not read to their end yet.", labels=["integration"]
        )
        for name, count in self._figures.open_windows.items():
            still_open.add_metric([name], count)
        yield still_open

    def _moments(self) -> Iterable[Metric]:
        synced = GaugeMetricFamily(
            "m3sync_last_sync_timestamp_seconds", "When a record was last synced.", labels=["integration"]
        )
        for name, at in self._figures.last_synchronized_at.items():
            synced.add_metric([name], at.timestamp())
        yield synced
        if self._figures.last_event_at is not None:
            yield GaugeMetricFamily(
                "m3sync_last_event_timestamp_seconds",
                "When a change event was last heard.",
                value=self._figures.last_event_at.timestamp(),
            )
        yield GaugeMetricFamily(
            "m3sync_open_intents",
            "Creates whose outcome in m3ter is not known yet.",
            value=self._figures.open_intents,
        )
