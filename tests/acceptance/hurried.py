"""The daemon with little patience: what it waits for minutes elsewhere, it waits for moments here."""

import functools
from dataclasses import replace
from datetime import timedelta

from connectors.exchange import Limits
from connectors.salesforce import refusing, session, stream_refusing
from daemon.to_m3ter import subscriber
from tests.acceptance import killing

MOMENT = timedelta(milliseconds=300)


def main(log: str, fatal: str, arguments: list[str]) -> None:
    """`killing.main`, hurried. Only waits differ; a test of the waits themselves stands elsewhere."""
    for module, name in ((session, "_LIMITS"), (session, "_MARGIN")):
        assert hasattr(module, name), name
    for name in ("_BUSY_WAIT", "_LIMIT_WAIT"):
        assert hasattr(stream_refusing, name), name
        setattr(stream_refusing, name, MOMENT)
    refusals = refusing._REFUSALS
    refusals["REQUEST_LIMIT_EXCEEDED"] = replace(refusals["REQUEST_LIMIT_EXCEEDED"], wait=MOMENT)
    vars(session)["_LIMITS"] = Limits(answer=timedelta(seconds=1), attempts=1)
    vars(session)["_MARGIN"] = timedelta(seconds=1)
    vars(subscriber)["Timings"] = functools.partial(subscriber.Timings, refused=MOMENT)
    killing.main(log, fatal, arguments)
