"""Clients of both systems, one for each credential: opened when first wanted, anew on another secret."""

import hashlib
import itertools
import shlex
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from connectors import wire
from connectors.exchange import Limits
from connectors.m3ter import rest as m3ter_rest
from connectors.m3ter.models import M3terCredential
from connectors.m3ter.rest import M3ter
from connectors.pacing import Pacer
from connectors.salesforce import rest as salesforce_rest
from connectors.salesforce.models import SalesforceCredential
from connectors.salesforce.rest import Salesforce
from daemon.catalogue import Catalogue, Freshness
from daemon.rotation import Rotation
from daemon.standing import Standing
from state import credentials, sentence
from state.database import Pool
from state.errors import VaultError
from state.models import Credential
from state.vault import Vault

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of calls to each system, and how long the catalogue may be trusted."""

    salesforce: Limits = field(default_factory=Limits)
    m3ter: Limits = field(default_factory=lambda: m3ter_rest.LIMITS)
    freshness: Freshness = field(default_factory=Freshness)


@dataclass(slots=True)
class Org:
    """A Salesforce org reached with one credential; its id is asked for once."""

    salesforce: Salesforce
    standing: Standing
    _org_id: str = ""
    _user_id: str = ""

    async def org_id(self) -> str:
        """18 characters. Raises AuthenticationError, TransientError."""
        await self._introduce()
        return self._org_id

    async def user_id(self) -> str:
        """Whose our calls are, 18 characters. Raises AuthenticationError, TransientError."""
        await self._introduce()
        return self._user_id

    async def _introduce(self) -> None:
        if not self._org_id:
            await self.salesforce.auth.grant()
            # The token's reply names org and user; only where it does not a call is spent on them.
            holder = self.salesforce.auth.holder or await self.salesforce.identity()
            self._org_id, self._user_id = holder.org_id, holder.user_id


@dataclass(slots=True)
class Organization:
    """A m3ter organization reached with one credential, with its catalogue."""

    m3ter: M3ter
    catalogue: Catalogue
    standing: Standing


@dataclass(slots=True)
class Link(Generic[T]):
    """An open client. `number` tells it from the one before under the same credential."""

    name: str
    client: T
    digest: str
    closing: AsyncExitStack
    number: int = field(default_factory=lambda: next(_numbers))


class Links:
    """`async with` closes them all."""

    def __init__(self, db: Pool, vault: Vault, patience: Patience | None = None) -> None:
        self._db = db
        self._vault = vault
        self._patience = patience or Patience()
        self._orgs: dict[UUID, Link[Org]] = {}
        self._organizations: dict[UUID, Link[Organization]] = {}
        self._pacers: dict[str, Pacer] = {}
        self._outdated: list[AsyncExitStack] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.keep_only(())

    async def org(self, credential_id: UUID) -> Link[Org]:
        """Raises NotFound, VaultError."""
        found, secret = await credentials.get(self._db, self._vault, credential_id)
        return await self._current(self._orgs, found, secret, self._open_org)

    async def organization(self, credential_id: UUID) -> Link[Organization]:
        """Raises NotFound, VaultError."""
        found, secret = await credentials.get(self._db, self._vault, credential_id)
        return await self._current(self._organizations, found, secret, self._open_organization)

    @property
    def orgs(self) -> Collection[Link[Org]]:
        """The open ones."""
        return self._orgs.values()

    @property
    def organizations(self) -> Collection[Link[Organization]]:
        """The open ones."""
        return self._organizations.values()

    async def keep_only(self, numbers: Collection[int]) -> None:
        """Close the clients that nobody wants any more."""
        await _close_others(self._orgs, numbers)
        await _close_others(self._organizations, numbers)
        while self._outdated:
            await self._outdated.pop().aclose()

    async def _current(
        self,
        links: dict[UUID, Link[T]],
        found: Credential,
        secret: Mapping[str, Any],
        opening: Callable[[Credential, Mapping[str, Any], AsyncExitStack], Awaitable[T]],
    ) -> Link[T]:
        digest = _digest(secret)
        link = links.get(found.credential_id)
        if link is None or link.digest != digest:
            # The one before is closed by keep_only, once whoever uses it has stopped.
            closing = AsyncExitStack()
            if link is not None:
                self._outdated.append(link.closing)
            link = Link(found.name, await opening(found, secret, closing), digest, closing)
            links[found.credential_id] = link
        return link

    async def _open_org(self, found: Credential, secret: Mapping[str, Any], closing: AsyncExitStack) -> Org:
        model = usable(SalesforceCredential, found, secret)

        def rotated(kept: Mapping[str, Any]) -> None:
            link = self._orgs.get(found.credential_id)
            if link is not None and link.closing is closing:
                link.digest = _digest(kept)

        rotation = Rotation((self._db, self._vault), found, secret, rotated)
        opened = salesforce_rest.open(
            model,
            limits=self._patience.salesforce,
            on_refresh_token=rotation.keep,
            spending=rotation.spending,
        )
        salesforce = await closing.enter_async_context(opened)
        standing = Standing(self._db, f"salesforce:{found.name}", found.credential_id)
        return Org(salesforce, standing)

    async def _open_organization(
        self, found: Credential, secret: Mapping[str, Any], closing: AsyncExitStack
    ) -> Organization:
        model = usable(M3terCredential, found, secret)
        limits = self._patience.m3ter
        # m3ter counts per organization, whichever credential asks.
        pacer = self._pacers.setdefault(model.org_id, Pacer(limits.per_second))
        m3ter = await closing.enter_async_context(m3ter_rest.open(model, limits=limits, pacer=pacer))
        standing = Standing(self._db, f"m3ter:{found.name}", found.credential_id)
        return Organization(m3ter, Catalogue(m3ter, self._patience.freshness), standing)


async def _close_others(links: dict[UUID, Link[T]], numbers: Collection[int]) -> None:
    for credential_id, link in list(links.items()):
        if link.number not in numbers:
            del links[credential_id]
            await link.closing.aclose()


def usable(model: type[M], found: Credential, secret: Mapping[str, Any]) -> M:
    """A credential that is kept, as its system's client takes it. Raises VaultError for one that it does not
    take."""
    try:
        return model.model_validate(secret)
    except ValidationError as error:
        again = f"m3sync credentials add {shlex.quote(found.name)} --system {found.system} --replace"
        raise VaultError(
            f"The credential {found.name} cannot be used: {unfit(error)}", f"Give it again: {again}"
        ) from None


def unfit(error: ValidationError) -> str:
    """The first thing wrong with a credential, and where; never what was given, it may be the secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field_name = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    if reason == first["msg"]:  # pydantic's own words
        reason = f"{reason[:1].lower()}{reason[1:]}"
    return sentence.ended(f"{field_name}: {reason}" if field_name else reason)


def _digest(secret: Mapping[str, Any]) -> str:
    return hashlib.sha256(wire.dumps(dict(sorted(secret.items())))).hexdigest()
