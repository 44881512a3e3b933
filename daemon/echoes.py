"""Tells echoes of our own writes to Salesforce from what others changed there, by content before all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.salesforce.models import ChangeEvent
from daemon import fingerprints
from state.own_writes import Expected, OwnWrite, Spent, Verdict, WriteKind

# Set by Salesforce on every write, and on every new record.
_STAMPS = frozenset(
    {"id", "lastmodifieddate", "lastmodifiedbyid", "systemmodstamp", "lastvieweddate", "lastreferenceddate"}
)
_BIRTH = frozenset({"createddate", "createdbyid", "ownerid", "recordtypeid", "currencyisocode", "isdeleted"})
_CUSTOM_CHANNEL = "__chn"


@dataclass(frozen=True, slots=True)
class Ours:
    """Who we are in change events: our user (15 or 18 characters), and the client name of our calls."""

    user_id: str
    client_name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One record's change, ready to be compared. `fields`: name -> hash, None where that cannot be known.

    `by_us` and `from_us`: what commitUser and the client in changeOrigin say; None where they say nothing.
    """

    object_name: str
    record_id: str
    change_type: str
    fields: Mapping[str, str | None]
    transaction_key: str = ""
    by_us: bool | None = None
    from_us: bool | None = None

    @property
    def contradicts(self) -> bool:
        """Another user, or another client under our user, says that it made this change."""
        return self.by_us is False or self.from_us is False

    @property
    def is_signed(self) -> bool:
        return self.from_us is True or (self.by_us is True and self.from_us is None)


@dataclass(slots=True)
class Sifted:
    """A verdict for each change, in order, and the expectations that are over."""

    verdicts: list[Verdict] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)


def update(object_name: str, record_id: str, fields: Mapping[str, object]) -> OwnWrite:
    """An update about to be sent, `fields` as the REST call has them."""
    return OwnWrite(object_name, record_id, fingerprints.of(object_name, fields))


def creation(object_name: str, fields: Mapping[str, object], key_field: str) -> OwnWrite:
    """A create about to be sent; `key_field` is among the fields and no other record has its value."""
    hashes = fingerprints.of(object_name, fields)
    return OwnWrite(object_name, "", hashes, WriteKind.CREATE, hashes[key_field.lower()])


def removal(object_name: str, record_id: str) -> OwnWrite:
    """A delete about to be sent."""
    return OwnWrite(object_name, record_id, kind=WriteKind.DELETE)


def seen(event: ChangeEvent, record_id: str, ours: Ours) -> Seen:
    """One record of a change event, by its content."""
    return Seen(
        event.object_name,
        record_id,
        event.change_type,
        _fields(event),
        event.transaction_key,
        None if not event.commit_user else event.commit_user[:15] == ours.user_id[:15],
        _is_from(event.change_origin, ours.client_name),
    )


def _is_from(origin: str, client_name: str) -> bool | None:
    """`com/salesforce/api/rest/67.0;client=m3sync`; options are separated by ";" or ", "."""
    _, *options = re.split(r"[;,]", origin)
    pairs = (option.strip().partition("=") for option in options)
    clients = [value.strip().rstrip("/") for name, _, value in pairs if name.strip().lower() == "client"]
    return client_name in clients if clients else None


def _fields(event: ChangeEvent) -> Mapping[str, str | None]:
    """What the event says to have changed, without what Salesforce itself stamps.

    A field that only the header names counts, of unknown content. On custom channels the body may carry
    unchanged fields besides (enrichment): there the header decides, if it names any.
    """
    found = fingerprints.of_event(event.object_name, event.payload)
    named = fingerprints.names(event.changed_fields, event.payload)
    if event.channel.endswith(_CUSTOM_CHANNEL) and named and event.change_type == WriteKind.UPDATE:
        found = {name: value for name, value in found.items() if name in named}
    for name in named - found.keys():
        found[name] = None
    return {name: value for name, value in found.items() if name not in _STAMPS}


