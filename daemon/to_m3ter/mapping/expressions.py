"""JMESPath over Salesforce records: compiled once, bounded, with Decimal for every number."""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from jmespath import exceptions, functions, parser, visitor

LONGEST = 2_000
WIDEST = 1_024  # how many copies of a value nested [..] and {..} may make
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)

Path = tuple[str, ...]


class DecimalFunctions(functions.Functions):
    """The JMESPath functions, for data whose numbers are Decimal (jmespath itself knows int and float)."""

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        kinds: list[str] = []
        inner: list[tuple[str, ...]] = []
        for name in types:
            outer, dash, item = name.partition("-")
            kinds.extend(_python_types(outer))
            if dash:
                inner.append(_python_types(item))
        return kinds, inner

    def _convert_to_jmespath_type(self, name: str) -> str:
        return "number" if name == "Decimal" else functions.TYPES_MAP.get(name, "unknown")

    @functions.signature({"types": []})
    def _func_to_number(self, value: Any) -> int | Decimal | None:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
            return None
        try:
            number = Decimal(value) if isinstance(value, str) else value
        except InvalidOperation:
            return None
        return number if Decimal(number).is_finite() else None

    @functions.signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, Decimal)):
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        message = "to_string takes a text, a number or a truth value"
        raise exceptions.JMESPathError(message)

    @functions.signature({"types": []})
    def _func_type(self, value: Any) -> str:
        return self._convert_to_jmespath_type(type(value).__name__)

    @functions.signature({"types": ["array-number"]})
    def _func_avg(self, values: list[Any]) -> Decimal | None:
        return sum(values, Decimal(0)) / len(values) if values else None


def _python_types(name: str) -> tuple[str, ...]:
    known = functions.REVERSE_TYPES_MAP[name]
    return (*known, "Decimal") if name == "number" else known


OPTIONS = visitor.Options(custom_functions=DecimalFunctions())


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `paths` are the fields it reads and `bases` where its value comes from, both relative to the record it is
    asked about; () is that record itself.
    """

    text: str
    paths: tuple[Path, ...] = field(compare=False)
    bases: tuple[Path, ...] = field(compare=False)
    _tree: parser.ParsedResult = field(compare=False, repr=False)

    def search(self, record: Any) -> Any:
        """The value over a record. Raises ValueError with JMESPath's own words."""
        try:
            return self._tree.search(record, options=OPTIONS)
        except (exceptions.JMESPathError, TypeError, ArithmeticError, ValueError) as error:
            raise ValueError(f"the expression {self.text!r} failed: {error}") from error

    def holds(self, record: Any) -> bool:
        """Truth as JMESPath has it: false, null and empty text, list or object are false; 0 is true."""
        found = self.search(record)
        return not (found is None or found is False or found in ("", [], {}))


def compile_expression(text: object) -> Expression:
    """Parse and bound an expression. Raises ValueError saying what is wrong with it."""
    if isinstance(text, bool):
        text = "`true`" if text else "`false`"
    if not isinstance(text, str):
        message = "an expression is a text in JMESPath"
        raise ValueError(message)
    if not text.strip() or len(text) > LONGEST:
        message = f"an expression has 1 to {LONGEST} characters, this one {len(text)}"
        raise ValueError(message)
    try:
        parsed = parser.Parser().parse(text)
        tree = _with_decimals(copy.deepcopy(parsed.parsed))
        _refuse_explosions(tree)
        found, bases = _read(tree)
    except RecursionError:
        message = "the expression is nested too deeply"
        raise ValueError(message) from None
    except (exceptions.JMESPathError, KeyError, IndexError) as error:
        said = " ".join(
            str(error).rstrip("^ \n").split()
        )  # jmespath points at the place on a line of its own
        message = f"this is not JMESPath: {said}"
        raise ValueError(message) from error
    return Expression(text, tuple(dict.fromkeys(_longest(found))), bases, parser.ParsedResult(text, tree))


def _with_decimals(node: Any) -> Any:
    """Make the numbers of literals Decimal, so that `0.1` is 0.1 and not its neighbour in binary."""
    if node["type"] == "literal":
        node["value"] = _decimal(node["value"])
    elif node["type"] != "slice":
        for child in node["children"]:
            _with_decimals(child)
    return node


def _decimal(value: Any) -> Any:
    if isinstance(value, float):
        number = Decimal(repr(value))
        if not number.is_finite():
            message = "a number in the expression is not finite"
            raise ValueError(message)
        return number
    if isinstance(value, list):
        return [_decimal(item) for item in value]
    if isinstance(value, dict):
        return {key: _decimal(item) for key, item in value.items()}
    return value


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    if node["type"] != "slice":
        for child in node["children"]:
            yield from _nodes(child)


def _refuse_explosions(tree: Any) -> None:
    """`[@,@] | [@,@] | …` doubles at each step: a short text could fill the memory."""
    width = 1
    for node in _nodes(tree):
        if node["type"] in ("multi_select_list", "multi_select_dict"):
            width *= len(node["children"])
        elif node["type"] == "function_expression":
            if node["value"] not in DecimalFunctions.FUNCTION_TABLE:
                message = f"there is no JMESPath function {node['value']}()"
                raise ValueError(message)
        elif node["type"] == "value_projection":
            message = "`.*` names no field, so nothing could be read from Salesforce for it: name the fields"
            raise ValueError(message)
        if width > WIDEST:
            message = "the expression nests too many [..] or {..}"
            raise ValueError(message)


def _longest(paths: list[Path]) -> list[Path]:
    """Drop the paths that only lead to others (Account in Account.Name)."""
    leading = {path[:end] for path in paths for end in range(1, len(path))}
    return [path for path in paths if path not in leading]


def _read(tree: Any) -> tuple[list[Path], tuple[Path, ...]]:
    found: list[Path] = []
    bases = _walk(tree, frozenset({()}), found)
    for path in found:
        for name in path:
            if not NAME.fullmatch(name):
                message = f"{name[:80]!r} is not the name of a Salesforce field"
                raise ValueError(message)
    return found, tuple(sorted(bases))


def _walk(node: Any, here: frozenset[Path], found: list[Path]) -> frozenset[Path]:
    """Collect the fields read below `node`; the answer is where its value comes from."""
    kind, children = node["type"], node["children"]
    match kind:
        case "field":
            reached = frozenset((*path, node["value"]) for path in here)
            found.extend(sorted(reached))
            return reached
        case "current" | "identity" | "index" | "slice":
            return here
        case "literal":
            return frozenset()
        case "subexpression" | "index_expression" | "pipe" | "projection" | "flatten":
            for child in children:
                here = _walk(child, here, found)
            return here
        case "filter_projection":
            left, right, condition = children
            base = _walk(left, here, found)
            _walk(condition, base, found)
            return _walk(right, base, found)
        case "function_expression":
            return _walk_function(children, here, found)
        case "or_expression" | "and_expression":
            return frozenset().union(*(_walk(child, here, found) for child in children))
        case _:  # comparisons, negations, [..] and {..}: their value is no longer a record of Salesforce
            for child in children:
                _walk(child, here, found)
            return frozenset()


def _walk_function(arguments: list[Any], here: frozenset[Path], found: list[Path]) -> frozenset[Path]:
    """A function's `&key` argument is read from the items of its list argument."""
    items: frozenset[Path] = frozenset()
    for argument in arguments:
        if argument["type"] != "expref":
            items |= _walk(argument, here, found)
    for argument in arguments:
        if argument["type"] == "expref":
            _walk(argument["children"][0], items, found)
    return items
