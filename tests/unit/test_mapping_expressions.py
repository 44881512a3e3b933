"""JMESPath over records: Decimal throughout, and the fields an expression reads."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.to_m3ter.mapping import expressions

MONEY = st.decimals(min_value=-(10**12), max_value=10**12, places=2)


def search(text: str, record: Any) -> Any:
    return expressions.compile_expression(text).search(record)


def paths(text: str) -> list[str]:
    return [".".join(path) for path in expressions.compile_expression(text).paths]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("StageName == 'Closed Won'", ["StageName"]),
        ("Amount > `0` && Account.Type != 'Prospect'", ["Amount", "Account.Type"]),
        ("ServiceDate || Order.EffectiveDate", ["ServiceDate", "Order.EffectiveDate"]),
        ("not_null(A.B, C)", ["A.B", "C"]),
        ("(A || B).Name", ["A.Name", "B.Name"]),
        ("Lines[].Product2.ProductCode", ["Lines.Product2.ProductCode"]),
        ("Lines[?Quantity > `1`].Total", ["Lines.Quantity", "Lines.Total"]),
        ("Lines[?A.B].{x: C, y: [D, E.F]}", ["Lines.A.B", "Lines.C", "Lines.D", "Lines.E.F"]),
        ("max_by(Lines, &Total).Name", ["Lines.Total", "Lines.Name"]),
        ("map(&Total, Lines)", ["Lines.Total"]),
        ("sum(Lines[*].Total)", ["Lines.Total"]),
        ("Lines[0].Total | to_string(@)", ["Lines.Total"]),
        ("Lines[-1:].Total", ["Lines.Total"]),
        ("length(Lines)", ["Lines"]),
        ("{a: Name}.a", ["Name"]),
        ("@", []),
        ("`true`", []),
    ],
)
def test_an_expression_tells_which_fields_it_reads(text: str, read: list[str]) -> None:
    assert sorted(paths(text)) == sorted(read)


@given(MONEY, MONEY)
def test_money_is_compared_by_value(one: Decimal, other: Decimal) -> None:
    record = {"A": one, "B": other}
    assert search("A < B", record) is (one < other)
    assert search("A >= B", record) is (one >= other)
    assert search("A == B", record) is (one == other)


@given(st.lists(MONEY, min_size=1, max_size=50))
def test_sums_of_money_lose_no_cent(amounts: list[Decimal]) -> None:
    record = {"Lines": [{"Total": amount} for amount in amounts]}
    cents = sum(int(amount * 100) for amount in amounts)
    assert search("sum(Lines[].Total)", record) == Decimal(cents) / 100
    assert search("max(Lines[].Total)", record) == max(amounts)
    assert search("sort_by(Lines, &Total)[0].Total", record) == min(amounts)


@given(MONEY)
def test_literals_with_a_point_are_decimal(amount: Decimal) -> None:
    assert search(f"A == `{amount}`", {"A": amount}) is True


@pytest.mark.parametrize(
    ("text", "record", "found"),
    [
        ("A > `0.1`", {"A": Decimal("0.10")}, False),
        ("A == `[0.1]`", {"A": [Decimal("0.1")]}, True),
        ("to_number(A)", {"A": "12.30"}, Decimal("12.30")),
        ("to_number(A)", {"A": "twelve"}, None),
        ("to_number(A)", {"A": "NaN"}, None),
        ("to_number(A)", {"A": True}, None),
        ("to_string(A)", {"A": Decimal("1E+3")}, "1000"),
        ("to_string(A)", {"A": False}, "false"),
        ("type(A)", {"A": Decimal(1)}, "number"),
        ("avg(A)", {"A": [Decimal("0.1"), 1]}, Decimal("0.55")),
        ("avg(A)", {"A": []}, None),
        ("abs(A)", {"A": Decimal("-1.5")}, Decimal("1.5")),
        ("ceil(A)", {"A": Decimal("1.5")}, 2),
        ("A > `0`", {"A": None}, None),
        ("join(', ', A)", {"A": ["x", "y"]}, "x, y"),
    ],
)
def test_functions_know_decimal(text: str, record: Any, found: Any) -> None:
    answer = search(text, record)
    assert answer == found
    assert not isinstance(answer, float)


@pytest.mark.parametrize(
    "text",
    ["sum(A)", "A < `3`", "abs(A)", "contains(A, `3`)", "to_string(@)", "sort_by(@, &A)", 'avg(`[1, "x"]`)'],
)
def test_an_expression_that_fails_on_a_record_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"the expression .* failed: "):
        search(text, {"A": "text"})


@pytest.mark.parametrize("text", ["Account.*", "*", "Lines[].*.Name", "`1e999`"])
def test_what_cannot_be_read_from_salesforce_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name the fields|not finite"):
        expressions.compile_expression(text)


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        (None, False),
        (False, False),
        ("", False),
        ([], False),
        ({}, False),
        (0, True),
        (Decimal(0), True),
        ("x", True),
    ],
)
def test_truth_is_that_of_jmespath(value: Any, is_true: bool) -> None:
    assert expressions.compile_expression("A").holds({"A": value}) is is_true


@given(st.text(max_size=60))
def test_any_text_is_compiled_or_refused_with_words(text: str) -> None:
    try:
        expressions.compile_expression(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - whether it is raised is what varies


def test_truth_values_of_toml_may_stand_for_expressions() -> None:
    assert expressions.compile_expression(True).holds({}) is True
    assert expressions.compile_expression(False).holds({}) is False
    with pytest.raises(ValueError, match="a text in JMESPath"):
        expressions.compile_expression(3)
