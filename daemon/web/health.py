"""/livez, /readyz and /healthz: whether it lives, whether it is ready, and what is wrong."""

import asyncio
from typing import Any

from aiohttp import web

from daemon.web import answers, judging, wording
from daemon.web.sources import SOURCES, Sources
from state import entity_insights, insights
from state.database import Db
from state.entity_insights import EntityStatus
from state.errors import StateError
from state.insight_models import Status

routes = web.RouteTableDef()


@routes.get("/livez")
async def livez(_request: web.Request) -> web.Response:
    """200 as long as the process answers."""
    return web.Response(text="live\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """200, or 503 with one line for each cause."""
    verdict = await judging.judge(request.app[SOURCES])
    if verdict.is_ready:
        return web.Response(text="ready\n")
    lines = [f"{each.subject}: {wording.advised(each.message, each.instruction)}" for each in verdict.causes]
    return web.Response(text="\n".join(lines) + "\n", status=503)


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """Both, and each integration's lag, last sync and issues, in both directions."""
    sources = request.app[SOURCES]
    verdict, (statuses, syncs) = await asyncio.gather(judging.judge(sources), _statuses(sources))
    answer: dict[str, Any] = {
        "is_live": True,
        "is_ready": verdict.is_ready,
        "causes": verdict.causes,
        "started_at": sources.started_at,
        "integrations": [_summary(status) for status in statuses],
        "entity_data_syncs": [_entity_summary(status) for status in syncs],
    }
    return answers.json(answer, 200 if verdict.is_ready else 503)


async def _statuses(sources: Sources) -> tuple[list[Status], list[EntityStatus]]:
    try:
        return await judging.patiently(_both(judging.reached(sources)))
    except StateError:
        return [], []  # the verdict says why


async def _both(db: Db) -> tuple[list[Status], list[EntityStatus]]:
    return await insights.statuses(db), await entity_insights.statuses(db, issues=0)


def _summary(status: Status) -> dict[str, Any]:
    return {
        "name": status.integration.name,
        "flow": status.integration.flow,
        "current": status.current,
        "lag_seconds": status.lag,
        "last_synchronized_at": status.last_synchronized_at,
        "inbox": status.inbox,
        "issue_count": status.issue_count,
    }


def _entity_summary(status: EntityStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "flow": status.sync.integration.flow,
        "entity_type": status.sync.settings.entity_type,
        "namespace": status.sync.settings.namespace,
        "current": status.current,
        "disabled_because": status.disabled_because,
        "last_synchronized_at": status.last_synchronized_at,
        "backlog": status.backlog,
        "issue_count": status.issue_count,
    }
