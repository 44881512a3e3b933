"""What others wrote (names, messages of Salesforce) forges no line of a terminal."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from daemon.cli import entity_tables, printing
from state.entity_models import Copy, CopyAction, CopyStatus, EntityType, Namespace

HOSTILE = "No.\n! integration:bills: all is well\r\x1b[2Ahidden\x85\u2028next\x0bmore"
FORGED = "! integration:bills"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUE = Copy(
    integration_id=UUID(int=1),
    integration_name="bills",
    entity_type=EntityType.BILL,
    namespace=Namespace.CUSTOM,
    m3ter_id="a",
    account_id="b",
    salesforce_id=None,
    status=CopyStatus.REFUSED,
    action=CopyAction.UPSERT,
    version=1,
    attempts=1,
    due_at=NOON,
    changed_at=NOON,
    written_at=None,
    code="FIELD_CUSTOM_VALIDATION_EXCEPTION",
    message=HOSTILE,
    fields=(HOSTILE,),
)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    for text in (out, err):
        assert not {"\r", "\x1b", "\x85", "\u2028", "\x0b"} & set(text)
    return (out + err).splitlines()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")


def test_a_line_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    printing.line(HOSTILE)
    printing.heading(HOSTILE)
    assert [each[:6] for each in lines(capsys)] == ["No.\\n!", "No.\\n!"]


def test_a_cell_stays_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    printing.table(("name", "message"), [("one", HOSTILE), (HOSTILE, "two")])
    assert len(lines(capsys)) == 4


def test_a_fact_stays_beside_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    printing.facts({"message": HOSTILE, HOSTILE: [HOSTILE, "two"]})
    assert len(lines(capsys)) == 2


def test_what_went_wrong_is_one_line_and_what_to_do_another(capsys: pytest.CaptureFixture[str]) -> None:
    printing.problem(HOSTILE, HOSTILE)
    assert len(lines(capsys)) == 2


def test_a_message_of_salesforce_stays_in_the_line_of_its_record(capsys: pytest.CaptureFixture[str]) -> None:
    entity_tables.print_issues([ISSUE])
    found = lines(capsys)
    assert len(found) == 2
    assert not any(each.lstrip().startswith(FORGED) for each in found)


def test_what_is_ours_may_be_of_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    printing.raw("one\ntwo\n")
    printing.line()
    assert capsys.readouterr().out == "one\ntwo\n\n"
