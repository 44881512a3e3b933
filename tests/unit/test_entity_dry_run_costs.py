"""What a dry run says that a run would cost, and what it says is missing in Salesforce."""

import pytest

from connectors.errors import RejectedError
from daemon.to_salesforce import lacking, targets
from daemon.to_salesforce.dry_run import Cost

MENDING = {"Custom Objects": "m3sync salesforce metadata --out DIR", "m3ter Connector": "m3ter's package"}


@pytest.mark.parametrize(
    ("upserts", "marks", "deletions", "look_ups", "calls"),
    [(0, 0, 0, 0, 0), (1, 1, 1, 0, 3), (201, 0, 0, 1, 3), (9_999, 0, 0, 0, 50), (300_000, 1, 0, 0, 301)],
)
def test_each_kind_of_write_has_calls_of_its_own_and_very_many_go_by_jobs(
    upserts: int, marks: int, deletions: int, look_ups: int, calls: int
) -> None:
    cost = Cost(upserts=upserts, marks=marks, deletions=deletions, look_ups=look_ups, bulk_threshold=10_000)
    assert (cost.writing_calls, cost.uses_bulk) == (calls, upserts >= 10_000)


def test_what_is_refused_or_has_drifted_costs_nothing() -> None:
    cost = Cost()
    for action in ("refused", "drifted", "cannot be written", "create", "update", "mark", "delete"):
        cost.count(action)
    assert (cost.upserts, cost.marks, cost.deletions) == (2, 1, 1)


@pytest.mark.parametrize("namespace", MENDING)
def test_a_missing_lookup_is_named_by_its_field_and_how_to_get_it(namespace: str) -> None:
    target = targets.target("Bill", namespace)
    lookup = next(each for each in target.fields if each.relation)
    said = f"Didn't understand relationship '{lookup.relationship}' in field path. If you are attempting ..."
    error = lacking.told(target, {}, RejectedError(said, code="INVALID_FIELD"))
    assert error.message.startswith(f"{target.object_name} has no field {lookup.name}, or hides it")
    assert MENDING[namespace] in error.instruction
    assert "m3sync doctor" in error.instruction


def test_another_refusal_stays_as_it_is() -> None:
    error = RejectedError("unexpected token", code="MALFORMED_QUERY")
    assert lacking.told(targets.target("Bill", "Custom Objects"), {}, error) is error
