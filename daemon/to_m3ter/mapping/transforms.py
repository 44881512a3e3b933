"""The closed list of named transforms of one value on its way from Salesforce to m3ter."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from daemon.to_m3ter.mapping import conversions


@dataclass(frozen=True, slots=True)
class Transform:
    """One named transform.

    `accepts` and `gives` are JSON kinds ("text", "number", "date", "date-time", "boolean"; "any" accepts all,
    "same" gives what came in), used by `check`. `argument` is what follows the colon: "", "number" or "text".
    """

    name: str
    change: Callable[[Any, str], Any]
    accepts: frozenset[str]
    gives: str
    argument: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Step:
    """One transform as a document names it, with its argument."""

    transform: Transform
    argument: str

    @property
    def text(self) -> str:
        return f"{self.transform.name}:{self.argument}" if self.transform.argument else self.transform.name


REGISTRY: dict[str, Transform] = {}


def parse(text: str) -> Step:
    """Read `name` or `name:argument`. Raises ValueError saying what is wrong with it."""
    name, colon, argument = text.partition(":")
    transform = REGISTRY.get(name)
    if transform is None:
        message = f"there is no transform {name[:60]!r}; the transforms are {', '.join(sorted(REGISTRY))}"
        raise ValueError(message)
    if not transform.argument and colon:
        message = f"the transform {name!r} takes no argument"
        raise ValueError(message)
    if transform.argument and not argument:
        message = f"the transform {name!r} needs an argument after a colon, as in {example(transform)!r}"
        raise ValueError(message)
    if transform.argument == "number" and not (
        argument.isascii() and argument.isdigit() and len(argument) < 6
    ):
        message = f"the transform {name!r} needs a whole number, as in {example(transform)!r}"
        raise ValueError(message)
    if name == "truncate" and int(argument) == 0:
        message = "the transform 'truncate' must keep at least one character"
        raise ValueError(message)
    if name == "replace" and not argument.partition("=>")[0]:
        message = "the transform 'replace' is written 'replace:OLD=>NEW', and OLD must not be empty"
        raise ValueError(message)
    return Step(transform, argument)


def example(transform: Transform) -> str:
    examples = {
        "suffix": "suffix:-SF",
        "replace": "replace:_=>-",
        "default": "default:USD",
        "round": "round:2",
    }
    fallback = "50" if transform.argument == "number" else "SF-"
    return examples.get(transform.name, f"{transform.name}:{fallback}")


def apply(steps: tuple[Step, ...], value: Any) -> Any:
    """Run the steps in order. Only `default` sees an empty value; a list is changed item by item.

    Raises ValueError, whose text says which value could not be changed and why.
    """
    if isinstance(value, list):
        changed = [apply(steps, item) for item in value]
        return [item for item in changed if item is not None]
    for step in steps:
        if conversions.is_empty(value):
            value = step.argument if step.transform.name == "default" else None
        elif step.transform.name != "default":
            value = step.transform.change(value, step.argument)
    return None if conversions.is_empty(value) else value


def _register(name: str, change: Callable[[Any, str], Any], kinds: str, purpose: str) -> None:
    """`kinds` reads "accepted|accepted -> given :argument"."""
    flow, _, argument = kinds.partition(":")
    accepted, _, given = flow.partition("->")
    accepts = frozenset(accepted.strip().split("|"))
    REGISTRY[name] = Transform(name, change, accepts, given.strip(), argument.strip(), purpose)


def _date(value: Any, _: str) -> str:
    return conversions.as_moment(value).date().isoformat()


def _start_of_day(value: Any, _: str) -> str:
    return conversions.written(
        conversions.as_moment(value).replace(hour=0, minute=0, second=0, microsecond=0)
    )


def _day_after(value: Any, _: str) -> str:
    moment = conversions.as_moment(value)
    if moment.date() == date.max:
        message = f"{conversions.shown(value)} has no day after it"
        raise ValueError(message)
    following = moment + timedelta(days=1)
    is_plain_date = conversions.DATE.fullmatch(conversions.as_text(value).strip()) is not None
    return following.date().isoformat() if is_plain_date else conversions.written(following)


def _line(value: Any, number: int) -> str | None:
    lines = [line.strip() for line in conversions.as_text(value).splitlines() if line.strip()]
    return lines[number] if number < len(lines) else None


def _strip_control(value: Any, _: str) -> str:
    text = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in conversions.as_text(value)
    )
    return " ".join(text.split())


def _slug(value: Any, _: str) -> str:
    plain = unicodedata.normalize("NFKD", conversions.as_text(value)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _currency_code(value: Any, _: str) -> str:
    text = conversions.as_text(value).strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", text, re.ASCII):
        message = f"{conversions.shown(value)} is not a currency code of three letters"
        raise ValueError(message)
    return text


def _replace(value: Any, argument: str) -> str:
    old, _, new = argument.partition("=>")
    return conversions.as_text(value).replace(old, new)


def _round(value: Any, places: str) -> Decimal:
    try:
        return conversions.as_decimal(value).quantize(Decimal(1).scaleb(-int(places)), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        message = f"{conversions.shown(value)} cannot be rounded to {places} places"
        raise ValueError(message) from None


_TEXT = "text|number|boolean|date|date-time"
_register(
    "trim",
    lambda v, _: conversions.as_text(v).strip(),
    f"{_TEXT} -> text",
    "Remove white space at both ends.",
)
_register("upper", lambda v, _: conversions.as_text(v).upper(), f"{_TEXT} -> text", "Make capital letters.")
_register("lower", lambda v, _: conversions.as_text(v).lower(), f"{_TEXT} -> text", "Make small letters.")
_register(
    "truncate",
    lambda v, n: conversions.as_text(v)[: int(n)].rstrip(),
    f"{_TEXT} -> text : number",
    "Keep at most so many characters.",
)
_register("first_line", lambda v, _: _line(v, 0), f"{_TEXT} -> text", "The first line that is not empty.")
_register("second_line", lambda v, _: _line(v, 1), f"{_TEXT} -> text", "The second line that is not empty.")
_register("third_line", lambda v, _: _line(v, 2), f"{_TEXT} -> text", "The third line that is not empty.")
_register(
    "strip_control",
    _strip_control,
    f"{_TEXT} -> text",
    "Turn line ends, tabs and control characters into single spaces.",
)
_register("default", lambda v, _: v, "any -> same : text", "Use this text when there is no value.")
_register("date", _date, "date|date-time|text -> date", "The day, in UTC, of a date-time.")
_register(
    "date_time",
    lambda v, _: conversions.written(conversions.as_moment(v)),
    "date|date-time|text -> date-time",
    "A date-time in m3ter's form; a date becomes its midnight in UTC.",
)
_register(
    "start_of_day",
    _start_of_day,
    "date|date-time|text -> date-time",
    "Midnight, in UTC, of the day.",
)
_register(
    "day_after",
    _day_after,
    "date|date-time|text -> same",
    "One day later: Salesforce's last day becomes m3ter's exclusive end date.",
)
_register(
    "decimal", lambda v, _: conversions.as_decimal(v), "text|number -> number", "Read a text as a number."
)
_register(
    "integer",
    lambda v, _: conversions.as_integer(v),
    "text|number -> integer",
    "A whole number; refuses fractions.",
)
_register("round", _round, "text|number -> number : number", "Round half up to so many decimal places.")
_register(
    "percent_to_fraction",
    lambda v, _: conversions.as_decimal(v) / 100,
    "text|number -> number",
    "Divide by 100, as 15 (per cent) becomes 0.15.",
)
_register(
    "boolean",
    lambda v, _: conversions.as_boolean(v),
    "text|number|boolean -> boolean",
    "true/false, yes/no, 1/0.",
)
_register(
    "string",
    lambda v, _: conversions.as_text(v),
    f"{_TEXT} -> text",
    "Write a number or a truth value as text.",
)
_register("currency_code", _currency_code, "text -> text", "Three capital letters, or an error.")
_register(
    "code",
    _strip_control,
    f"{_TEXT} -> text",
    "A m3ter code: no control characters, no spaces at the ends, single spaces inside.",
)
_register("slug", _slug, f"{_TEXT} -> text", "Small letters, digits and hyphens only.")
_register(
    "prefix", lambda v, a: a + conversions.as_text(v), f"{_TEXT} -> text : text", "Put this text in front."
)
_register(
    "suffix", lambda v, a: conversions.as_text(v) + a, f"{_TEXT} -> text : text", "Put this text behind."
)
_register(
    "replace", _replace, f"{_TEXT} -> text : text", "Replace OLD by NEW everywhere: `replace:OLD=>NEW`."
)
