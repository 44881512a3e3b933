"""Metadata files read safely: no DOCTYPE, no entities, only elements that the Metadata API documents."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any
from xml.parsers import expat

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_DEEPEST = 50


class MisfitError(Exception):
    """What is wrong with a component, in the Metadata API's words, and where."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


@dataclass(slots=True)
class Node:
    """One element: its name without the namespace, its text, its children, and where it begins."""

    name: str
    line: int
    column: int
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Node"]:
        """The children of a name."""
        return (each for each in self.children if each.name == name)

    def get(self, name: str) -> str:
        """The text of the first child of a name, empty without one."""
        return next((each.text.strip() for each in self.all(name)), "")

    def misfit(self, problem: str) -> MisfitError:
        """That this element is wrong."""
        return MisfitError(problem, self.line, self.column)


def read(content: bytes, kind: str) -> Node:
    """The root element of a component of a type; raises MisfitError."""
    parser = expat.ParserCreate(namespace_separator=" ")
    open_nodes: list[Node] = []
    roots: list[Node] = []

    def start(name: str, _attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        if space != NAMESPACE or len(open_nodes) >= _DEEPEST:
            raise MisfitError(f"Error parsing file: Element {name} is not in {NAMESPACE}", line, column)
        node = Node(local, line, column)
        (open_nodes[-1].children if open_nodes else roots).append(node)
        open_nodes.append(node)

    def end(_name: str) -> None:
        open_nodes.pop()

    def text(data: str) -> None:
        open_nodes[-1].text += data

    def doctype(*_declared: Any) -> None:
        raise MisfitError("Error parsing file: DOCTYPE is not allowed", parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        words = f"Error parsing file: {expat.ErrorString(error.code)}"
        raise MisfitError(words, error.lineno, error.offset + 1) from None
    if roots[0].name != kind:
        raise roots[0].misfit(f"Error parsing file: Unknown type {roots[0].name}, expected {kind}")
    _check(roots[0], kind)
    return roots[0]


def _check(node: Node, kind: str) -> None:
    known = _elements()[kind]
    for child in node.children:
        inner = known.get(child.name)
        if isinstance(inner, str):
            _check(child, inner)
        elif child.name == "plain" or child.name not in known["plain"]:
            where = f"({child.line}:{child.column})"
            name = f"{{{NAMESPACE}}}{child.name}"
            raise child.misfit(
                f"Error parsing file: Element {name} invalid at this location in type {kind} {where}"
            )


@cache
def _elements() -> Mapping[str, Mapping[str, Any]]:
    source = resources.files("connectors.sandbox.salesforce") / "metadata_elements.toml"
    return tomllib.loads(source.read_text("utf-8"))
