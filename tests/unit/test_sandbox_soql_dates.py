"""Which days the sandbox's named date literals mean (a Saturday, 21 November 2026)."""

from datetime import date

import pytest

from connectors.sandbox.salesforce import soql_dates

SATURDAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("name", "count", "first", "after"),
    [
        ("TODAY", 0, "2026-11-21", "2026-11-22"),
        ("YESTERDAY", 0, "2026-11-20", "2026-11-21"),
        ("TOMORROW", 0, "2026-11-22", "2026-11-23"),
        ("THIS_WEEK", 0, "2026-11-16", "2026-11-23"),
        ("LAST_WEEK", 0, "2026-11-09", "2026-11-16"),
        ("NEXT_MONTH", 0, "2026-12-01", "2027-01-01"),
        ("LAST_MONTH", 0, "2026-10-01", "2026-11-01"),
        ("THIS_QUARTER", 0, "2026-10-01", "2027-01-01"),
        ("NEXT_QUARTER", 0, "2027-01-01", "2027-04-01"),
        ("LAST_YEAR", 0, "2025-01-01", "2026-01-01"),
        ("THIS_FISCAL_YEAR", 0, "2026-01-01", "2027-01-01"),
        ("LAST_N_DAYS", 3, "2026-11-18", "2026-11-22"),
        ("NEXT_N_DAYS", 3, "2026-11-22", "2026-11-25"),
        ("N_DAYS_AGO", 3, "2026-11-18", "2026-11-19"),
        ("LAST_90_DAYS", 0, "2026-08-23", "2026-11-22"),
        ("NEXT_90_DAYS", 0, "2026-11-22", "2027-02-20"),
        ("LAST_N_MONTHS", 12, "2025-11-01", "2026-11-01"),
        ("NEXT_N_WEEKS", 2, "2026-11-23", "2026-12-07"),
        ("N_YEARS_AGO", 2, "2024-01-01", "2025-01-01"),
        ("LAST_N_FISCAL_QUARTERS", 1, "2026-07-01", "2026-10-01"),
        ("LAST_N_YEARS", 99999, "0001-01-01", "2026-01-01"),
    ],
)
def test_a_named_date_is_a_range_of_days(name: str, count: int, first: str, after: str) -> None:
    assert soql_dates.days(name, count, SATURDAY) == (date.fromisoformat(first), date.fromisoformat(after))


@pytest.mark.parametrize("name", sorted(soql_dates.WITHOUT_COUNT))
def test_every_name_without_a_number_is_a_range(name: str) -> None:
    first, after = soql_dates.days(name, 0, SATURDAY)
    assert first < after


@pytest.mark.parametrize("name", sorted(soql_dates.TAKES_COUNT))
def test_every_name_with_a_number_is_a_range(name: str) -> None:
    first, after = soql_dates.days(name, 2, SATURDAY)
    assert first < after
