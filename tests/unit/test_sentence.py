"""A message is ended where it has no end of its own."""

import pytest

from state import sentence


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unable to lock row", "unable to lock row."),
        (" Wait! ", "Wait!"),
        ("the rest was cut…", "the rest was cut…"),
        ("Why?", "Why?"),
        ("Done.", "Done."),
        ("", ""),
    ],
)
def test_a_message_has_one_end(said: str, told: str) -> None:
    assert sentence.ended(said) == told
