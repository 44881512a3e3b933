"""The panel: server-rendered pages without scripts, in which text from records is only ever text."""

import shlex
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from importlib import metadata, resources
from typing import Any

import jinja2
from aiohttp import hdrs, web
from markupsafe import Markup

from daemon import logs
from daemon.web import answers, api, entity_wording, judging, rereading, telling, wording
from daemon.web.sources import SOURCES
from state import entity_insights, entity_runs, insights, sentence
from state.entity_models import CopyStatus
from state.errors import NotFound, StateError
from state.insight_models import CurrentStatus, RunFilter
from state.models import RunStatus, SyncStatus

routes = web.RouteTableDef()

Handler = Callable[[web.Request], Coroutine[Any, Any, web.Response]]

_TONES = {
    SyncStatus.COMPLETED.value: "good",
    SyncStatus.PARTIAL_SUCCESS.value: "warn",
    SyncStatus.FAILED.value: "bad",
    RunStatus.COMPLETE.value: "good",
    RunStatus.ERROR.value: "bad",
    RunStatus.AUTH_FAILED.value: "bad",
    RunStatus.DISABLED.value: "bad",
    RunStatus.TIMEOUT_LIMIT_EXCEEDED.value: "bad",
    RunStatus.AWAITING_RETRY.value: "warn",
    RunStatus.RATE_LIMIT_RETRY.value: "warn",
    CurrentStatus.IN_STEP.value: "good",
    CurrentStatus.ISSUES.value: "bad",
    CurrentStatus.WAITING.value: "warn",
    CurrentStatus.NOT_AUTHORIZED.value: "bad",
    CurrentStatus.SYNCING.value: "warn",
    CopyStatus.WRITTEN.value: "good",
    CopyStatus.REFUSED.value: "bad",
}


def _inert(value: object) -> object:
    """Text from records with its control characters spelt out: one could turn the text around it."""
    return logs.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("daemon.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": wording.shown,
        "since": wording.since,
        "lasting": wording.lasting,
        "sentence": sentence.ended,
        "change": wording.change_text,
        "path": wording.short_path,
        "failure": wording.failure,
        "shellquote": shlex.quote,
        "tone": lambda word: _TONES.get(wording.shown(word), ""),
    }
    environment.globals |= {
        "came_to": wording.came_to,
        "current": wording.current,
        "log_text": wording.log_text,
        "own_write": wording.OWN_WRITE,
        "window": rereading.window,
        "progress": rereading.progress,
        "reread_tone": rereading.tone,
        "entity": entity_wording,
        "version": metadata.version("m3sync"),
    }
    return environment


_PAGES = _environment()
_STYLE = resources.files("daemon.web").joinpath("static", "panel.css").read_bytes()


def _page(template: str, status: int = 200, **values: Any) -> web.Response:
    text = _PAGES.get_template(template).render(now=datetime.now(UTC), **values)
    return web.Response(text=text, content_type="text/html", status=status)


def _paging(handler: Handler) -> Handler:
    """A page that cannot be made says why and what to do."""

    @wraps(handler)
    async def answer(request: web.Request) -> web.Response:
        try:
            return await judging.patiently(handler(request))
        except api.WrongQueryError as error:
            return _problem(400, str(error), "Correct the address.")
        except StateError as error:
            return _problem(404 if isinstance(error, NotFound) else 503, error.reason, error.instruction)

    return answer


def _problem(status: int, reason: str, instruction: str) -> web.Response:
    return _page("problem.html", status, title="Not to be shown", reason=reason, instruction=instruction)


def refused(request: web.Request, refusal: web.HTTPException) -> web.Response:
    """What no route answers, as JSON below /api/ and as a page elsewhere."""
    if refusal.status == HTTPStatus.NOT_FOUND:
        reason, instruction = "There is nothing at this address.", "Correct the address, or begin at /."
    else:
        reason, instruction = f"{refusal.reason}.", "m3sync only answers GET requests here."
    if request.path.startswith("/api/"):
        answer = answers.refusal(reason, instruction, refusal.status)
    else:
        answer = _problem(refusal.status, reason, instruction)
    if hdrs.ALLOW in refusal.headers:
        answer.headers[hdrs.ALLOW] = refusal.headers[hdrs.ALLOW]
    return answer


@routes.get("/")
@_paging
async def front(request: web.Request) -> web.Response:
    """Each integration's Synchronization Information, and the latest runs to m3ter with their objects."""
    sources = request.app[SOURCES]
    db = judging.reached(sources)
    verdict = await judging.judge(sources)
    statuses = await insights.statuses(db, issues=5)
    syncs = await entity_insights.statuses(db, issues=5)
    stories = await insights.latest_runs(db, RunFilter(limit=25))
    return _page(
        "front.html", title="m3sync", verdict=verdict, statuses=statuses, syncs=syncs, stories=stories
    )


@routes.get("/runs/{run_id}")
@_paging
async def run(request: web.Request) -> web.Response:
    """One run with its objects and every call it made."""
    story = await insights.run(judging.reached(request.app[SOURCES]), api.run_id_of(request))
    return _page("run.html", title=f"Run of {story.run.record_id}", story=story)


@routes.get("/entity-runs/{run_id}")
@_paging
async def entity_run(request: web.Request) -> web.Response:
    """One run of an entity data sync with its counts and the calls that it made."""
    db = judging.reached(request.app[SOURCES])
    found = await entity_runs.get(db, api.run_id_of(request))
    return _page("entity_run.html", title=f"Run of {found.integration_name}", run=found)


@routes.get("/records/{record_id}")
@_paging
async def record(request: web.Request) -> web.Response:
    """One record's story."""
    db = judging.reached(request.app[SOURCES])
    story = await insights.explain(db, api.record_id_of(request))
    status = 200 if story.is_known else 404
    return _page(
        "record.html",
        status,
        title=f"Record {story.record_id}",
        story=story,
        chapters=telling.in_order(story)[::-1],
    )


@routes.get("/panel.css")
async def style(_request: web.Request) -> web.Response:
    """The panel's own style; nothing comes from anywhere else."""
    return web.Response(body=_STYLE, content_type="text/css", charset="utf-8")


@routes.get("/favicon.ico")
async def icon(_request: web.Request) -> web.Response:
    """None: answered so that no browser logs an error."""
    return web.Response(status=204)
