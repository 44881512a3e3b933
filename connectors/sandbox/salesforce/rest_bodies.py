"""What the body of a REST request may be: JSON, the CSV of a Bulk upload, the parts of a deployment."""

import re
from typing import Any

from aiohttp import web

from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.rest_call import parse_body

LARGEST = 50 * 1024 * 1024
LARGEST_UPLOAD = 160 * 1024 * 1024
_UPLOAD = re.compile(r"jobs/ingest/\w+/batches/?", re.IGNORECASE)
_DEPLOY = re.compile(r"metadata/deployRequest/?", re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:[^\r\n]*[ ;]name="?([^";\r\n]+)', re.IGNORECASE)


async def read(request: web.Request, path: str) -> Any:
    """The body for the resource at `path`: a JSON document, bytes, or bytes by the name of their part."""
    is_upload = _UPLOAD.fullmatch(path) is not None
    if not is_upload and (request.content_length or 0) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(LARGEST, request.content_length or 0)
    body = await request.read()
    accepted = "application/json"
    if is_upload:
        accepted = "text/csv"
    elif _DEPLOY.fullmatch(path) is not None and request.method == "POST":
        accepted = "multipart/form-data"
    if body and request.content_type != accepted:
        message = f"Content type '{request.content_type}' not supported. Use {accepted}."
        raise SalesforceError("UNSUPPORTED_MEDIA_TYPE", message)
    if accepted == "multipart/form-data":
        return _parts(body, request.headers.get("Content-Type", ""))
    return body if is_upload else parse_body(body)


def _parts(body: bytes, content_type: str) -> dict[str, bytes]:
    """The parts by name, as they are: a ZIP must not pass through a reader of text."""
    found = re.search(r'boundary="?([^";,]+)', content_type, re.IGNORECASE)
    if found is None:
        raise SalesforceError("INVALID_INPUT", "The multipart body has no boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + found.group(1).encode())
    parts: dict[str, bytes] = {}
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            break
        head, _, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            parts[name.group(1).decode(errors="replace")] = content
    return parts
