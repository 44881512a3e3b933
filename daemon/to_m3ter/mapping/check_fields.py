"""Proving one mapped field: that m3ter has it, and that what feeds it fits in type and length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from connectors.m3ter import shapes
from daemon.to_m3ter.mapping import described, expressions, flows, limits, transforms, values

# What an id in a m3ter field must be the id of.
IDS = {
    "accountId": "Account",
    "contractId": "Contract",
    "planId": "Plan",
    "billingPlanId": "Plan",
    "planTemplateId": "PlanTemplate",
    "aggregationId": "Aggregation",
    "compoundAggregationId": "CompoundAggregation",
    "productIds": "Product",
    "accountingProductId": "Product",
    "feesAccountingProductId": "Product",
    "drawdownsAccountingProductId": "Product",
    "minimumSpendAccountingProductId": "Product",
    "standingChargeAccountingProductId": "Product",
}
ACCEPTED = {
    "string": {"text", "date", "date-time", "any"},
    "email": {"text", "any"},
    "date": {"date", "any"},
    "date-time": {"date-time", "any"},
    "integer": {"integer", "any"},
    "number": {"number", "integer", "any"},
    "boolean": {"boolean", "any"},
    "custom": {"text", "number", "integer", "date", "date-time", "any"},
}
WORDS = {
    "string": "a text",
    "text": "a text",
    "email": "an e-mail address",
    "integer": "a whole number",
    "boolean": "true or false",
    "custom": "a text or a number",
}
REMEDY = {
    "string": 'Add the transform "string".',
    "date": 'Add the transform "date", or map a date field.',
    "date-time": 'Add the transform "start_of_day", or map a date-time field.',
    "integer": 'Add the transform "integer".',
    "number": 'Add the transform "decimal", or map a number field.',
    "boolean": 'Add the transform "boolean", or map a checkbox.',
    "custom": 'Add the transform "string".',
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` found: an error keeps records from being synced, a warning may keep some from it."""

    severity: Literal["error", "warning"]
    where: str
    message: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One mapped field under proof: its entity, m3ter field and value, and where its paths begin."""

    kind: str
    target: str
    value: values.Value
    object_name: str
    prefix: expressions.Path

    @property
    def where(self) -> str:
        return f"objects.{self.kind}.fields.{self.target}"


def check_field(asked: Asked, describes: described.Describes, shape: shapes.Shape) -> Iterator[Finding]:
    """The findings on one entry of `fields`, and on the entries of its `each`."""
    found = shape.find(asked.target)
    if found is None:
        whole, _, part = asked.target.partition(".")
        table = shape.fields.get(whole)
        names = table.fields if part and table else shape.fields
        message = f"A m3ter {asked.kind} has no field {asked.target}."
        instruction = f"{described.near(part or whole, names)}Correct the name, or remove it."
        yield Finding("error", asked.where, message, instruction)
    elif asked.value.each is None:
        yield from _check_value(asked, describes, found)
    elif found.items is None or not found.items.fields:
        message = f"{asked.target} of a m3ter {asked.kind} is no list of tables, so `each` cannot make it."
        yield Finding("error", asked.where, message, "Use path, literal or jmespath.")
    else:
        yield from _check_each(asked, describes, found.items.fields)


def _check_each(
    asked: Asked, describes: described.Describes, fields: Mapping[str, shapes.FieldShape]
) -> Iterator[Finding]:
    each, parts = asked.value.each, asked.value.parts
    for name, part in fields.items():
        if part.required and name not in parts:
            message = f"m3ter requires {name} in each item of {asked.target}, and it is not mapped."
            yield Finding("error", f"{asked.where}.fields", message, f"Map {name}.")
    base = each.bases[0] if each and len(each.bases) == 1 else None
    for name, part_value in parts.items():
        if name not in fields:
            message = f"An item of {asked.target} has no field {name}."
            instruction = f"{described.near(name, fields)}Correct the name, or remove it."
            yield Finding("error", f"{asked.where}.fields", message, instruction)
        elif base is not None:
            target = f"{asked.target}.fields.{name}"
            inner = replace(asked, target=target, value=part_value, prefix=(*asked.prefix, *base))
            yield from _check_value(inner, describes, fields[name])


def _check_value(asked: Asked, describes: described.Describes, shape: shapes.FieldShape) -> Iterator[Finding]:
    value = asked.value
    if value.object or value.lookup:
        yield from _check_id(asked, value.object or value.lookup or "")
    elif value.path is not None:
        path = (*asked.prefix, *value.path.split("."))
        answer = described.find(describes, asked.object_name, path, len(asked.prefix))
        if isinstance(answer, described.Known):
            yield from _check_path(asked, answer, shape)
    elif value.jmespath is not None:
        yield from _check_flow(asked, flows.Flow(frozenset({"any"}), may_be_empty=False), shape)
    else:
        yield from _check_literal(asked, shape)


def _check_id(asked: Asked, given: str) -> Iterator[Finding]:
    expected = IDS.get(asked.target)
    if expected is None:
        message = f"{asked.target} of a m3ter {asked.kind} is no id, and the id of {given} is given."
        yield Finding("error", asked.where, message, "Use path, literal or jmespath.")
    elif expected != given:
        message = f"{asked.target} takes the id of {expected}, not of {given}."
        yield Finding("error", asked.where, message, f"Name {expected} instead of {given}.")


def _check_path(asked: Asked, known: described.Known, shape: shapes.FieldShape) -> Iterator[Finding]:
    if known.kind == "compound":
        message = f"{known.object_name}.{known.name} is a compound of several fields."
        yield Finding("error", asked.where, message, "Map one of the fields it is made of.")
        return
    length = known.length if known.kind == "text" else 0
    yield from _check_flow(asked, flows.Flow(frozenset({known.kind}), length, known.is_nillable), shape)


def _check_flow(asked: Asked, flow: flows.Flow, shape: shapes.FieldShape) -> Iterator[Finding]:
    made = flows.through(asked.value.transform, flow)
    if isinstance(made, str):
        message = f"{made[:1].upper()}{made[1:]}, and that is what {asked.value.origin} gives."
        yield Finding("error", asked.where, message, "Remove it, or put a transform before it.")
        return
    target = (shape.items or shape) if shape.type == "array" else shape
    kind = "custom" if asked.target.startswith("customFields.") else target.type
    accepted = ACCEPTED.get(kind)
    if accepted is None:
        message = f"{asked.target} of a m3ter {asked.kind} is a table."
        yield Finding("error", asked.where, message, f"Map its parts, as {asked.target}.NAME.")
        return
    refused = made.kinds - accepted
    if refused:
        given = " or ".join(WORDS.get(word, f"a {word}") for word in sorted(refused))
        message = f"m3ter takes {WORDS.get(kind, f'a {kind}')} here, and {asked.value.origin} gives {given}."
        yield Finding("error", asked.where, message, REMEDY.get(kind, "Map another field."))
    if target.max_length is not None and made.length > target.max_length:
        message = (
            f"{asked.value.origin} may have {made.length} characters, and m3ter takes {target.max_length}."
        )
        instruction = f'Longer ones are refused; the transform "truncate:{target.max_length}" would cut them.'
        yield Finding("warning", asked.where, message, instruction)
    if shape.required and made.may_be_empty:
        message = f"m3ter requires this field, and {asked.value.origin} may be empty."
        instruction = 'Records where it is empty are refused; the transform "default:…" would fill it in.'
        yield Finding("warning", asked.where, message, instruction)


def _check_literal(asked: Asked, shape: shapes.FieldShape) -> Iterator[Finding]:
    try:
        made = transforms.apply(asked.value.transform, asked.value.literal)
    except ValueError as error:
        yield Finding(
            "error", asked.where, f"The transform fails: {error}.", "Remove it, or change the literal."
        )
        return
    whole, _, part = asked.target.partition(".")
    if part and whole == "customFields":
        problems = limits.problems_of(shapes.FieldShape("map"), {part: made}, whole)
    else:
        problems = limits.problems_of(shape, made, asked.target)
    for problem in problems:
        message = f"{problem.target} {problem.message}."
        yield Finding("error", asked.where, message, problem.instruction or "Change the literal.")