def sift(changes: Sequence[Seen], expected: Sequence[Expected]) -> Sifted:
    """Judge the changes in their order, each expectation used once.

    No change is ever lost by it: what is expected of a record ends with the first event of it that is no
    echo, and with every sync of it. So an event is held back only if nothing but our own writes has happened
    to the record, in either system, since the write it is taken for: m3ter has this content already.
    """
    outcome = Sifted()
    waiting = [each for each in expected if not each.echo_of]
    for change in changes:
        if any(_is_same(change, each) for each in expected):
            outcome.verdicts.append(Verdict.ECHO)  # another integration heard it before
            continue
        related = [each for each in waiting if _concerns(each.write, change)]
        echoed = next((each for each in related if _is_echo_of(each, change, related)), None)
        over = _over(related, change, echoed)
        is_echo = echoed is not None and not change.contradicts
        outcome.verdicts.append(_verdict(change, is_echo=is_echo, was_expected=bool(over)))
        outcome.spent += [
            Spent(each.own_write_id, change.transaction_key, is_echo and each is echoed) for each in over
        ]
        waiting = [each for each in waiting if each not in over]
    return outcome


def _verdict(change: Seen, *, is_echo: bool, was_expected: bool) -> Verdict:
    if is_echo:
        return Verdict.ECHO
    return Verdict.NEAR_MISS if was_expected or change.is_signed else Verdict.FOREIGN


def _is_same(change: Seen, each: Expected) -> bool:
    """The very event that was found to be the echo of this write, heard by another integration."""
    return bool(each.echo_of) and each.echo_of == change.transaction_key and _concerns(each.write, change)


def _concerns(write: OwnWrite, change: Seen) -> bool:
    if write.kind is WriteKind.CREATE:
        return change.change_type == WriteKind.CREATE and write.key in change.fields.values()
    return write.record_id == change.record_id


def _is_echo_of(each: Expected, change: Seen, related: Sequence[Expected]) -> bool:
    """Whether it is the echo of this write. Where a later one wrote something else to the same field, nobody
    can tell: the first may never have been sent, the later one may have changed nothing, and somebody else
    may have done after both what the first was to do."""
    return _is_echo(each.write, change) and not any(
        later.own_write_id > each.own_write_id and later.write.fields.get(name, value) != value
        for later in related
        for name, value in change.fields.items()
    )


def _is_echo(write: OwnWrite, change: Seen) -> bool:
    """Whether the change is what this write makes, and nothing else."""
    if write.kind != change.change_type:
        return False
    match write.kind:
        case WriteKind.UPDATE:
            return bool(change.fields) and all(
                value is not None and write.fields.get(name) == value for name, value in change.fields.items()
            )
        case WriteKind.CREATE:
            return _is_birth(write, change)
        case WriteKind.DELETE | WriteKind.UNDELETE:
            return True


def _is_birth(write: OwnWrite, change: Seen) -> bool:
    """A new record's event has all its fields that are not empty: ours, and what every new record has."""
    nothing = fingerprints.empty(change.object_name, write.fields)
    wrote = {name: value for name, value in write.fields.items() if value != nothing[name]}
    extra = change.fields.keys() - wrote.keys() - _BIRTH
    unset = fingerprints.unset(change.object_name, extra)
    return all(change.fields.get(name) == value for name, value in wrote.items()) and all(
        change.fields[name] == unset[name] for name in extra
    )


def _over(related: Sequence[Expected], change: Seen, echoed: Expected | None) -> list[Expected]:
    """The expectations that this change ends: its own, and those of earlier writes, whose events would have
    come before; all of them if it is no echo. A delete is still to come after any update."""
    last = echoed.own_write_id if echoed else None
    return [
        each
        for each in related
        if each is echoed
        or (
            (last is None or each.own_write_id < last)
            and not (each.write.kind is WriteKind.DELETE and change.change_type == WriteKind.UPDATE)
        )
    ]
