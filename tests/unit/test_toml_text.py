"""What is written as TOML is read back to just the same, whatever is in it."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from daemon.cli import toml_text

ODD = ("'''", "a\n'''b", "a\n''", "\n\n", "a\r\nb", "tab\there\n", "\x7f\n", '"""', "\\", "x\n\u2028", "\n'")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(ODD)
VALUES = st.booleans() | TEXTS | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS)
TABLES = st.dictionaries(TEXTS, st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES)))


@given(TABLES)
def test_it_is_read_back_as_it_was(tables: dict[str, dict[str, dict[str, object]]]) -> None:
    found = tomllib.loads(toml_text.document(tables))
    assert found == {name: named for name, named in tables.items() if named}


def test_a_document_stands_there_to_be_read() -> None:
    text = toml_text.document({"mappings": {"x y": {"document": 'a = "b"\n', "on": True}}})
    assert text == "[mappings.\"x y\"]\ndocument = '''\na = \"b\"\n'''\non = true\n"
