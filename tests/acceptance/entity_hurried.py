"""The daemon that reads and writes few records at a time, so that a handful takes pages, calls and jobs."""

import functools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.m3ter.models import EntityKind
from connectors.salesforce import bulk
from daemon import manners
from daemon.clients import Patience
from daemon.to_salesforce import writer
from tests.acceptance import hurried

A_PAGE, A_CALL = 3, 3
ANSWER_WITHIN = timedelta(seconds=2)
# A run that waits longer for one record keeps those back that wait for its end.
LINGER = timedelta(milliseconds=400)


def main(log: str, fatal: str, arguments: list[str]) -> None:
    """`hurried.main`, of few records a page and a call."""
    _few(a_call=A_CALL)
    hurried.main(log, fatal, arguments)


def in_bulk(log: str, fatal: str, arguments: list[str]) -> None:
    """The same with Bulk jobs for two records and more."""
    _few(a_call=1, bulk_threshold=2)
    brief = functools.partial(bulk.Patience, first=timedelta(milliseconds=50))
    vars(bulk)["Patience"] = brief
    hurried.main(log, fatal, arguments)


def _few(*, a_call: int, **manner: Any) -> None:
    usual = manners.to_salesforce
    vars(manners)["to_salesforce"] = lambda settings: replace(usual(settings), linger=LINGER, **manner)
    kind: Any = EntityKind
    kind.page_size = property(lambda _kind: A_PAGE)
    patience = manners.patience
    vars(manners)["patience"] = lambda settings: _brief(patience(settings))
    assert hasattr(bulk, "_TRANSFER_WITHIN")
    vars(bulk)["_TRANSFER_WITHIN"] = ANSWER_WITHIN
    assert hasattr(writer, "MAX_RECORDS")
    vars(writer)["MAX_RECORDS"] = a_call


def _brief(patience: Patience) -> Patience:
    return replace(patience, salesforce=replace(patience.salesforce, answer_many=ANSWER_WITHIN))
