"""What settings come to: how long each system may take to answer."""

from datetime import timedelta

from daemon import manners
from daemon.settings import Settings, SystemSettings


def test_a_call_for_many_records_may_take_twice_as_long_as_another() -> None:
    found = manners.patience(Settings(salesforce=SystemSettings(total_seconds=7)))
    assert found.salesforce.answer == timedelta(seconds=7)
    assert found.salesforce.answer_many == timedelta(seconds=14)
