"""Which handler answers which resource below /services/data/vNN.0."""

from collections.abc import Callable

from connectors.sandbox.salesforce import (
    rest_collections,
    rest_composite,
    rest_describe,
    rest_ingest,
    rest_metadata,
    rest_query,
    rest_records,
)
from connectors.sandbox.salesforce.errors import SalesforceError, not_found
from connectors.sandbox.salesforce.rest_call import Call, Reply

Handler = Callable[[Call], Reply]
Pattern = tuple[str, ...]

# A pattern's * stands for any one segment; the first pattern that fits is the resource.
ROUTES: list[tuple[Pattern, dict[str, Handler]]] = [
    ((), {"GET": rest_describe.resources}),
    (("limits",), {"GET": rest_describe.limits}),
    (("query",), {"GET": rest_query.query}),
    (("queryall",), {"GET": rest_query.query}),
    (("query", "*"), {"GET": rest_query.more}),
    (("queryall", "*"), {"GET": rest_query.more}),
    (("composite",), {"POST": rest_composite.composite}),
    (
        ("composite", "sobjects"),
        {
            "POST": rest_collections.create,
            "PATCH": rest_collections.update,
            "DELETE": rest_collections.delete,
        },
    ),
    (
        ("composite", "sobjects", "*"),
        {"GET": rest_collections.retrieve, "POST": rest_collections.retrieve},
    ),
    (("composite", "sobjects", "*", "*"), {"PATCH": rest_collections.upsert}),
    (("jobs", "ingest"), {"GET": rest_ingest.listed, "POST": rest_ingest.create}),
    (
        ("jobs", "ingest", "*"),
        {"GET": rest_ingest.read, "PATCH": rest_ingest.close, "DELETE": rest_ingest.delete},
    ),
    (("jobs", "ingest", "*", "batches"), {"PUT": rest_ingest.upload}),
    (("jobs", "ingest", "*", "successfulresults"), {"GET": rest_ingest.successful}),
    (("jobs", "ingest", "*", "failedresults"), {"GET": rest_ingest.failed}),
    (("jobs", "ingest", "*", "unprocessedrecords"), {"GET": rest_ingest.unprocessed}),
    (("metadata", "deployrequest"), {"POST": rest_metadata.deploy}),
    (("metadata", "deployrequest", "*"), {"GET": rest_metadata.read}),
    (("sobjects",), {"GET": rest_describe.global_describe}),
    (("sobjects", "*"), {"GET": rest_describe.basic, "POST": rest_records.create}),
    (("sobjects", "*", "describe"), {"GET": rest_describe.full_describe}),
    (("sobjects", "*", "updated"), {"GET": rest_query.updated}),
    (("sobjects", "*", "deleted"), {"GET": rest_query.deleted}),
    (
        ("sobjects", "*", "*"),
        {"GET": rest_records.read, "PATCH": rest_records.update, "DELETE": rest_records.delete},
    ),
    (
        ("sobjects", "*", "*", "*"),
        {
            "GET": rest_records.read_by_external_id,
            "PATCH": rest_records.upsert,
            "DELETE": rest_records.delete_by_external_id,
        },
    ),
]


def dispatch(call: Call) -> Reply:
    """Answer a call; raises NOT_FOUND and METHOD_NOT_ALLOWED besides the handlers' refusals."""
    for pattern, handlers in ROUTES:
        if _fits(pattern, call.path):
            handler = handlers.get(call.method)
            if handler is None:
                allowed = ",".join(handlers)
                message = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
                raise SalesforceError("METHOD_NOT_ALLOWED", message)
            return handler(call)
    raise not_found()


def _fits(pattern: Pattern, path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        part in ("*", segment.lower()) for part, segment in zip(pattern, path, strict=True)
    )
