"""What a test may tell this m3ter: other behaviour, expired tokens, entities read or kept directly."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import RefusedError

Document = dict[str, Any]


def actions(organization: Organization) -> Mapping[str, Callable[[Document], Document]]:
    """Acts of the control API, all POST under /sandbox/; each raises ValueError for what it cannot do.

    behaviour      {"requests_per_second": null, …} sets fields of settings.Behaviour -> all of them
    tokens/expire  {} withdraws every token
    entities       {} -> {"counts"}; {"kind": "Account"} -> {"entities"}, newest first
    create         {"kind", "body"} -> {"entity"}, checked as a POST is, told as an event
    load           {"kind", "rows"} -> {"ids"}, oldest first, unchecked, without events
    """

    def behaviour(asked: Document) -> Document:
        held = asdict(organization.behaviour)
        for name, value in asked.items():
            if name not in held:
                raise ValueError(f"{name} is none of {', '.join(held)}")
            setattr(organization.behaviour, name, value)
        return asdict(organization.behaviour)

    def expire_tokens(_asked: Document) -> Document:
        organization.expire_tokens()
        return {}

    def entities(asked: Document) -> Document:
        if "kind" not in asked:
            return {"counts": organization.counts()}
        return {"entities": organization.all(_kind(asked))}

    def create(asked: Document) -> Document:
        try:
            return {"entity": organization.create(_kind(asked), asked.get("body"))}
        except RefusedError as refusal:
            raise ValueError(refusal.message) from refusal

    def load(asked: Document) -> Document:
        return {"ids": [one["id"] for one in organization.load(_kind(asked), asked["rows"])]}

    return {
        "behaviour": behaviour,
        "tokens/expire": expire_tokens,
        "entities": entities,
        "create": create,
        "load": load,
    }


def routes(organization: Organization) -> list[web.RouteDef]:
    """The acts as routes; 400 with {"message"} for what they cannot do."""
    return [web.post(f"/sandbox/{path}", _handler(act)) for path, act in actions(organization).items()]


def _handler(act: Callable[[Document], Document]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        asked = await answers.body_of(request)
        try:
            return answers.reply(act(asked if isinstance(asked, dict) else {}))
        except (ValueError, LookupError, TypeError) as error:
            return answers.error(400, f"{type(error).__name__}: {error}")

    return handler


def _kind(asked: Document) -> str:
    kind = str(asked.get("kind", ""))
    if kind not in every_kind():
        raise ValueError(f"{kind!r} is none of {', '.join(every_kind())}")
    return kind
