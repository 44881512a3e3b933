"""Each named transform, one value in and one out."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.to_m3ter.mapping import conversions, limits, transforms


def run(steps: str | list[str], value: Any) -> Any:
    named = [steps] if isinstance(steps, str) else steps
    return transforms.apply(tuple(transforms.parse(step) for step in named), value)


@pytest.mark.parametrize(
    ("steps", "given_value", "made"),
    [
        ("trim", "  a b ", "a b"),
        ("upper", "straße", "STRASSE"),
        ("lower", "ABC", "abc"),
        ("truncate:3", "abcdef", "abc"),
        ("truncate:4", "abc def", "abc"),
        ("first_line", "\r\n 1 High St \r\nLondon", "1 High St"),
        ("second_line", "1 High St\n\nLondon", "London"),
        ("second_line", "1 High St", None),
        ("third_line", "a\nb\nc", "c"),
        ("strip_control", "a\x00b\tc\u2028d", "a b c d"),
        ("code", "  SF\n01\t", "SF 01"),
        ("slug", "Crème Brûlée, 2 kg!", "creme-brulee-2-kg"),
        ("slug", "東京", None),
        ("replace:_=>-", "a_b_c", "a-b-c"),
        ("replace:x=>", "axb", "ab"),
        ("prefix:SF-", "1", "SF-1"),
        ("suffix::x", "1", "1:x"),
        ("default:USD", None, "USD"),
        ("default:USD", " ", "USD"),
        ("default:USD", "EUR", "EUR"),
        ("currency_code", " eur ", "EUR"),
        ("date", "2026-01-31T23:30:00.000+0000", "2026-01-31"),
        ("date", "2026-01-31T23:30:00.000-0200", "2026-02-01"),
        ("date", "2026-01-31", "2026-01-31"),
        ("date_time", "2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("date_time", "2026-01-31T10:00:00.250+0200", "2026-01-31T08:00:00.250Z"),
        ("start_of_day", "2026-01-31T10:00:00Z", "2026-01-31T00:00:00.000Z"),
        ("day_after", "2024-02-28", "2024-02-29"),
        ("day_after", "2026-12-31T10:00:00Z", "2027-01-01T10:00:00.000Z"),
        ("decimal", " 12.30 ", Decimal("12.30")),
        ("decimal", 3, Decimal(3)),
        ("integer", Decimal("3.0"), 3),
        ("integer", "7", 7),
        ("round:2", Decimal("2.675"), Decimal("2.68")),
        ("round:0", Decimal("2.5"), Decimal(3)),
        ("percent_to_fraction", Decimal(15), Decimal("0.15")),
        ("boolean", "Yes", True),
        ("boolean", 0, False),
        ("string", Decimal("1E+2"), "100"),
        ("string", True, "true"),
        ("trim", None, None),
        (["day_after", "default:2099-10-10"], None, "2099-10-10"),
        (["day_after", "default:2099-10-10"], "2026-12-31", "2027-01-01"),
        (["default:2026-12-31", "day_after"], None, "2027-01-01"),
        ("trim", [" a ", None, "b"], ["a", "b"]),
    ],
)
def test_a_transform_changes_a_value(steps: str | list[str], given_value: Any, made: Any) -> None:
    answer = run(steps, given_value)
    assert answer == made
    assert type(answer) is type(made)


@pytest.mark.parametrize(
    ("step", "value", "said"),
    [
        ("date", "tomorrow", "'tomorrow' is not a date"),
        ("date", "2026-02-30", "is not a date"),
        ("date", "2026-01-01T10:00:00", "is not a date"),
        ("day_after", "9999-12-31", "has no day after it"),
        ("decimal", "1,5", "'1,5' is not a number"),
        ("decimal", "NaN", "is not a number"),
        ("decimal", True, "is not a number"),
        ("integer", Decimal("1.5"), "is not a whole number"),
        ("boolean", "perhaps", "neither true nor false"),
        ("currency_code", "Euro", "not a currency code"),
        ("round:99999", Decimal(1), "cannot be rounded"),
        ("trim", {"street": "x"}, "a compound value cannot be text"),
        ("date", "x" * 500, r"x\.\.\.' is not a date"),
    ],
)
def test_a_transform_that_cannot_says_why(step: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(step, value)


@given(st.dates(max_value=date(9999, 12, 30)))
def test_m3ters_exclusive_end_is_the_day_after_salesforces_last_day(last: date) -> None:
    assert run("day_after", last.isoformat()) == (last + timedelta(days=1)).isoformat()


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_moment_survives_being_written_in_m3ters_form(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    written = conversions.written(moment)
    assert len(written) == 24
    assert conversions.as_moment(written) == moment


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_numbers_written_as_text_read_back_exactly(number: Decimal) -> None:
    assert run(["string", "decimal"], number) == number


@given(st.text())
def test_a_code_is_always_one_that_m3ter_takes(text: str) -> None:
    made = run(["code", "truncate:80"], text)
    assert made is None or (limits.is_code(made) and len(made) <= 80)


@given(st.text(), st.integers(min_value=1, max_value=300))
def test_truncated_text_is_never_longer(text: str, length: int) -> None:
    assert len(run(f"truncate:{length}", text) or "") <= length


@given(st.sampled_from(sorted(transforms.REGISTRY)), st.text(max_size=40))
def test_no_text_breaks_a_transform(name: str, text: str) -> None:
    transform = transforms.REGISTRY[name]
    step = transforms.example(transform) if transform.argument else name
    try:
        run(step, text)
    except ValueError as error:
        assert "is not" in str(error) or "is neither" in str(error)  # noqa: PT017 - whether it is raised varies
