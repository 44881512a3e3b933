"""The SELECTs of a re-read: bounded, in UTC, and closed to whatever a name or an id may hold."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from daemon.cli import moments
from daemon.to_m3ter.mapping import reread_soql
from daemon.to_m3ter.mapping.reread_soql import Place, Span

UNTIL = datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
ID = "006000000000001AAA"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_window_only_grows_by_rounding_and_is_said_in_utc() -> None:
    start = datetime(2026, 4, 1, 0, 0, 0, 999_999, tzinfo=UTC)
    query = reread_soql.page(Span("Opportunity", start, UNTIL), None, 10)
    assert "SystemModstamp >= 2026-04-01T00:00:00.999Z" in query
    assert "SystemModstamp <= 2026-05-01T10:00:00.001Z" in query
    assert query.endswith(" ORDER BY SystemModstamp, Id LIMIT 10")


def test_a_page_begins_behind_the_last_record_of_the_one_before() -> None:
    at = datetime(2026, 4, 2, tzinfo=UTC)
    query = reread_soql.page(Span("Opportunity", None, UNTIL), Place(at, ID), 10)
    stamp = "2026-04-02T00:00:00.000Z"
    assert f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{ID}'))" in query


def test_no_field_is_selected_twice_however_it_is_spelt() -> None:
    query = reread_soql.page(
        Span("Order", None, UNTIL, ("StageName", "systemmodstamp", "stagename")), None, 1
    )
    selected = query.removeprefix("SELECT ").partition(" FROM ")[0].lower().split(", ")
    assert sorted(selected) == ["id", "isdeleted", "stagename", "systemmodstamp"]


@pytest.mark.parametrize("name", ["Opportunity WHERE Id != ''", "", "A'--", "Ünder", "A.B"])
def test_nothing_but_a_name_gets_into_a_query(name: str) -> None:
    for span in (Span(name, None, UNTIL), Span("Order", None, UNTIL, (name,))):
        with pytest.raises(ValueError, match="not the API name"):
            reread_soql.page(span, None, 1)
    with pytest.raises(ValueError, match="not the API name"):
        reread_soql.existing(name, [ID])


def test_nothing_but_an_id_gets_into_a_query() -> None:
    for given in ("') OR (Id != '", "006", ID + "\n"):
        with pytest.raises(ValueError, match="not a Salesforce record id"):
            reread_soql.existing("Order", [given])
        with pytest.raises(ValueError, match="not a Salesforce record id"):
            reread_soql.page(Span("Order", None, UNTIL), Place(UNTIL, given), 1)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-04-30", datetime(2026, 4, 30, tzinfo=UTC)),
        ("2026-04-30T09:30", datetime(2026, 4, 30, 9, 30, tzinfo=UTC)),
        ("2026-04-30 09:30:00+02:00", datetime(2026, 4, 30, 7, 30, tzinfo=UTC)),
        ("36h", NOW - timedelta(hours=36)),
        (" 7D ", NOW - timedelta(days=7)),
        ("0m", NOW),
    ],
)
def test_a_time_may_be_a_date_a_date_time_or_how_long_ago(given: str, meant: datetime) -> None:
    assert moments.since(given, NOW) == meant


@pytest.mark.parametrize("given", ["", "soon", "7", "-7d", "999999w", "2026-05-02", "1970-01-01", "٣d"])
def test_other_times_are_refused_in_words(given: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        moments.since(given, NOW)
