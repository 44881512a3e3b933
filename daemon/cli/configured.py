"""The TOML file of `apply` and `export`: credentials by name, field mappings, integrations."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from daemon.cli import reading
from daemon.cli.entity_settings import Given, wrong
from state.entity_models import EntityType, Namespace, Removal

_OF_ENTITIES = (
    *("entity", "namespace", "account_ids", "restricted_account_ids", "notify", "custom_fields"),
    *("schedule", "on_deletion", "on_leaving"),
)

_IN_OUR_WORDS = {
    "model_type": "it should be a table",
    "dict_type": "it should be a table",
    "list_type": "it should be a list",
    "string_type": "it should be a text",
    "bool_type": "it should be true or false",
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CredentialTable(_Table):
    """Which system a credential is for; never its secret."""

    system: Literal["salesforce", "m3ter"]


class MappingTable(_Table):
    """A field mapping's document, in place or in a file beside."""

    document: str | None = None
    file: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.document is None) == (self.file is None):
            raise ValueError("give either document or file")
        return self


class IntegrationTable(_Table):
    """One integration; a key that is left out stays as it is, or has its default in a new one."""

    flow: Literal["Account Sync", "Sales Agreement Sync", "Entity Data Sync"] | None = None
    mapping: str | None = None
    entity: EntityType | None = None
    namespace: Namespace | None = None
    account_ids: list[str] | None = None
    restricted_account_ids: list[str] | None = None
    notify: list[str] | None = None
    custom_fields: dict[str, str] | None = None
    schedule: str | None = None
    on_deletion: Removal | None = None
    on_leaving: Removal | None = None
    salesforce: str | None = None
    m3ter: str | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _is_of_one_flow(self) -> Self:
        if self.mapping is not None and self.is_of_entities:
            raise ValueError("mapping is for the flows to m3ter, and what stands beside it for the other")
        if self.mapping is not None and self.flow == "Entity Data Sync":
            raise ValueError("an Entity Data Sync has entity, and no mapping")
        if self.is_of_entities and self.flow not in (None, "Entity Data Sync"):
            raise ValueError("this flow has mapping, and nothing of an Entity Data Sync")
        return self

    @property
    def is_of_entities(self) -> bool:
        return any(getattr(self, name) is not None for name in _OF_ENTITIES)

    @property
    def given(self) -> Given:
        """What is said of an entity data sync."""
        return Given(
            entity_type=self.entity,
            namespace=self.namespace,
            account_ids=self.account_ids,
            restricted_account_ids=self.restricted_account_ids,
            notification_users=self.notify,
            custom_fields=self.custom_fields,
            schedule=self.schedule,
            on_deletion=self.on_deletion,
            on_leaving=self.on_leaving,
        )


class Document(_Table):
    """The whole file; what it does not name is left alone."""

    credentials: dict[str, CredentialTable] = {}
    mappings: dict[str, MappingTable] = {}
    integrations: dict[str, IntegrationTable] = {}


def read(file: Path) -> tuple[Document, dict[str, str]]:
    """The document and the text of each of its field mappings. Raises CommandFailed naming the place."""
    text, place = reading.text(file), reading.place(file)
    try:
        found = Document.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"{place} is not valid TOML: {error}.", "Mend that line; nothing was changed.") from None
    except (ValidationError, RecursionError) as error:
        raise _explained(place, error) from None
    return found, {name: _mapping(file, each) for name, each in found.mappings.items()}


def _mapping(file: Path, table: MappingTable) -> str:
    if table.document is not None:
        return table.document
    beside = Path() if file == reading.STANDARD_INPUT else file.parent
    return reading.text(beside / (table.file or ""))


def _explained(file: str, error: ValidationError | RecursionError) -> Exception:
    if isinstance(error, RecursionError):
        return wrong(f"{file} is nested too deeply.", "Write it as `m3sync export` does.")
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    where = f"[{'.'.join(place[:2])}]" + (f" {'.'.join(place[2:])}" if place[2:] else "")
    if first["type"] == "extra_forbidden":
        return wrong(f"{file}: {where} is not known.", _nearest(place))
    reason = _IN_OUR_WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    reason = reason.replace("Input should be", "it should be")
    given = "" if isinstance(first["input"], dict) else f", not {str(first['input'])[:60]!r}"
    return wrong(
        f"{file}: {where}: {reason[:1].lower()}{reason[1:]}{given}.", "Mend it; nothing was changed."
    )


def _nearest(place: list[str]) -> str:
    tables: dict[str, type[BaseModel]] = {
        "credentials": CredentialTable,
        "mappings": MappingTable,
        "integrations": IntegrationTable,
    }
    known = list(tables) if len(place) < 3 else list(tables[place[0]].model_fields)
    near = difflib.get_close_matches(place[-1], known, n=1)
    return f'Did you mean "{near[0]}"?' if near else f"Known there: {', '.join(known)}."
