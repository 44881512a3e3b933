"""The field mapping document: TOML in, a checked Mapping out."""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Literal, Self

import pydantic
from pydantic import AfterValidator, Field

from daemon.to_m3ter.mapping import channels as channel_rules
from daemon.to_m3ter.mapping import errors, expressions, values

LARGEST = 100_000  # bytes of a document
LONGEST_LINE = 4_000  # characters; tomllib's time grows with the square of a dotted key's length
ORDER = ("Account", "Contract", "Commitment", "Plan", "Pricing", "AccountPlan")
ACCOUNT_SYNC, SALES_AGREEMENT_SYNC = "Account Sync", "Sales Agreement Sync"


class Criterion(values.Part):
    """Which parent records are synced: at each change while it holds, or only when it begins to hold."""

    holds: values.Compiled
    fires: Literal["each change", "on becoming true"] = "each change"
    fields: tuple[values.PathText, ...] = ()


class Line(values.Part):
    """A child relationship of the parent, and how a line's own change leads back to the parent."""

    object: values.NameText
    parent_field: values.NameText


def _source(text: str) -> str:
    return values.check_path(text) if text else text


class ObjectMapping(values.Part):
    """How one m3ter entity is made; `source` is "" (the parent) or a path, or the name of its lines."""

    source: Annotated[str, AfterValidator(_source)]
    only_if: values.Compiled | None = None
    do_not_sync: values.Compiled | None = None
    fields: dict[values.Target, values.ValueOrPath] = Field(min_length=1, max_length=200)

    @pydantic.model_validator(mode="after")
    def _targets_do_not_overlap(self) -> Self:
        for target in self.fields:
            whole, dot, _ = target.partition(".")
            if dot and whole in self.fields:
                message = f"{whole!r} is mapped as a whole and also in parts ({target!r})"
                raise ValueError(message)
        return self

    def reads(self) -> Iterator[tuple[str, expressions.Path]]:
        """The Salesforce fields read, relative to the source record, with the keys that read them."""
        for key, flag in (("only_if", self.only_if), ("do_not_sync", self.do_not_sync)):
            yield from ((key, path) for path in (flag.paths if flag else ()))
        for target, value in self.fields.items():
            yield from ((f"fields.{target}", path) for path in value.paths)

    def references(self) -> Iterator[tuple[str, str]]:
        """(m3ter field, entity) for each id taken from another object of the same sync."""
        for target, value in self.fields.items():
            for name, part in (
                (target, value),
                *((f"{target}.{name}", part) for name, part in value.parts.items()),
            ):
                if part.object:
                    yield name, part.object


class Mapping(values.Part):
    """A field mapping: which Salesforce record graph makes which m3ter entities, field by field."""

    name: str = Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}\z")
    description: str = Field(default="", max_length=1_000)
    flow: Literal["Account Sync", "Sales Agreement Sync"]
    parent: values.NameText
    criterion: Criterion | None = None
    on_delete: Literal["keep", "end billing"] = "keep"
    lines: dict[values.NameText, Line] = Field(default_factory=dict, max_length=10)
    objects: dict[values.Kind, ObjectMapping] = Field(min_length=1)
    # where changes are heard; absent: the change events of each object watched
    channels: dict[channel_rules.ChannelText, channel_rules.Pointer] | None = Field(
        default=None, min_length=1, max_length=20
    )

    @pydantic.model_validator(mode="after")
    def _references_go_back(self) -> Self:
        """An id can only be taken from an entity written earlier, so that no circle can arise."""
        for kind, made in self.objects.items():
            for target, other in made.references():
                where = f"objects.{kind}.fields.{target}"
                if other not in self.objects:
                    message = f"{where} takes the id of {other}, which this mapping does not make"
                    raise ValueError(message)
                if ORDER.index(other) >= ORDER.index(kind):
                    message = f"{where} takes the id of {other}, which is not written before {kind}"
                    raise ValueError(message)
                source = self.objects[other].source
                if source in self.lines and source != made.source:
                    message = f"{where} takes the id of {other}, of which there is one for each of {source}"
                    raise ValueError(message)
        return self

    @pydantic.model_validator(mode="after")
    def _accounts_are_made_here(self) -> Self:
        """The Account that a sync makes keeps its account from being in flight twice (README, promise 2)."""
        for kind, made in self.objects.items():
            account = made.fields.get("accountId")
            if account is not None and account.object != "Account":
                where = f"objects.{kind}.fields.accountId"
                message = "takes the account from elsewhere: make it by [objects.Account]"
                raise ValueError(f'{where} {message} and write {{ object = "Account" }}')
        return self

    @pydantic.model_validator(mode="after")
    def _what_is_ended_can_begin_again(self) -> Self:
        """A record that is restored takes its billing up again by the end date that the mapping gives."""
        for kind in ("Pricing", "AccountPlan"):  # m3ter wants the others' anyway
            made = self.objects.get(kind)
            if self.on_delete == "end billing" and made is not None and "endDate" not in made.fields:
                message = (
                    f"objects.{kind}.fields must map endDate when on_delete is 'end billing': "
                    "the end date that a restored record gets back"
                )
                raise ValueError(message)
        return self

    @pydantic.model_validator(mode="after")
    def _paths_are_short(self) -> Self:
        """Salesforce follows five relationships, counted from the parent or from the line."""
        for kind, made in self.objects.items():
            source = made.source.split(".") if made.source else []
            for key, path in made.reads():
                whole = [*source, *path]
                relationships = len(whole) - 1 - (whole[0] in self.lines)
                if relationships > 5:
                    message = (
                        f"objects.{kind}.{key} follows {relationships} relationships ({'.'.join(whole)})"
                    )
                    raise ValueError(f"{message}, and Salesforce follows five: use a formula field")
        return self

    @pydantic.model_validator(mode="after")
    def _channels_lead_to_records(self) -> Self:
        """Every event must mean a record whose change starts a sync here."""
        for channel, pointer in (self.channels or {}).items():
            wrong = channel_rules.problem(channel, pointer, self.objects_watched)
            if wrong is not None:
                raise ValueError(f'channels."{channel}" {wrong}')
        return self

    @property
    def in_order(self) -> tuple[tuple[str, ObjectMapping], ...]:
        """The entities in the order in which they are written to m3ter."""
        return tuple((kind, self.objects[kind]) for kind in ORDER if kind in self.objects)

    @property
    def objects_watched(self) -> dict[str, str | None]:
        """Salesforce objects to watch -> the field of a line with the parent's id (None: the parent)."""
        return {line.object: line.parent_field for line in self.lines.values()} | {self.parent: None}

    def watched_as(self, object_name: str) -> str | None:
        """An object as this mapping spells it, for Salesforce takes its name in any case; None: unwatched."""
        return spelled(object_name, self.objects_watched)

    def line_field(self, object_name: str) -> str | None:
        """By which a line names its parent; None for the parent itself, and for what is not watched."""
        return self.objects_watched.get(self.watched_as(object_name) or "")


