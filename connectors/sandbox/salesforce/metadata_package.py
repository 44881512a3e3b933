"""A deployment's ZIP: its files by component, held against its package.xml."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from connectors.sandbox.salesforce.metadata_xml import MisfitError, read

FOLDERS = {
    "objects": ("CustomObject", ".object"),
    "tabs": ("CustomTab", ".tab"),
    "layouts": ("Layout", ".layout"),
    "permissionsets": ("PermissionSet", ".permissionset"),
    "applications": ("CustomApplication", ".app"),
}
MOST_FILES = 10_000
LARGEST_UNZIPPED = 400 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the package: the component that it holds."""

    kind: str
    full_name: str
    file_name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A component that is refused: what is wrong, and where in its file."""

    kind: str
    full_name: str
    file_name: str
    problem: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Package:
    """What is to be deployed, and what of it cannot even be looked at."""

    sources: tuple[Source, ...]
    failures: tuple[Failure, ...]


def opened(content: bytes) -> Package:
    """The package in a ZIP; raises MisfitError when there is none."""
    files = _files(content)
    manifests = [name for name in files if name.rpartition("/")[2] == "package.xml"]
    if not manifests:
        raise MisfitError("No package.xml found")
    root = min(manifests, key=len).removesuffix("package.xml")
    wanted = _wanted(files[f"{root}package.xml"])
    sources: list[Source] = []
    failures: list[Failure] = []
    for name, body in files.items():
        if name in manifests or not name.startswith(root):
            continue
        source = _source(name, name.removeprefix(root), body)
        if source is None:
            failures.append(Failure("", name, name, f"Unknown file of a package: {name}"))
        elif not {source.full_name, "*"} & wanted.get(source.kind, set()):
            failures.append(Failure(source.kind, source.full_name, name, "Not in package.xml"))
        else:
            sources.append(source)
    there = {(each.kind, each.full_name) for each in sources}
    for kind, members in wanted.items():
        for member in sorted(members - {"*"}):
            if (kind, member) not in there and kind != "CustomField":
                problem = (
                    f"An object '{member}' of type {kind} was named in package.xml, but was not found in "
                    "zipped directory"
                )
                failures.append(Failure(kind, member, f"{root}package.xml", problem))
    return Package(tuple(sources), tuple(failures))


def _files(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
            if len(entries) > MOST_FILES or sum(each.file_size for each in entries) > LARGEST_UNZIPPED:
                raise MisfitError(
                    f"LIMIT_EXCEEDED: a package has up to {MOST_FILES} files of 400 MB together"
                )
            return {each.filename: archive.read(each) for each in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise MisfitError(f"Failed to process zip file: {error}") from error


def _wanted(manifest: bytes) -> Mapping[str, set[str]]:
    node = read(manifest, "Package")
    if not node.get("version"):
        raise node.misfit("Required field is missing: version")
    wanted: dict[str, set[str]] = {}
    for each in node.all("types"):
        members = {member.text.strip() for member in each.all("members")}
        wanted.setdefault(each.get("name"), set()).update(members)
    known = {kind for kind, _ in FOLDERS.values()} | {"CustomField"}
    for kind in wanted:
        if kind not in known:
            raise node.misfit(f"Unknown type name '{kind}' specified in package.xml")
    return wanted


def _source(file_name: str, path: str, body: bytes) -> Source | None:
    folder, _, name = path.partition("/")
    kind, ending = FOLDERS.get(folder, ("", ""))
    if not kind or not name.endswith(ending) or "/" in name:
        return None
    return Source(kind, unquote(name.removesuffix(ending)), file_name, body)
