"""Every case of tests/cases: a Salesforce record through a preset gives exactly these m3ter bodies."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import errors
from connectors.m3ter import shapes
from connectors.m3ter.models import EntityKind
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import desired, document, merge, sources

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.toml"))


def load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)


def resolved(needs: desired.Needs, ids: dict[str, str]) -> desired.Resolved:
    lookups = {
        need: ids[f"{need.kind} {need.code}"] for need in needs.lookups if f"{need.kind} {need.code}" in ids
    }
    return desired.Resolved(lookups, {key: ids[f"{key.kind} {key.salesforce_id}"] for key in needs.objects})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_record_makes_the_bodies_of_its_case(path: Path) -> None:
    case = load(path)
    mapping = document.parse(presets.text(case["preset"]))
    assert sources.criterion_holds(mapping, case["record"])
    made = sources.sources(mapping, case["record"])
    wanted = case["objects"]
    assert [(source.kind, source.salesforce_id) for source in made] == [
        (item["kind"], item["salesforce_id"]) for item in wanted
    ]
    for source, item in zip(made, wanted, strict=True):
        assert source.is_flagged == item.get("flagged", False)
        ids = resolved(desired.needs(mapping, source), case.get("ids", {}))
        if "missing" in item:
            with pytest.raises(errors.MissingMappingError) as caught:
                desired.desired(mapping, source, ids)
            assert str(caught.value) == item["missing"]
        else:
            assert merge.creation(desired.desired(mapping, source, ids)) == item["body"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_created_entity_read_back_needs_no_update(path: Path) -> None:
    case = load(path)
    mapping = document.parse(presets.text(case["preset"]))
    for source, item in zip(sources.sources(mapping, case["record"]), case["objects"], strict=True):
        if "body" not in item:
            continue
        ids = resolved(desired.needs(mapping, source), case.get("ids", {}))
        body = desired.desired(mapping, source, ids)
        entity = {**merge.creation(body), "id": "x", "version": 1, "dtCreated": "2026-01-01T00:00:00Z"}
        for number, band in enumerate(entity.get("pricingBands", [])):
            entity["pricingBands"][number] = {"id": str(number), **band, "fixedPrice": Decimal("0.00")}
        fields = shapes.REQUEST_FIELDS[EntityKind(source.kind)]
        assert merge.merge(entity, body, fields).changes == {}
