"""JSON with Decimal, hostile documents, quotes of pages."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors import http, wire

MONEY = some.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)
LEAVES = some.none() | some.booleans() | some.integers(-(10**18), 10**18) | MONEY | some.text()
DOCUMENTS = some.recursive(LEAVES, lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner))


@given(DOCUMENTS)
def test_what_is_written_reads_the_same(document: Any) -> None:
    assert http.loads(http.dumps(document)) == document


def test_decimals_keep_their_digits() -> None:
    assert http.dumps({"a": Decimal("1.10")}) == b'{"a":1.10}'
    assert str(http.loads(b'{"a": 1.10}')["a"]) == "1.10"  # type: ignore[index, call-overload]  # a dict, as written


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        http.dumps({"a": value})


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a":', b"NaN", b"[Infinity]", b"-Infinity", b"\xff\xfe", b"9" * 5000, b"[" * 100_000],
    ids=["empty", "html", "torso", "NaN", "infinity", "minus infinity", "not utf-8", "long number", "deep"],
)
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(wire.NotJson):
        http.loads(body)


def test_a_quote_is_one_short_line_of_text() -> None:
    page = "<html><!-- x --><title>503</title><style>a{}</style>\n<body>Try\tlater\x00</body></html>"
    assert wire.quote(page) == "503 Try later"
    assert len(wire.quote("word " * 1000)) <= 201
