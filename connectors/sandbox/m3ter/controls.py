"""What a test may tell this m3ter: other behaviour, expired tokens, entities read or kept directly."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from connectors.sandbox.m3ter import answers, billing
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.organization import Organization
from connectors.sandbox.m3ter.refusals import RefusedError

Document = dict[str, Any]
_ARGUMENTS = {"accountId": "account_id"}


@dataclass(frozen=True, slots=True)
class Acts:
    """Acts of the control API, all POST under /sandbox/; each raises ValueError for what it cannot do."""

    organization: Organization

    def behaviour(self, asked: Document) -> Document:
        """{"requests_per_second": null, …} sets fields of settings.Behaviour -> all of them."""
        held = asdict(self.organization.behaviour)
        for name, value in asked.items():
            if name not in held:
                raise ValueError(f"{name} is none of {', '.join(held)}")
            setattr(self.organization.behaviour, name, value)
        return asdict(self.organization.behaviour)

    def expire_tokens(self, _asked: Document) -> Document:
        """{} withdraws every token."""
        self.organization.expire_tokens()
        return {}

    def entities(self, asked: Document) -> Document:
        """{} -> {"counts"}; {"kind": "Account"} -> {"entities"}, newest first."""
        if "kind" not in asked:
            return {"counts": self.organization.counts()}
        return {"entities": self.organization.all(_kind(asked))}

    def create(self, asked: Document) -> Document:
        """{"kind", "body"} -> {"entity"}, checked as a POST is, told as an event."""
        return {"entity": self._checked(lambda: self.organization.create(_kind(asked), asked.get("body")))}

    def bill(self, asked: Document) -> Document:
        """{"accountId", "lines": [{"description", "amount", …}]?, …} -> {"entity"}: a bill, told as new."""
        given = [billing.line(**one) for one in asked["lines"]] if "lines" in asked else None
        more = {name: value for name, value in asked.items() if name not in {"accountId", "lines"}}
        return {
            "entity": self._checked(
                lambda: billing.bill(self.organization, asked["accountId"], given, **more)
            )
        }

    def balance(self, asked: Document) -> Document:
        """{"accountId", "amount"?, …} -> {"entity"}: a new balance with its first credit, told as such."""
        return {
            "entity": self._checked(
                lambda: billing.balance(
                    self.organization, **{_ARGUMENTS.get(k, k): v for k, v in asked.items()}
                )
            )
        }

    def change(self, asked: Document) -> Document:
        """{"kind", "id", "changes"} -> {"entity"}: as m3ter itself changes one, next version, told so."""
        kind = _kind(asked)
        old = self._checked(lambda: self.organization.store.get(kind, asked["id"]))
        return {"entity": self._checked(lambda: self.organization.change(kind, old, asked["changes"]))}

    def delete(self, asked: Document) -> Document:
        """{"kind", "id"} -> {"entity"} as it was, checked as a DELETE is, told as an event."""
        return {"entity": self._checked(lambda: self.organization.delete(_kind(asked), asked["id"]))}

    def _checked(self, act: Callable[[], Document]) -> Document:
        try:
            return act()
        except RefusedError as refusal:
            raise ValueError(refusal.message) from refusal

    def load(self, asked: Document) -> Document:
        """{"kind", "rows"} -> {"ids"}, oldest first, unchecked, without events."""
        rows = asked.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("rows must be a list of entities")
        return {"ids": [one["id"] for one in self.organization.load(_kind(asked), rows)]}


def actions(organization: Organization) -> Mapping[str, Callable[[Document], Document]]:
    """Each act by its path under /sandbox/."""
    acts = Acts(organization)
    return {
        "behaviour": acts.behaviour,
        "tokens/expire": acts.expire_tokens,
        "entities": acts.entities,
        "create": acts.create,
        "load": acts.load,
        "bill": acts.bill,
        "balance": acts.balance,
        "change": acts.change,
        "delete": acts.delete,
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