def spelled(object_name: str, names: Iterable[str]) -> str | None:
    """The one of these names that means this object, in whatever case."""
    return next((each for each in names if each.lower() == object_name.lower()), None)


def channels(mapping: Mapping) -> list[str]:
    """The channels to hear: those of the document, or the change events of the objects watched."""
    return list(_pointers(mapping))


def channel_objects(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """For each channel, the objects to read again when something that was said on it is lost."""
    watched = _watched(mapping)
    return {
        channel: channel_rules.objects(channel, pointer, watched)
        for channel, pointer in _pointers(mapping).items()
    }


def pointers(mapping: Mapping) -> dict[str, channel_rules.Pointer]:
    """The channels whose events are not change events, each with the record that its events mean.

    Their silence says nothing: a record can change without any of them being owed.
    """
    return {channel: pointer for channel, pointer in _pointers(mapping).items() if pointer.object}


def _pointers(mapping: Mapping) -> dict[str, channel_rules.Pointer]:
    if mapping.channels is not None:
        return mapping.channels
    return {channel_rules.change_event(name): channel_rules.Pointer() for name in _watched(mapping)}


def _watched(mapping: Mapping) -> tuple[str, ...]:
    """The objects watched, the parent first."""
    return tuple(dict.fromkeys((mapping.parent, *mapping.objects_watched)))


def parse(text: str) -> Mapping:
    """Read a field mapping document. Raises MappingInvalid: what is wrong, where, and how to mend it."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        message = f"The document has {size} bytes; a field mapping has at most {LARGEST}."
        raise errors.MappingInvalid(message, instruction="Leave out what is not a field mapping.")
    longest = max(map(len, text.split("\n")))
    if longest > LONGEST_LINE:
        message = f"The document has a line of {longest} characters; a line has at most {LONGEST_LINE}."
        raise errors.MappingInvalid(message, instruction="Break it into several lines, or tables.")
    try:
        return Mapping.model_validate(tomllib.loads(text, parse_float=Decimal))
    except RecursionError:
        message = "The document is nested too deeply."
        raise errors.MappingInvalid(
            message, instruction="A field mapping nests five tables at most."
        ) from None
    except pydantic.ValidationError as error:
        raise _explained(error) from None
    except (
        ValueError,
        ArithmeticError,
    ) as error:  # TOMLDecodeError is a ValueError; numbers may be out of range
        raise errors.MappingInvalid(
            f"The document is not TOML: {error}.", instruction="Correct the TOML at that place."
        ) from error


REMEDIES = {
    "extra_forbidden": "There is no such key here: compare its spelling with docs/mappings.md, or remove it.",
    "missing": "Add this key.",
    "literal_error": "Use one of the words listed.",
    "string_type": "Write a text in quotation marks.",
    "dict_type": "Write a table here.",
    "model_type": "Write a table here.",
}


def _explained(error: pydantic.ValidationError) -> errors.MappingInvalid:
    """The first problem is the message; the number of the others, so that nobody thinks it was all."""
    problems = error.errors(include_url=False, include_input=False)
    first = problems[0]
    where = ".".join(
        str(part)[:80] for part in first["loc"] if part not in ("[key]", "dict[Target,ValueOrPath]")
    )
    message = first["msg"].removeprefix("Value error, ")
    if not where and message.startswith(
        ("objects.", "channels.")
    ):  # said of the whole document, but about one place in it
        where, _, message = message.partition(" ")
    others = f" ({len(problems) - 1} more problems in this document)" if len(problems) > 1 else ""
    return errors.MappingInvalid(
        f"{message[:1].upper()}{message[1:]}{others}.",
        where=where,
        instruction=REMEDIES.get(first["type"], "Correct it as docs/mappings.md describes."),
    )
