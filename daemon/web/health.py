"""/livez, /readyz and /healthz: whether it lives, whether it is ready, and what is wrong."""

import asyncio
from typing import Any

from aiohttp import web

from daemon.web import answers, judging, wording
from daemon.web.sources import SOURCES, Sources
from state import insights
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
    """Both, and each integration's lag, last sync and issues."""
    sources = request.app[SOURCES]
    verdict, statuses = await asyncio.gather(judging.judge(sources), _statuses(sources))
    answer: dict[str, Any] = {
        "is_live": True,
        "is_ready": verdict.is_ready,
        "causes": verdict.causes,
        "started_at": sources.started_at,
        "integrations": [_summary(status) for status in statuses],
    }
    return answers.json(answer, 200 if verdict.is_ready else 503)


async def _statuses(sources: Sources) -> list[Status]:
    try:
        return await judging.patiently(insights.statuses(judging.reached(sources)))
    except StateError:
        return []  # the verdict says why


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
