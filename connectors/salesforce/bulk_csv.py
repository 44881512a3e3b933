"""The CSV of Bulk API 2.0: records into a sheet of at most 100 MB, result files back into rows."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, cast

from connectors.errors import TransientError
from connectors.exchange import Content

MEDIA_TYPE = "text/csv; charset=UTF-8"

# Bulk API 2.0 guide, Upload Job Data: 150 MB in base64, for which it advises 100 MB before.
MAX_BYTES = 100_000_000

# Bulk API 2.0 guide, Prepare CSV Files: this empties the field; an empty cell leaves it as it is.
NULL = "#N/A"

# Salesforce Developer Limits, Bulk API 2.0 ingest: characters of one field, and of one record.
MAX_FIELD = 32_000
MAX_RECORD = 400_000

_IN_MEMORY = 1024 * 1024
_CHUNK = 64 * 1024
_TURN = 500  # rows for which the event loop is kept waiting


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file ready for upload, with the first `rows` of the records it was made of."""

    rows: int
    size: int
    file: BinaryIO

    def content(self) -> Content:
        return Content(MEDIA_TYPE, self.size, self._chunks)

    async def _chunks(self) -> AsyncIterator[bytes]:
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            yield chunk


def can_say(record: Mapping[str, Any]) -> bool:
    """Whether CSV has words for the record, and Bulk room: a text that reads `#N/A` would be taken for no
    text at all, and one field, or one record, that is too long has the whole job refused."""
    said = list(_texts(record))
    sizes = [_size(text) for text in said]
    return NULL not in said and max(sizes, default=0) <= MAX_FIELD and sum(sizes) <= MAX_RECORD


@asynccontextmanager
async def sheet_of(
    records: Iterable[Mapping[str, Any]], *, max_bytes: int = MAX_BYTES
) -> AsyncIterator[Sheet]:
    """As many of the records, from the first on, as one upload may hold; the rest is for the next job.

    They are gone through twice, and never held together.

    Records are as the REST API takes them: None empties a field, so does an empty text; a parent is
    `{"Parent__r": {"Key__c": "k"}}`. A field that a record does not have is left as it is. ValueError for a
    record that is not for CSV (see `can_say`) or that is too large alone.
    """
    columns = await _columns(records)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        header = _line(columns)
        size, count = len(header), 0
        file.write(header)
        for record in records:
            if not can_say(record):
                raise ValueError(f"a record with the text {NULL}, or too long a one, is not for CSV")
            line = _line(_cells(record, columns))
            if size + len(line) > max_bytes:
                if not count:
                    raise ValueError(f"one record alone has more than {max_bytes:,} bytes")
                break
            file.write(line)
            size, count = size + len(line), count + 1
            if count % _TURN == 0:
                await asyncio.sleep(0)
        yield Sheet(count, size, cast("BinaryIO", file))


async def rows_of(file: BinaryIO) -> AsyncIterator[dict[str, str]]:
    """The rows of a result file, column -> cell. Raises TransientError when it is no such file."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        for count, row in enumerate(_rows(text), start=1):
            yield row
            if count % _TURN == 0:
                await asyncio.sleep(0)
    except (csv.Error, UnicodeDecodeError) as error:
        raise TransientError(f"Salesforce's Bulk results cannot be read: {error}.") from error
    finally:
        text.detach()


def _rows(text: Iterable[str]) -> Iterator[dict[str, str]]:
    reader = csv.reader(text, strict=True)
    header = next(reader, None)
    for cells in reader:
        if header is None or len(cells) != len(header):
            raise csv.Error(f"row {reader.line_num} has {len(cells)} cells")
        yield dict(zip(header, cells, strict=True))


async def _columns(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every column that some record has, in the order in which they turn up."""
    found: dict[str, None] = {}
    emptied: dict[str, None] = {}
    for count, record in enumerate(records, start=1):
        for name, value in record.items():
            if isinstance(value, dict):
                found |= {f"{name}.{key}": None for key in value if key != "attributes"}
            elif name.endswith("__r"):
                emptied[name] = None
            elif name != "attributes":
                found[name] = None
        if count % _TURN == 0:
            await asyncio.sleep(0)
    # Parents that are only ever taken away have no column of their key: their look-up field is emptied.
    for name in emptied:
        if not any(column.startswith(f"{name}.") for column in found):
            found[_look_up(name)] = None
    return tuple(found)


def _cells(record: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    cells = []
    for column in columns:
        name, _, key = column.partition(".")
        if key:
            parent = record.get(name, "")
            cells.append("" if parent == "" else _cell(parent.get(key)) if isinstance(parent, dict) else NULL)
        elif name in record:
            cells.append(_cell(record[name]))
        else:
            is_emptied = name.endswith("__c") and record.get(_relation(name), "") is None
            cells.append(NULL if is_emptied else "")
    return cells


def _texts(record: Mapping[str, Any]) -> Iterator[str]:
    """Every value of the record and of its parents."""
    for value in record.values():
        if isinstance(value, dict):
            yield from _texts(value)
        elif value is not None:
            yield value if isinstance(value, str) else str(value)


def _size(text: str) -> int:
    """In UTF-16 units, the most that Salesforce may count; ends of lines as two."""
    if text.isascii():
        return len(text) + text.count("\n")
    return len(text) + sum(each > "\uffff" for each in text) + text.count("\n")


def _look_up(relation: str) -> str:
    return relation.removesuffix("__r") + "__c"


def _relation(look_up: str) -> str:
    return look_up.removesuffix("__c") + "__r"


def _cell(value: Any) -> str:
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _line(cells: Sequence[str]) -> bytes:
    """One row. csv quotes the characters of its own line end: so a lone carriage return is quoted too."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return (buffer.getvalue().removesuffix("\r\n") + "\n").encode()
