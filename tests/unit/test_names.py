"""What a credential, an integration or a field mapping may be called."""

import pytest

from state import names
from state.errors import NameUnusable


@pytest.mark.parametrize(
    "name", ["sf-production", "Sales agreements", "Verträge 2027", "契約", "a", "n" * 100]
)
def test_a_name_that_can_be_read_and_typed_is_taken(name: str) -> None:
    names.check("integration", name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "An integration needs a name"),
        ("  ", "needs a name"),
        ("a\nb", "cannot be seen"),
        ("a\x1b[31mb", "cannot be seen"),
        ("a\u202eb", "cannot be seen"),
        ("a\x00b", "cannot be seen"),
        ("a\udcffb", "cannot be seen"),
        (" a", "begins or ends with a space"),
        ("--replace", "begins like an option"),
        ("n" * 101, "has 101 characters, more than 100"),
    ],
)
def test_any_other_name_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(NameUnusable, match=said) as refused:
        names.check("integration", name)
    assert refused.value.instruction
    assert refused.value.reason.isprintable()
