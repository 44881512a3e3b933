"""docs/operating.md says what is so: keys of credentials, exit codes, days, addresses."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.cli import entering, session
from daemon.web import api
from state.retention import Keep

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")


def _section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _first_cells(table: str) -> list[str]:
    return [name for line in table.splitlines() for name in re.findall("`([^`]+)`", line.split(" | ")[0])]


@pytest.mark.parametrize(("system", "title"), [("salesforce", "Salesforce"), ("m3ter", "m3ter")])
def test_the_tables_of_credentials_have_every_key_and_no_other(system: str, title: str) -> None:
    table = _section("Credentials as JSON").partition(f"\n| {title} | |\n")[2].partition("\n\n")[0]
    assert sorted(_first_cells(table)) == sorted(entering.MODELS[system].model_fields)


def test_the_examples_of_credentials_are_taken() -> None:
    examples = _section("Credentials as JSON").partition("```\n")[2].partition("```")[0].splitlines()
    for system, example in zip(("salesforce", "m3ter"), examples, strict=True):
        assert entering.parse(system, json.loads(example)).url


def test_every_exit_code_is_told() -> None:
    codes = (session.DONE, session.FAILED, session.WRONG_USAGE, session.UNCONFIGURED, session.INTERRUPTED)
    told = re.findall(r"^\| (\d+) \|", _section("Exit codes"), re.MULTILINE)
    assert told == [str(code) for code in codes]


def test_the_days_are_those_that_are_kept() -> None:
    told = re.findall(r"\| (\d+) \|$", _section("How long what is kept"), re.MULTILINE)
    assert set(asdict(Keep()).values()) == {30, 90}
    assert told == ["30", "90", "1"]


def test_every_address_of_the_api_is_told() -> None:
    found = {re.sub(r"\{\w+\}", "{id}", route.path) for route in api.routes if hasattr(route, "path")}
    assert {name for name in _first_cells(_section("The JSON API")) if name.startswith("/api")} == found
