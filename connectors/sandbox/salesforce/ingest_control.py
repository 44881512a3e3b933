"""The sandbox's hand on ingest jobs: hold them where they stand, fail the next one, its daily batches."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors import wire
from connectors.sandbox.salesforce.ingest import Ingest, Manner


class Asked(BaseModel):
    """POST /sandbox/org/ingest; whatever is not named stays as it is."""

    model_config = ConfigDict(extra="forbid")
    hold: bool | None = None
    fail_after: int | None = Field(default=None, ge=0)
    message: str = Manner().message
    batches_max: int | None = Field(default=None, ge=0)
    batches_used: int | None = Field(default=None, ge=0)


def routes(ingest: Ingest) -> list[web.RouteDef]:
    """POST /sandbox/org/ingest {"hold"?, "fail_after"?, "message"?, "batches_max"?, "batches_used"?}.

    hold: jobs wait before their next 200 rows, until it is false; fail_after: the next job to begin fails
    with the message after so many rows, the others stay unprocessed.
    """

    async def act(request: web.Request) -> web.Response:
        try:
            asked = Asked.model_validate_json(await request.read() or b"{}")
        except ValidationError as error:
            return _json({"message": str(error)}, status=400)
        if asked.hold is not None:
            ingest.hold(is_held=asked.hold)
        if asked.fail_after is not None:
            ingest.manner = Manner(asked.fail_after, asked.message)
        ingest.batches.set(limit=asked.batches_max, used=asked.batches_used)
        batches = {"max": ingest.batches.limit, "used": ingest.batches.used}
        return _json({"hold": ingest.is_held, "fail_after": ingest.manner.fail_after, "batches": batches})

    return [web.post("/sandbox/org/ingest", act)]


def _json(body: wire.Json, status: int = 200) -> web.Response:
    return web.Response(body=wire.dumps(body), status=status, content_type="application/json")
