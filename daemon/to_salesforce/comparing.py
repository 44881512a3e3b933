"""Which entities of a page differ from what was last written, and their records; decides only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.to_salesforce.mapping import digests, records
from daemon.to_salesforce.mapping.derivations import Links
from daemon.to_salesforce.mapping.errors import RecordUnfit
from daemon.to_salesforce.mapping.fed import Fed
from daemon.to_salesforce.mapping.records import CustomFields
from daemon.to_salesforce.targets import Target, TargetField
from state.entity_models import CopyStatus, EntityType, KnownCopy, Wanted

Entity = Mapping[str, Any]

# Their versions tell of every change. A Bill is recalculated, a Balance drawn down and a Commitment spent
# while nobody edits them: whether the version grows with that is not documented, so they are always mapped.
_TOLD_BY_VERSION = frozenset({EntityType.ACCOUNT, EntityType.CONTRACT})


@dataclass(frozen=True, slots=True)
class Mapper:
    """How entities of one integration become records."""

    target: Target
    custom_fields: CustomFields
    fingerprint: str
    linked: tuple[TargetField, ...]

    @classmethod
    def of(cls, target: Target, custom_fields: Mapping[str, str], fed: Fed | None = None) -> "Mapper":
        """`fed` tells of the fields that the custom fields feed what the org describes of them."""
        fields = CustomFields(custom_fields, fed or {})
        return cls(target, fields, digests.fingerprint(target, fields), digests.linked(target))

    def mapped_with(self, entity: Entity, links: Links) -> str:
        return digests.mapped_with(self.fingerprint, self.linked, entity, links)

    def wanted(self, entity: Entity, links: Links) -> Wanted:
        """Raises RecordUnfit."""
        record = records.record(self.target, entity, self.custom_fields, links)
        return self._made(entity, links, record, digests.digest(self.target.object_name, record))

    def unfit(self, entity: Entity, links: Links, error: RecordUnfit) -> Wanted:
        """Stands for a record that cannot be made, until the entity or the mapping changes."""
        return self._made(entity, links, {}, digests.digest(self.target.object_name, {"": error.message}))

    def _made(self, entity: Entity, links: Links, record: Mapping[str, Any], digest: str) -> Wanted:
        account_id = records.concerned_account(self.target.entity_type, entity)
        mapped_with = self.mapped_with(entity, links)
        return Wanted(str(entity["id"]), account_id, version_of(entity), mapped_with, digest, record)


@dataclass(slots=True)
class Sifted:
    """What is to be written, what only its version says to have changed, and what cannot be written."""

    wanted: list[Wanted] = field(default_factory=list)
    touched: list[tuple[str, int, str]] = field(default_factory=list)
    unfit: list[tuple[Wanted, RecordUnfit]] = field(default_factory=list)

    def ids(self) -> list[str]:
        """All of them."""
        told = [m3ter_id for m3ter_id, _, _ in self.touched]
        return told + [each.m3ter_id for each in (*self.wanted, *(wanted for wanted, _ in self.unfit))]


def sift(mapper: Mapper, entities: Sequence[Entity], known: Mapping[str, KnownCopy], links: Links) -> Sifted:
    """An entity older than what is known (read before the feed told of a newer one) is passed over."""
    sifted = Sifted()
    for entity in entities:
        copy = known.get(str(entity["id"]))
        if copy is not None and version_of(entity) < copy.version:
            continue
        mapped_with = mapper.mapped_with(entity, links)
        if copy is not None and _is_told_same(mapper, copy, entity, mapped_with):
            continue
        _map(mapper, entity, links, copy, sifted)
    return sifted


def version_of(entity: Entity) -> int:
    return int(entity.get("version") or 0)


def _is_told_same(mapper: Mapper, copy: KnownCopy, entity: Entity, mapped_with: str) -> bool:
    if EntityType(mapper.target.entity_type) not in _TOLD_BY_VERSION:
        return False
    return copy.version == version_of(entity) and copy.mapped_with == mapped_with


def _map(mapper: Mapper, entity: Entity, links: Links, copy: KnownCopy | None, sifted: Sifted) -> None:
    try:
        wanted = mapper.wanted(entity, links)
    except RecordUnfit as error:
        unfit = mapper.unfit(entity, links, error)
        if copy is None or copy.digest != unfit.digest or copy.status is not CopyStatus.REFUSED:
            sifted.unfit.append((unfit, error))
        return
    if copy is None or copy.digest != wanted.digest:
        sifted.wanted.append(wanted)
    elif copy.version != wanted.version or copy.mapped_with != wanted.mapped_with:
        sifted.touched.append((wanted.m3ter_id, wanted.version, wanted.mapped_with))
