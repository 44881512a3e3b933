"""The page on the entity data sync lists every field as it is."""

from pathlib import Path

import pytest

from daemon.to_salesforce import targets

PAGE = (Path(__file__).parents[2] / "docs" / "entity-data-sync.md").read_text("utf-8")


@pytest.mark.parametrize("target", targets.every("Custom Objects"), ids=lambda each: each.entity_type)
def test_the_page_names_every_field(target: targets.Target) -> None:
    heading = f": `{target.object_name}`\n"
    assert heading in PAGE
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ") and "`" in line]
    named = [(row[0].removeprefix("| "), row[1].strip("`")) for row in rows]
    assert named == [(each.own_name, each.name) for each in target.fields]
