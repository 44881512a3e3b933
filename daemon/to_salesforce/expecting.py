"""What the change events of our own writes will say, told before these are sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon import echoes
from daemon.to_salesforce.mapping import records
from daemon.to_salesforce.place import Place
from state import entity_parents, entity_siblings
from state.entity_models import CopyAction, Waiting
from state.own_writes import OwnWrite

_Parents = Mapping[str, Mapping[str, str]]


async def writes(place: Place, rows: Sequence[Waiting]) -> list[OwnWrite]:
    """One for each row, in order.

    A parent that the write names by its external id is told by its record in the event. It is looked up among
    our copies; one that is not known there makes the event a near miss, which is synced and loses nothing.
    """
    parents = await _parents(place, rows)
    return [_write(place, row, parents) for row in rows]


async def _parents(place: Place, rows: Sequence[Waiting]) -> _Parents:
    """Record ids by relationship and external id."""
    found: dict[str, Mapping[str, str]] = {}
    siblings = await entity_siblings.of(place.db, place.integration_id)
    for field in place.target.fields:
        if field.relation is not None:
            named = (row.payload.get(field.relationship) for row in rows if row.payload)
            ids = {str(each[field.relation_key]) for each in named if isinstance(each, Mapping)}
            copied_by = [each.integration_id for each in siblings if each.entity_type.value == field.relation]
            found[field.relationship] = await entity_parents.records(place.db, copied_by, ids)
    return found


def _write(place: Place, row: Waiting, parents: _Parents) -> OwnWrite:
    object_name, record_id = place.target.object_name, row.salesforce_id or ""
    match row.action:
        case CopyAction.DELETE:
            return echoes.removal(object_name, record_id)
        case CopyAction.MARK:
            return echoes.update(object_name, record_id, records.mark(place.target, row.changed_at))
        case CopyAction.UPSERT if record_id:
            return echoes.update(object_name, record_id, _told(place, row, parents))
        case CopyAction.UPSERT:
            return echoes.creation(object_name, _told(place, row, parents), place.target.key_field)


def _told(place: Place, row: Waiting, parents: _Parents) -> dict[str, Any]:
    """The record as an event has it."""
    told = dict(row.payload or {})
    for field in place.target.fields:
        named = told.get(field.relationship) if field.relation is not None else None
        if isinstance(named, Mapping):
            record_id = parents[field.relationship].get(str(named[field.relation_key]))
            if record_id is not None:
                del told[field.relationship]
                told[field.name] = record_id
    return told
