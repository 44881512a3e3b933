"""docs/mappings.md says what is so: its examples can be read and every transform is in its table."""

import re
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document, soql, transforms

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs" / "mappings.md").read_text("utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
HEAD = 'name = "x"\nflow = "Sales Agreement Sync"\nparent = "Opportunity"\n'
TIERS = '[lines.Tiers__r]\nobject = "T__c"\nparent_field = "O__c"\n'
REST = {
    "[lines": '[objects.Account]\nsource = "Account"\n[objects.Account.fields]\ncode = "Id"\n',
    "[channels": '[objects.Account]\nsource = "Account"\n[objects.Account.fields]\ncode = "Id"\n',
    "[objects.Pricing": f'[objects.Pricing]\nsource = ""\n{TIERS}',
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0])
def test_every_example_can_be_read(example: str) -> None:
    rest = next((rest for start, rest in REST.items() if example.startswith(start)), "")
    mapping = document.parse(HEAD + rest + example if rest else example)
    assert soql.soql(mapping, "006S900000795MNIAY")


@pytest.mark.parametrize("name", sorted(transforms.REGISTRY))
def test_every_transform_is_described_in_its_own_words(name: str) -> None:
    transform = transforms.REGISTRY[name]
    shown = transforms.example(transform) if transform.argument else name
    assert f"| `{shown}` | {transform.purpose} |" in TEXT
    transforms.parse(shown)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_named(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_the_readme_says_which_objects_the_presets_want_selected() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8").partition("what to select.**")[2]
    told = " ".join(text.partition("\n3. ")[0].split())
    for name in ("account", "opportunity", "order"):
        watched = sorted(document.parse(presets.text(name)).objects_watched)
        assert f"`{name}` {' and '.join(f'`{each}`' for each in watched)}" in told, name
