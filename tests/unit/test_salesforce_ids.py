"""Ids of 15 and 18 characters are one record; anything else is refused with its own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.errors import RejectedError
from connectors.salesforce.ids import NO_RECORD, to_id18

LETTERS = some.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=15, max_size=15
)


@pytest.mark.parametrize("id18", ["006S900000795MNIAY", NO_RECORD, "00DS90000010001MAA"])
def test_known_ids(id18: str) -> None:
    assert to_id18(id18) == id18
    assert to_id18(id18[:15]) == id18
    assert to_id18(f" {id18}\n") == id18


@given(LETTERS)
def test_both_forms_are_one_record(id15: str) -> None:
    assert to_id18(to_id18(id15)) == to_id18(id15)


@given(LETTERS)
def test_case_tells_records_apart(id15: str) -> None:
    if id15.swapcase() != id15:
        assert to_id18(id15) != to_id18(id15.swapcase())


@pytest.mark.parametrize(
    ("record_id", "why"),
    [
        (None, "No record id"),
        ("", "No record id"),
        ("   ", "No record id"),
        ("006", "3 characters"),
        ("006S900000795MNI", "16 characters"),
        ("006S900000795MN!AY", "other than letters and digits"),
        ("006S900000795MN' OR Id != '", "other than letters and digits"),
        ("006S90000079\uff15MNIAY", "other than letters and digits"),
        ("006S900000795MNIAZ", "misspelt"),
        ("006s900000795mniay", "misspelt"),
        ("x" * 5000, "5000 characters"),
    ],
)
def test_each_bad_id_has_its_own_message(record_id: str | None, why: str) -> None:
    with pytest.raises(RejectedError, match=why) as caught:
        to_id18(record_id)
    assert caught.value.code == "MALFORMED_ID"
    assert len(caught.value.message) < 200
