"""The CSV of an ingest job: its header checked, each row as a record, and results written back."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sandbox.salesforce import values
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.fields import TEXT_TYPES, Field
from connectors.sandbox.salesforce.ingest_jobs import DELIMITERS, LINE_ENDINGS, Job
from connectors.sandbox.salesforce.schema import Schema, SObject

NOTHING = "#N/A"
LONGEST_FIELD = 32_000
LONGEST_ROW = 400_000
MOST_FIELDS = 5_000
_BOM = "\ufeff"
_TRUE = frozenset({"yes", "y", "true", "on", "1"})
_FALSE = frozenset({"no", "n", "false", "off", "0"})


class BadContentError(Exception):
    """The content cannot be processed further: the job fails with this message."""


def rows(job: Job) -> Iterator[list[str]]:
    """The lines of the upload, the header first; raises BadContentError where they cannot be read on."""
    text = _text(job)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.order.delimiter], strict=True)
    width = 0
    try:
        for row in reader:
            if not row:
                continue
            width = width or len(row)
            if len(row) != width:
                message = f"Failed to parse CSV. Line {reader.line_num} has {len(row)} of {width} columns"
                raise BadContentError(f"InvalidBatch : {message}")
            _check_size(row)
            yield row
    except csv.Error as error:
        raise BadContentError(f"InvalidBatch : Failed to parse CSV. {error}") from error


def _text(job: Job) -> str:
    content = job.contents[0] if job.contents else b""
    ending = job.order.line_ending
    crlf = content.count(b"\r\n")
    is_wrong = crlf > 0 if ending == "LF" else content.count(b"\n") > crlf
    if is_wrong:
        message = f"LineEnding is invalid on user data. Current LineEnding setting is {ending}"
        raise BadContentError(f"ClientInputError : {message}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BadContentError("InvalidBatch : Failed to parse CSV. The content is not UTF-8") from None
    if text.startswith(f'{_BOM}"'):
        message = "Found unescaped quote. A value with quote should be within a quote"
        raise BadContentError(f"InvalidBatch : Failed to parse CSV. {message}")
    return text


def _check_size(row: list[str]) -> None:
    longest, whole = max(map(len, row)), sum(map(len, row))
    if longest > LONGEST_FIELD or whole > LONGEST_ROW or len(row) > MOST_FIELDS:
        message = (
            f"a field has up to {LONGEST_FIELD} characters, a record {LONGEST_ROW} in {MOST_FIELDS} fields"
        )
        raise BadContentError(f"InvalidBatch : Failed to parse CSV. Too large: {message}")


def check_header(job: Job, owner: SObject, schema: Schema) -> None:
    """Refuse columns that the object does not have, and those that the operation cannot do with."""
    for name in job.header:
        if not _is_column(owner, schema, name):
            raise BadContentError(f"InvalidBatch : Field name not found : {name}")
    lower = [name.lower() for name in job.header]
    if len(set(lower)) < len(lower):
        raise BadContentError("InvalidBatch : Failed to parse CSV. Duplicate column in the header")
    if job.order.operation == "delete" and lower != ["id"]:
        raise BadContentError("InvalidBatch : The 'delete' batch must contain only ids")
    if job.order.operation == "update" and "id" not in lower:
        raise BadContentError("InvalidBatch : Field name not found : Id")


def _is_column(owner: SObject, schema: Schema, name: str) -> bool:
    relation, dot, key = name.partition(".")
    if not dot:
        return owner.find(name) is not None
    pointing = owner.parents.get(relation.lower())
    parent = None if pointing is None else schema.find(pointing.reference_to[0])
    return parent is not None and parent.find(key) is not None


def record(owner: SObject, header: list[str], row: list[str]) -> dict[str, Any]:
    """A row as a write takes it: an empty value is left out, #N/A empties the field.

    Raises SalesforceError for a value that is none of its field's.
    """
    made: dict[str, Any] = {}
    for name, text in zip(header, row, strict=True):
        relation, dot, key = name.partition(".")
        field = owner.parents[relation.lower()] if dot else owner.fields[name.lower()]
        if text == "":
            continue
        if text == NOTHING:
            made[field.name] = None
        elif dot:
            made[relation] = {key: text}
        else:
            made[field.name] = _value(field, text)
    return made


def _value(field: Field, text: str) -> Any:
    if field.type in TEXT_TYPES or field.type in {"reference", "id"}:
        return text
    if field.type == "boolean":
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise _wrong_type(field, text)
        return word in _TRUE
    try:
        return values.coerce(field, text.strip())
    except SalesforceError as error:
        if error.code == "JSON_PARSER_ERROR":  # how REST says it, of a JSON body
            raise _wrong_type(field, text) from None
        raise


def _wrong_type(field: Field, text: str) -> SalesforceError:
    message = f"{field.label}: value not of required type: {text}"
    return SalesforceError("INVALID_TYPE_ON_FIELD_IN_RECORD", message, (field.name,))


def written(job: Job, leading: list[str], lines: Iterable[list[str]]) -> bytes:
    """Results as CSV in the job's own dialect: `leading` columns, then those of the upload."""
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=DELIMITERS[job.order.delimiter],
        lineterminator=LINE_ENDINGS[job.order.line_ending],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow([*leading, *job.header])
    writer.writerows(lines)
    return out.getvalue().encode()


def sf_error(error: SalesforceError) -> str:
    """A refusal as `sf__Error` has it: CODE:message:fields --."""
    fields = "".join(f"{name} " for name in error.fields or ())
    return f"{error.code}:{error.message}:{fields}--"
