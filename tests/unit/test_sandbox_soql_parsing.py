"""What is SOQL to the sandbox and what is not."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.salesforce import soql_parser
from connectors.sandbox.salesforce.errors import SalesforceError
from connectors.sandbox.salesforce.soql_syntax import Both, Comparison, Either, Negation, Query
from connectors.sandbox.salesforce.soql_tokens import unescaped
from tests.unit.soql_org import filled

WORDS = [
    "SELECT",
    "Id",
    "FROM",
    "Account",
    "WHERE",
    "(",
    ")",
    ",",
    "=",
    "'x'",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIMIT",
    "5",
]

ORG = filled()


def test_reads_a_query_with_every_clause() -> None:
    query = soql_parser.parse(
        "select Id, Account.Name, (SELECT Id FROM OpportunityLineItems WHERE Quantity > 1 LIMIT 3)\n"
        "FROM Opportunity o WHERE o.Name = 'x' AND (NOT Amount > 5) AND (A = 1 OR B = 2)\n"
        "ORDER BY Name DESC NULLS LAST, Id LIMIT 10 OFFSET 20"
    )
    assert (query.source, query.alias, query.limit, query.offset) == ("Opportunity", "o", 10, 20)
    assert [(str(order.path), order.is_descending, order.has_nulls_last) for order in query.orders] == [
        ("Name", True, True),
        ("Id", False, False),
    ]
    assert isinstance(query.items[2], Query)
    assert isinstance(query.where, Both)
    assert [type(part) for part in query.where.parts] == [Comparison, Negation, Either]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("SELECT Id FORM Account", "Row:1:Column:11\nunexpected token: 'FORM'"),
        ("SELECT FROM Account", "unexpected token: 'Account'"),
        ("SELECT Id, FROM Account", "unexpected token: 'Account'"),
        ("SELECT Id\nFROM Account WHERE", "Row:2:Column:19\nunexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Name = 'x", "unexpected token: '''"),
        ("SELECT Id FROM Account WHERE Name 'x'", "unexpected token: 'x'"),
        ("SELECT Id FROM Account WHERE A = 1 AND B = 2 OR C = 3", "unexpected token: 'OR'"),
        ("SELECT Id FROM Account WHERE Name IN ()", "unexpected token: ')'"),
        ("SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE CreatedDate = SOON", "unexpected token: 'SOON'"),
        ("SELECT Id FROM Account LIMIT -5", "unexpected token: '-5'"),
        ("SELECT Id FROM Account; DELETE", "unexpected token: ';'"),
        ("SELECT Id, id FROM Account", "duplicate field selected: id"),
        ("SELECT FIELDS(ALL) FROM Account", "must have a LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Account LIMIT 201", "must have a LIMIT of at most 200"),
        ("SELECT FIELDS(SOME) FROM Account", "unexpected token: 'SOME'"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "unexpected token: '('"),
        ("", "unexpected token: '<EOF>'"),
    ],
)
def test_refuses_what_is_not_soql_and_points_at_it(text: str, at: str) -> None:
    with pytest.raises(SalesforceError) as refused:
        soql_parser.parse(text)
    assert refused.value.code == "MALFORMED_QUERY"
    assert at in refused.value.message


@pytest.mark.parametrize("opening", ["(", "NOT "])
def test_refuses_nesting_without_end(opening: str) -> None:
    with pytest.raises(SalesforceError) as refused:
        soql_parser.parse(f"SELECT Id FROM Account WHERE {opening * 5000}Name = 'x'")
    assert "too complicated" in refused.value.message


def test_string_literals_are_read_with_their_escapes() -> None:
    assert unescaped(r"O\'Neil \\ \"x\" \n", "", 0) == 'O\'Neil \\ "x" \n'
    with pytest.raises(SalesforceError, match="Illegal character sequence"):
        unescaped(r"\x", "", 0)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)))
def test_any_text_is_answered_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(SalesforceError):  # the one exception that becomes a 400
        ORG.ask(text)
