"""One m3ter organization: its entities, keys and events, and the writes that m3ter documents."""

import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.m3ter import derived, rules, settings, shapes, times
from connectors.sandbox.m3ter.events import EventLog
from connectors.sandbox.m3ter.kinds import Field, every_kind
from connectors.sandbox.m3ter.refusals import RefusedError, bad_request
from connectors.sandbox.m3ter.store import Store
from connectors.sandbox.m3ter.tokens import Tokens

Entity = dict[str, Any]
Now = Callable[[], datetime]


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an organization is, and the service user whose access key opens it."""

    org_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "Sandbox"
    service_user_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    api_key: str = field(default_factory=lambda: f"m3ter-{secrets.token_hex(10)}")
    api_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))


class Organization:
    """Entities are plain dicts as m3ter writes them; keys that begin with an underscore never leave it."""

    def __init__(
        self,
        now: Now = _wall_clock,
        identity: Identity | None = None,
        behaviour: settings.Behaviour | None = None,
    ) -> None:
        self.now = now
        self.identity = identity or Identity()
        self.behaviour = behaviour or settings.Behaviour()
        self.tokens = Tokens(self.identity.api_key, self.identity.api_secret, now)
        self.events = EventLog(now)
        self.store = Store()
        self.lists_served = 0
        self._born = times.now_text(now())
        self.store.documents["ExternalMappingConfiguration"] = settings.external_mapping_configuration()
        self.store.documents["OrganizationConfig"] = self._stamped(settings.organization_config(), None)
        self.store.documents["CustomField"] = self._stamped({}, None)

    # What tests and the demo company ask.

    def all(self, kind: str) -> list[Entity]:
        """Every entity of a kind, newest first."""
        return [shown(entity) for entity in self.store.tables[kind]]

    def get(self, kind: str, entity_id: str) -> Entity:
        """One entity; raises RefusedError (404)."""
        return shown(self.store.get(kind, entity_id))

    def counts(self) -> dict[str, int]:
        """How many entities of each kind there are, kinds without any left out."""
        return {name: len(table) for name, table in self.store.tables.items() if len(table)}

    def expire_tokens(self) -> None:
        """Withdraw every token, as if five hours had gone by."""
        self.tokens.expire()

    def load(self, kind: str, rows: Iterable[Entity]) -> list[Entity]:
        """Keep rows as they are, oldest first: unchecked, no events, ids and audit fields filled in.

        A BalanceTransaction's row names its balance as `_balanceId`.
        """
        return [shown(self._keep(kind, self._stamps(None) | row)) for row in rows]

    # What the API does.

    def create(self, kind: str, body: Any, hidden: Entity | None = None) -> Entity:
        """POST: a new entity with version 1; raises RefusedError."""
        entity = self._stamped(self._read(kind, body), None) | (hidden or {})
        return self._write(kind, entity, None)

    def issue(self, kind: str, fields: Entity) -> Entity:
        """What m3ter makes by itself, such as a bill: its form unchecked, told as created."""
        return self._write(kind, self._stamped(fields, None), None)

    def replace(self, kind: str, entity_id: str, body: Any) -> Entity:
        """PUT: the body takes the entity's place, and what it leaves out is gone; raises RefusedError."""
        old = self.store.get(kind, entity_id)
        self.check_version(kind, body, old)
        entity = self._stamped(self._read(kind, body), old)
        return self._write(kind, entity, old)

    def replace_document(self, name: str, body: Any) -> Entity:
        """PUT of a single document; raises RefusedError."""
        old = self.store.documents[name]
        self.check_version(name, body, old)
        new = self._stamped(self._read(name, body), old)
        self.store.documents[name] = new
        self._tell(every_kind()[name].event, "updated", new, old)
        return new

    def change(self, kind: str, old: Entity, changes: Entity, event: str = "") -> Entity:
        """A change that m3ter itself makes to an entity: next version, checked, told as an event."""
        new = old | changes | self._stamps(old)
        rules.check(self.store, kind, new)
        self.store.tables[kind].put(new)
        self._tell(event or every_kind()[kind].event, "updated", new, old)
        return shown(new)

    def delete(self, kind: str, entity_id: str) -> Entity:
        """DELETE: answers the entity as it was; raises RefusedError when another entity refers to it."""
        old = self.store.get(kind, entity_id)
        rules.check_delete(self.store, kind, old)
        self.store.remove(kind, entity_id)
        self._tell(every_kind()[kind].event, "deleted", None, old)
        return shown(old)

    def check_version(self, kind: str, body: Any, old: Entity) -> None:
        """Raise RefusedError unless the body carries the version that is kept."""
        version = body.get("version") if isinstance(body, dict) else None
        if version is None:
            raise bad_request("version: must not be null")
        if isinstance(version, bool) or version != old["version"]:
            message = f"{kind} {old['id']} has version {old['version']}, not {version}"
            raise RefusedError(self.behaviour.stale_version_status, message)

    def me(self) -> Entity:
        """Who the access key belongs to."""
        identity, born = self.identity, self._born
        audit = {"version": 1, "dtCreated": born, "dtLastModified": born}
        service_user = {"id": identity.service_user_id, "name": "m3sync", **audit}
        organization = {
            "id": identity.org_id,
            "orgId": identity.org_id,
            "organizationName": identity.name,
            **audit,
        }
        return {"serviceUser": service_user, "organization": organization}

    def users(self) -> list[Entity]:
        """The people of the organization, newest first."""
        audit = {"version": 1, "dtCreated": self._born, "dtLastModified": self._born}
        return [
            {
                "id": str(uuid.uuid5(uuid.UUID(self.identity.org_id), email)),
                "firstName": first_name,
                "lastName": last_name,
                "email": email,
                "organizations": [self.identity.org_id],
                "supportUser": False,
                "permissionPolicy": [],
                **audit,
            }
            for first_name, last_name, email in settings.PEOPLE
        ]

    def _read(self, kind: str, body: Any) -> Entity:
        fields = {"version": Field(type="integer"), **every_kind()[kind].fields}
        return shapes.checked(fields, body, refuse_unknown=self.behaviour.refuses_unknown_fields)

    def _write(self, kind: str, entity: Entity, old: Entity | None) -> Entity:
        complete = entity | derived.of(self.store, kind, entity, old)
        rules.check(self.store, kind, complete)
        self.store.tables[kind].put(complete)
        self._tell(every_kind()[kind].event, "updated" if old else "created", complete, old)
        return shown(complete)

    def _keep(self, kind: str, entity: Entity) -> Entity:
        added = derived.of(self.store, kind, entity, None)
        as_loaded = {
            name: entity[name] for name in added if name in entity and not isinstance(entity[name], list)
        }
        complete = entity | added | as_loaded
        self.store.tables[kind].put(complete)
        return complete

    def _stamped(self, entity: Entity, old: Entity | None) -> Entity:
        return {**entity, **self._stamps(old)}

    def _stamps(self, old: Entity | None) -> Entity:
        now = times.now_text(self.now())
        user = self.identity.service_user_id
        return {
            "id": old["id"] if old else str(uuid.uuid4()),
            "version": old["version"] + 1 if old else 1,
            "dtCreated": old["dtCreated"] if old else now,
            "dtLastModified": now,
            "createdBy": old["createdBy"] if old else user,
            "lastModifiedBy": user,
        }

    def _tell(self, name: str, done: str, new: Entity | None, old: Entity | None) -> None:
        if name:
            self.events.append(f"{name}.{done}", self._dto(new), self._dto(old))

    def _dto(self, entity: Entity | None) -> Entity | None:
        """An entity as events carry it: with its organization, and with its account's code."""
        if entity is None:
            return None
        account = self.store.find("Account", entity.get("accountId", ""))
        return (
            shown(entity)
            | {"orgId": self.identity.org_id}
            | ({"accountCode": account["code"]} if account else {})
        )


def shown(entity: Entity) -> Entity:
    """The entity without what only the sandbox needs to know."""
    return {key: value for key, value in entity.items() if not key.startswith("_")}
