"""/api/v1: what the panel shows, in JSON."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any
from uuid import UUID

from aiohttp import web

from daemon.web import answers, entity_wording, judging, wording
from daemon.web.sources import SOURCES
from state import entity_insights, entity_runs, health, insights, integrations
from state.database import Db
from state.errors import StateError
from state.insight_models import RunFilter

routes = web.RouteTableDef()

Handler = Callable[[web.Request], Coroutine[Any, Any, web.Response]]
_MOST_RUNS = 500


class WrongQueryError(Exception):
    """A request that says what cannot be; its text says what is wrong."""


def _answering(handler: Handler) -> Handler:
    @wraps(handler)
    async def answer(request: web.Request) -> web.Response:
        try:
            return await judging.patiently(handler(request))
        except WrongQueryError as error:
            return answers.refusal(str(error), "Correct the address.", 400)
        except StateError as error:
            return answers.of_state(error)

    return answer


@routes.get("/api/v1/status")
@_answering
async def status(request: web.Request) -> web.Response:
    """Each integration's Synchronization Information, and what each part says of itself."""
    db = judging.reached(request.app[SOURCES])
    found = [wording.status_document(each) for each in await insights.statuses(db)]
    syncs = [entity_wording.status_document(each) for each in await entity_insights.statuses(db)]
    return answers.json({"integrations": found, "entity_data_syncs": syncs, "health": await health.all(db)})


@routes.get("/api/v1/runs")
@_answering
async def runs(request: web.Request) -> web.Response:
    """The latest runs with their objects; ?limit= ?failed=true ?integration= ?record= narrow them."""
    db = judging.reached(request.app[SOURCES])
    wanted = replace(run_filter(request), integration=await _integration_id(db, request))
    return answers.json({"runs": await insights.latest_runs(db, wanted)})


@routes.get("/api/v1/runs/{run_id}")
@_answering
async def run(request: web.Request) -> web.Response:
    """One run with objects and log."""
    db = judging.reached(request.app[SOURCES])
    return answers.json(await insights.run(db, run_id_of(request)))


@routes.get("/api/v1/entity-runs")
@_answering
async def entity_runs_list(request: web.Request) -> web.Response:
    """The latest runs of the entity data syncs; ?limit= ?integration= narrow them."""
    db = judging.reached(request.app[SOURCES])
    limit = run_filter(request).limit
    found = await entity_runs.list_runs(db, await _integration_id(db, request), limit=limit)
    return answers.json({"entity_runs": [entity_wording.run_document(each) for each in found]})


@routes.get("/api/v1/entity-runs/{run_id}")
@_answering
async def entity_run(request: web.Request) -> web.Response:
    """One run of an entity data sync with its counts and the calls that it made."""
    found = await entity_runs.get(judging.reached(request.app[SOURCES]), run_id_of(request))
    return answers.json(entity_wording.run_document(found))


@routes.get("/api/v1/explain/{record_id}")
@_answering
async def explain(request: web.Request) -> web.Response:
    """One record's story."""
    db = judging.reached(request.app[SOURCES])
    story = await insights.explain(db, record_id_of(request))
    return answers.json(story, 200 if story.is_known else 404)


async def _integration_id(db: Db, request: web.Request) -> UUID | None:
    """Of the integration that ?integration= names, None for any. Raises NotFound: a typo is no empty list."""
    name = request.query.get("integration")
    return None if name is None else (await integrations.get(db, name)).integration_id


def run_filter(request: web.Request) -> RunFilter:
    """What the query chooses, but for the integration. Raises WrongQueryError."""
    query = request.query
    limit = query.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= _MOST_RUNS:
        raise WrongQueryError(f"limit is a number from 1 to {_MOST_RUNS}.")
    failed = query.get("failed", "")
    if failed not in ("", "true", "false"):
        raise WrongQueryError("failed is true or false.")
    record = query.get("record")
    return RunFilter(
        failed={"": None, "true": True, "false": False}[failed],
        record_id=None if record is None else _full_record_id(request, record),
        limit=int(limit),
    )


def run_id_of(request: web.Request) -> UUID:
    """Raises WrongQueryError."""
    try:
        return UUID(request.match_info["run_id"])
    except ValueError:
        raise WrongQueryError("A run id is a UUID.") from None


def record_id_of(request: web.Request) -> str:
    """The 18-character id of the record asked for, or that of a m3ter entity. Raises WrongQueryError."""
    given = request.match_info["record_id"]
    if wording.is_m3ter_id(given):
        return given.lower()
    return _full_record_id(request, given, "Neither is it the id of a m3ter entity.")


def _full_record_id(request: web.Request, given: str, further: str = "") -> str:
    full = request.app[SOURCES].full_record_id(given)
    if full is None:
        raise WrongQueryError(
            f"{given[:40]} is not a Salesforce record id: it has 15 or 18 letters and digits, "
            f"of which the last 3 of 18 check the others. {further}".rstrip()
        )
    return full
