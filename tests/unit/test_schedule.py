"""A schedule tells its moments in UTC, alike for every daemon; however many were missed it is due once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.to_salesforce import schedule
from daemon.to_salesforce.schedule import ScheduleInvalid

TEXTS = ("0 * * * *", "*/15 * * * *", "30 2 * * 1", "every 10m", "every 90s", "every 1d")


def at(hour: int, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2026, 11, 21, hour, minute, second, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "latest", "following"),
    [
        ("0 * * * *", at(10), at(10), at(11)),
        ("0 * * * *", at(9, 59, 59, 999_999), at(9), at(10)),
        ("0 * * * *", at(10, 0, 30), at(10), at(11)),
        ("*/15 * * * *", at(10, 14), at(10), at(10, 15)),
        ("every 10m", at(10, 9, 59), at(10), at(10, 10)),
        ("every 1h", at(10, 9, 59), at(10), at(11)),
        ("EVERY 90 s", at(0, 1, 31), at(0, 1, 30), at(0, 3)),
    ],
)
def test_the_moments_around_now(text: str, now: datetime, latest: datetime, following: datetime) -> None:
    parsed = schedule.parse(text)
    assert (parsed.latest(now), parsed.following(now)) == (latest, following)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.sampled_from(TEXTS))  # noqa: DTZ001 - UTC is put on
def test_now_is_never_before_the_latest_nor_after_the_following_moment(naive: datetime, text: str) -> None:
    now, parsed = naive.replace(tzinfo=UTC), schedule.parse(text)
    latest, following = parsed.latest(now), parsed.following(now)
    assert latest <= now < following
    assert parsed.latest(following) == following
    assert parsed.latest(following - timedelta(microseconds=1)) == latest


def test_however_many_moments_were_missed_it_is_due_once() -> None:
    parsed = schedule.parse("0 * * * *")
    assert parsed.is_due(None, at(10, 30))
    assert parsed.is_due(at(3), at(10, 30))
    assert not parsed.is_due(at(10), at(10, 30))
    assert not parsed.is_due(at(10, 20), at(10, 30))
    assert parsed.is_due(at(10, 20), at(11))


@pytest.mark.parametrize(
    "text", ["", "hourly", "every 1s", "every 0m", "every m", "0 0 30 2 *", "* * *", "61 * * * *"]
)
def test_what_is_no_schedule_is_refused_in_words(text: str) -> None:
    with pytest.raises(ScheduleInvalid, match=r"schedule|often"):
        schedule.parse(text)
