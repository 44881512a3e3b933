"""When a channel that hears nothing is asked for."""

from datetime import timedelta

from daemon.to_m3ter.silence import Quiet

PATIENCE = timedelta(seconds=100)


def test_a_channel_is_due_when_it_heard_nothing_for_long_enough_and_only_that_one() -> None:
    quiet = Quiet(PATIENCE)
    quiet.begin(["/a", "/b"], now=1000)
    quiet.heard(["/b"], now=1060)
    assert quiet.due(now=1099) == []
    assert quiet.rest(now=1060) == timedelta(seconds=40)
    assert quiet.due(now=1100) == ["/a"]
    assert quiet.rest(now=1100) == timedelta(0)
    quiet.begin(["/a"], now=1100)
    assert quiet.due(now=1159) == []
    assert quiet.due(now=1200) == ["/a", "/b"]


def test_a_channel_whose_silence_says_nothing_is_never_due() -> None:
    quiet = Quiet(PATIENCE)
    quiet.heard(["/event/Deal_Closed__e"], now=0)
    assert quiet.due(now=1_000_000) == []
    assert quiet.rest(now=1_000_000) == PATIENCE
