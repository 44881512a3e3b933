"""What a deployment would do to the org: each component looked at, in order or refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce import metadata_fields
from connectors.sandbox.salesforce.metadata_package import Failure, Package, Source
from connectors.sandbox.salesforce.metadata_xml import MisfitError, Node, read
from connectors.sandbox.salesforce.schema import Schema

Others = Mapping[str, set[str]]
OTHER_KINDS = ("CustomTab", "CustomApplication", "Layout", "PermissionSet")


@dataclass(frozen=True, slots=True)
class Success:
    """A component that is in order."""

    kind: str
    full_name: str
    file_name: str
    is_new: bool


@dataclass(slots=True)
class Plan:
    """The outcome: `document` is for the schema, `others` names tabs, layouts and so on by kind."""

    document: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in OTHER_KINDS})
    successes: list[Success] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Planner:
    """Looks at a package against the schema and against the tabs, layouts and so on that there are."""

    def __init__(self, schema: Schema, held: Others) -> None:
        self._schema = schema
        self._held = held
        self._plan = Plan()

    def plan(self, package: Package) -> Plan:
        """The plan of a package."""
        self._plan.failures += package.failures
        read_ones = [(source, self._read(source)) for source in package.sources]
        nodes = [(source, node) for source, node in read_ones if node is not None]
        objects = [(source, node) for source, node in nodes if source.kind == "CustomObject"]
        for source, node in objects:
            self._object(source, node)
        for source, node in objects:
            for each in node.all("fields"):
                self._field(source, each)
        looks: dict[str, Callable[[Source, Node], None]] = {
            "CustomTab": self._tab,
            "CustomApplication": self._application,
            "Layout": self._layout,
            "PermissionSet": self._permission_set,
        }
        for kind, look in looks.items():
            for source, node in nodes:
                if source.kind == kind:
                    self._other(source, node, look)
        return self._plan

    def _read(self, source: Source) -> Node | None:
        try:
            return read(source.content, source.kind)
        except MisfitError as error:
            self._refuse(source, error)
            return None

    def _object(self, source: Source, node: Node) -> None:
        name = source.full_name
        try:
            declared = metadata_fields.declared_object(self._schema, name, node)
        except MisfitError as error:
            self._refuse(source, error)
            return
        self._plan.document[name] = {**declared, "fields": {}}
        is_new = self._schema.find(name) is None
        self._plan.successes.append(Success("CustomObject", name, source.file_name, is_new))

    def _field(self, source: Source, node: Node) -> None:
        owner = source.full_name
        whole = Source("CustomField", f"{owner}.{node.get('fullName')}", source.file_name, b"")
        target = self._plan.document.get(owner)
        try:
            spec = metadata_fields.declared_field(self._schema, owner, node, self._plan.document)
            if target is None:
                raise node.misfit(f"Entity of type 'CustomObject' named '{owner}' cannot be found")
        except MisfitError as error:
            self._refuse(whole, error)
            return
        is_new = not self._has_field(owner, node.get("fullName"))
        target["fields"][node.get("fullName")] = spec
        self._plan.successes.append(Success("CustomField", whole.full_name, source.file_name, is_new))

    def _other(self, source: Source, node: Node, look: Callable[[Source, Node], None]) -> None:
        try:
            look(source, node)
        except MisfitError as error:
            self._refuse(source, error)
            return
        self._plan.others[source.kind].add(source.full_name)
        is_new = source.full_name not in self._held[source.kind]
        self._plan.successes.append(Success(source.kind, source.full_name, source.file_name, is_new))

    def _tab(self, source: Source, node: Node) -> None:
        if node.get("customObject") != "true":
            raise node.misfit("Only tabs of custom objects can be deployed to this sandbox")
        if not node.get("motif"):
            raise node.misfit("Must specify a motif for the CustomTab")
        self._object_named(node, "customObject", source.full_name)

    def _application(self, _source: Source, node: Node) -> None:
        if not node.get("label"):
            raise node.misfit("Must specify a non-empty label for the CustomApplication")
        if node.get("uiType") == "Lightning" and next(node.all("formFactors"), None) is None:
            raise node.misfit("FormFactors is required for Lightning apps")
        for each in node.all("tabs"):
            self._named(each, "tab", "CustomTab", each.text.strip())

    def _layout(self, source: Source, node: Node) -> None:
        owner = source.full_name.partition("-")[0]
        self._object_named(node, "layout", owner)
        shown: set[str] = set()
        for section in node.all("layoutSections"):
            for column in section.all("layoutColumns"):
                for item in column.all("layoutItems"):
                    if item.get("field"):
                        self._field_named(item, f"{owner}.{item.get('field')}")
                        shown.add(item.get("field"))
        for name, spec in self._plan.document.get(owner, {"fields": {}})["fields"].items():
            if spec.get("required") and name not in shown:
                raise node.misfit(f"Layout must contain an item for required layout field: {name}")

    def _permission_set(self, _source: Source, node: Node) -> None:
        if not node.get("label"):
            raise node.misfit("Must specify a non-empty label for the PermissionSet")
        for each in node.all("objectPermissions"):
            self._object_named(each, "object", each.get("object"))
        for each in node.all("fieldPermissions"):
            self._field_named(each, each.get("field"))
            if self._is_required(each.get("field")):
                raise each.misfit(f"You cannot deploy to a required field: {each.get('field')}")
        for each in node.all("tabSettings"):
            self._named(each, "tab", "CustomTab", each.get("tab"))
        for each in node.all("applicationVisibilities"):
            self._named(each, "application", "CustomApplication", each.get("application"))

    def _object_named(self, node: Node, element: str, name: str) -> None:
        if self._schema.find(name) is None and name not in self._plan.document:
            raise node.misfit(f"In field: {element} - no CustomObject named {name} found")

    def _field_named(self, node: Node, full_name: str) -> None:
        owner, _, name = full_name.partition(".")
        if not self._has_field(owner, name):
            raise node.misfit(f"In field: field - no CustomField named {full_name} found")

    def _named(self, node: Node, element: str, kind: str, name: str) -> None:
        is_there = name in self._plan.others[kind] or name in self._held[kind] or name.startswith("standard")
        if not is_there:
            raise node.misfit(f"In field: {element} - no {kind} named {name} found")

    def _has_field(self, owner: str, name: str) -> bool:
        known = self._schema.find(owner)
        planned = self._plan.document.get(owner)
        if planned is not None and (name in planned["fields"] or name in {"Name", "OwnerId"}):
            return True
        return known is not None and known.find(name) is not None

    def _is_required(self, full_name: str) -> bool:
        owner, _, name = full_name.partition(".")
        planned = self._plan.document.get(owner, {"fields": {}})["fields"].get(name)
        if planned is not None:
            return bool(planned.get("required"))
        known = self._schema.find(owner)
        held = None if known is None else known.find(name)
        return held is not None and held.is_required

    def _refuse(self, source: Source, error: MisfitError) -> None:
        where = (error.problem, error.line, error.column)
        self._plan.failures.append(Failure(source.kind, source.full_name, source.file_name, *where))
