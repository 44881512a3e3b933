"""What an org refuses of single rows: its validation and duplicate rules, rows locked, and lost races."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox.salesforce import ids, values
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.salesforce.values import Row

_STRICT = ConfigDict(extra="forbid", populate_by_name=True)


class Test(StrEnum):
    """How a field's value is compared; an empty field is only ever `blank` or different."""

    EQUALS = "equals"
    DIFFERS = "differs"
    ABOVE = "above"
    BELOW = "below"
    CONTAINS = "contains"
    BLANK = "blank"
    FILLED = "filled"


class FieldRule(BaseModel):
    """What every rule names: a field of an object, in any case."""

    model_config = _STRICT
    object: str
    field: str


class Validation(FieldRule):
    """A validation rule: rows of the object are refused whose field is so. `test` is called `is`."""

    test: Test = Field(alias="is")
    value: Any = None
    message: str
    error_field: str | None = None


class Duplicates(FieldRule):
    """A duplicate rule that blocks: no new row of the object with a field's value that another has."""


class Lock(FieldRule):
    """Rows that somebody else holds: each of the values (ids, or of a field) is refused `times` times."""

    field: str = "Id"
    values: list[str] = Field(min_length=1)
    times: int = Field(default=1, ge=1)


class Race(FieldRule):
    """External ids that somebody else creates just before an upsert does."""

    values: list[str] = Field(min_length=1)


class Rules(BaseModel):
    """All of them, as the control API takes them."""

    model_config = _STRICT
    validations: list[Validation] = []
    duplicates: list[Duplicates] = []
    locks: list[Lock] = []
    races: list[Race] = []


class RowRules:
    """The rules of one org; without any, nothing is refused."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._validations: list[Validation] = []
        self._duplicates: list[tuple[str, str]] = []
        self._locks: dict[tuple[str, str, str], int] = {}
        self._races: set[tuple[str, str, str]] = set()

    def add(self, rules: Rules) -> None:
        """Add rules, all or none; raises ValueError when one names an object or a field that is not there."""
        named: list[FieldRule] = [*rules.validations, *rules.duplicates, *rules.locks, *rules.races]
        for each in named:
            each.object, each.field = self._known(each.object, each.field)
        for rule in rules.validations:
            if rule.error_field is not None:
                rule.error_field = self._known(rule.object, rule.error_field)[1]
        self._validations += rules.validations
        self._duplicates += [(each.object, each.field) for each in rules.duplicates]
        for lock in rules.locks:
            for value in lock.values:
                self._locks[lock.object, lock.field, _as_key(lock.field, value)] = lock.times
        for race in rules.races:
            self._races |= {(race.object, race.field, value.lower()) for value in race.values}

    def clear(self) -> None:
        """Let everything pass again."""
        self._validations.clear()
        self._duplicates.clear()
        self._locks.clear()
        self._races.clear()

    def check(self, owner: SObject, row: Row) -> None:
        """Refuse a row that is about to be stored; raises SalesforceError."""
        self.check_lock(owner, row)
        for rule in self._validations:
            if rule.object == owner.name and _applies(owner, rule, row.get(rule.field)):
                fields = () if rule.error_field is None else (rule.error_field,)
                raise SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, fields)

    def check_lock(self, owner: SObject, row: Row) -> None:
        """Refuse to touch a row that somebody else holds; raises SalesforceError UNABLE_TO_LOCK_ROW."""
        for key, times in self._locks.items():
            object_name, field, value = key
            if object_name == owner.name and value == _as_key(field, str(row.get(field))):
                self._locks[key] = times - 1
                if times == 1:
                    del self._locks[key]
                which = f" or 1 records: {row['Id']}" if "Id" in row else ""
                message = f"unable to obtain exclusive access to this record{which}"
                raise SalesforceError("UNABLE_TO_LOCK_ROW", message, ())

    def check_duplicates(self, owner: SObject, row: Row, find: Callable[[str, Any], bool]) -> None:
        """Refuse a new row like another; `find` says whether a live row has that value in that field."""
        for object_name, field in self._duplicates:
            value = row.get(field)
            if object_name == owner.name and value is not None and find(field, value):
                raise SalesforceError("DUPLICATES_DETECTED", "Use one of these records?", ())

    def loses_race(self, owner: SObject, field_name: str, value: object) -> bool:
        """Whether somebody else creates this external id just now; it happens once."""
        key = (owner.name, field_name, str(value).lower())
        if key not in self._races:
            return False
        self._races.remove(key)
        return True

    def _known(self, object_name: str, field_name: str) -> tuple[str, str]:
        owner = self._schema.find(object_name)
        field = None if owner is None else owner.find(field_name)
        if owner is None or field is None:
            raise ValueError(f"There is no field {object_name}.{field_name}.")
        return owner.name, field.name


def _as_key(field_name: str, value: str) -> str:
    return (ids.normalize(value) or value) if field_name == "Id" else value.lower()


def _applies(owner: SObject, rule: Validation, held: Any) -> bool:
    match rule.test:
        case Test.BLANK:
            return held is None
        case Test.FILLED:
            return held is not None
    wanted = values.coerce(owner.fields[rule.field.lower()], _exact(rule.value))
    match rule.test:
        case Test.EQUALS:
            return bool(held == wanted)
        case Test.DIFFERS:
            return bool(held != wanted)
        case Test.CONTAINS:
            return isinstance(held, str) and str(rule.value) in held
        case Test.ABOVE:
            return held is not None and bool(held > wanted)
        case Test.BELOW:
            return held is not None and bool(held < wanted)


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value
