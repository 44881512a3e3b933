"""The values of a field mapping document: where each m3ter field comes from."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator

from daemon.to_m3ter.mapping import conversions, expressions, transforms

PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}(\.[A-Za-z][A-Za-z0-9_]{0,79}){0,5}", re.ASCII)
TARGET = re.compile(r"[a-z][A-Za-z0-9]{0,79}(\.[A-Za-z0-9_$ -]{1,100})?", re.ASCII)
SERVER_OWNED = frozenset({"id", "version", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy"})

Kind = Literal["Account", "Contract", "Commitment", "Plan", "Pricing", "AccountPlan"]
LookupKind = Literal["Product", "PlanTemplate", "Aggregation", "CompoundAggregation"]


def check_path(text: str) -> str:
    if not PATH.fullmatch(text):
        message = (
            f"{text[:80]!r} is not a path of Salesforce fields such as 'Name' or 'Account.Owner.Email' "
            "(at most five relationships)"
        )
        raise ValueError(message)
    return text


def _name(text: str) -> str:
    if not expressions.NAME.fullmatch(text):
        message = f"{text[:80]!r} is not the API name of a Salesforce object, field or relationship"
        raise ValueError(message)
    return text


def _target(text: str) -> str:
    if not TARGET.fullmatch(text):
        message = f"{text[:80]!r} is not a m3ter field such as 'name' or 'address.locality'"
        raise ValueError(message)
    if text.partition(".")[0] in SERVER_OWNED:
        message = f"{text!r} is kept by m3ter itself and cannot be mapped"
        raise ValueError(message)
    return text


def _steps(value: object) -> tuple[transforms.Step, ...]:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named) or len(named) > 20:
        message = "a transform is a text, or a list of at most 20 texts"
        raise ValueError(message)
    return tuple(transforms.parse(item) for item in named)


def _literal(value: object) -> object:
    """Dates and date-times of TOML become the texts that m3ter takes; numbers must be finite."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            message = "a literal date-time needs its zone, as in 2026-01-31T00:00:00Z"
            raise ValueError(message)
        return conversions.written(conversions.as_moment(value.isoformat()))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal) and not value.is_finite():
        message = "a literal number must be finite"
        raise ValueError(message)
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if not isinstance(value, (str, int, Decimal)):
        message = f"a literal cannot be a {type(value).__name__}"
        raise ValueError(message)
    return value


PathText = Annotated[str, AfterValidator(check_path)]
NameText = Annotated[str, AfterValidator(_name)]
Target = Annotated[str, AfterValidator(_target)]
Compiled = Annotated[
    expressions.Expression,
    PlainValidator(expressions.compile_expression),
    PlainSerializer(lambda expression: expression.text),
]
Steps = Annotated[
    tuple[transforms.Step, ...],
    PlainValidator(_steps),
    PlainSerializer(lambda steps: [step.text for step in steps]),
]
Literally = Annotated[Any, PlainValidator(_literal)]


class Part(pydantic.BaseModel):
    """A table of the document: unknown keys are refused, and nothing changes once it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Value(Part):
    """Where one m3ter field comes from: exactly one of path, literal, jmespath, object or each."""

    path: PathText | None = None
    literal: Literally = None
    jmespath: Compiled | None = None
    object: Kind | None = None
    each: Compiled | None = None
    lookup: LookupKind | None = None
    transform: Steps = ()
    # a list of paths beside `jmespath`, a table of values beside `each`
    fields: "tuple[PathText, ...] | dict[Target, ValueOrPath] | None" = None

    @pydantic.model_validator(mode="after")
    def _is_one_of_the_forms(self) -> Self:
        forms = [
            name
            for name in ("path", "literal", "jmespath", "object", "each")
            if getattr(self, name) is not None
        ]
        if len(forms) != 1:
            given = " and ".join(forms) or "none"
            message = f"give exactly one of path, literal, jmespath, object or each (given: {given})"
            raise ValueError(message)
        if forms[0] in ("object", "each") and (self.lookup or self.transform):
            message = f"'{forms[0]}' goes with neither lookup nor transform"
            raise ValueError(message)
        if forms[0] == "each" and not (self.parts and not any(part.each for part in self.parts.values())):
            message = "'each' needs a table 'fields' of plain values (without another 'each')"
            raise ValueError(message)
        if (forms[0] == "jmespath") < isinstance(self.fields, tuple) or (forms[0] == "each") < bool(
            self.parts
        ):
            message = "'fields' is a list of paths beside 'jmespath', or a table of values beside 'each'"
            raise ValueError(message)
        return self

    @property
    def parts(self) -> "dict[str, Value]":
        return self.fields if isinstance(self.fields, dict) else {}

    @property
    def paths(self) -> tuple[expressions.Path, ...]:
        """The Salesforce fields this value reads, relative to its source record."""
        if self.path is not None:
            return (tuple(self.path.split(".")),)
        if self.jmespath is not None:
            extra = self.fields if isinstance(self.fields, tuple) else ()
            return (*self.jmespath.paths, *(tuple(path.split(".")) for path in extra))
        if self.each is not None:
            inner = [path for part in self.parts.values() for path in part.paths]
            bases = self.each.bases
            return tuple(
                dict.fromkeys((*self.each.paths, *((*base, *path) for base in bases for path in inner)))
            )
        return ()

    @property
    def origin(self) -> str:
        """What feeds the field, in words for a message."""
        if self.path is not None:
            return self.path
        if self.jmespath is not None:
            return f"the expression {self.jmespath.text}"
        if self.each is not None:
            return f"each of {self.each.text}"
        return (
            f"the {self.object} of this sync"
            if self.object
            else f"the literal {conversions.shown(self.literal)}"
        )


def _value(given: object) -> object:
    return {"path": given} if isinstance(given, str) else given


ValueOrPath = Annotated[Value, BeforeValidator(_value)]
Value.model_rebuild()
