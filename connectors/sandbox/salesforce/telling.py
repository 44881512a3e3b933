"""How the next transactions are told, if not as they should be: as Salesforce documents it of gaps."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

NO_RECORD = "000000000000000AAA"


class Manner(StrEnum):
    """What becomes of a transaction's events.

    gap          GAP_CREATE, GAP_UPDATE ... with the ids, and nothing of what changed
    overflow     one GAP_OVERFLOW an object
    wildcard     a gap that names the records by their object's key prefix only (006*)
    undecodable  an event whose header is missing
    nothing      no event, as for a change at the level of the database
    """

    GAP = "gap"
    OVERFLOW = "overflow"
    WILDCARD = "wildcard"
    UNDECODABLE = "undecodable"
    NOTHING = "nothing"


class Telling(BaseModel):
    """`times` transactions are told in a manner; `manner` is called `as` in the document."""

    model_config = ConfigDict(extra="forbid")
    kind: str
    manner: Manner = Field(alias="as")
    times: int = Field(default=1, ge=1)


class Tellings:
    """The manners of the transactions to come; without one a transaction is told as it should be."""

    def __init__(self) -> None:
        self._next: list[Manner] = []

    def add(self, asked: Telling) -> None:
        """Let the next transactions be told so, behind those that wait already."""
        self._next += [asked.manner] * asked.times

    def clear(self) -> None:
        """Tell everything as it should be again."""
        self._next.clear()

    def take(self) -> Manner | None:
        """The manner of one transaction."""
        return self._next.pop(0) if self._next else None


def header(manner: Manner | None, proper: dict[str, Any]) -> dict[str, Any]:
    """The header of an event that says nothing of what changed."""
    match manner:
        case Manner.GAP | Manner.WILDCARD:
            kind = f"GAP_{proper['changeType']}"
        case _:
            kind = "GAP_OVERFLOW"
    return {**proper, "changeType": kind, "recordIds": _ids(manner, proper["recordIds"]), "changedFields": []}


def _ids(manner: Manner | None, record_ids: Sequence[str]) -> list[str]:
    match manner:
        case Manner.GAP:
            return list(record_ids)
        case Manner.WILDCARD:
            return [f"{record_ids[0][:3]}*"]
        case _:
            return [NO_RECORD]
