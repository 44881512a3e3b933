"""How the emulated m3ter keeps, finds and pages through its entities."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.m3ter import paging, search
from connectors.sandbox.m3ter.kinds import every_kind
from connectors.sandbox.m3ter.refusals import RefusedError
from connectors.sandbox.m3ter.tables import Table


def table(count: int, **changes: Any) -> Table:
    made = Table(every_kind()["Account"])
    for number in range(count):
        made.put({"id": f"id{number}", "code": f"code{number}", **changes})
    return made


def walk(
    accounts: Table, size: int, fits: Any = lambda _: True, picked: list[int] | None = None
) -> list[list[str]]:
    pages, position = [], None
    while True:
        page = accounts.page(size, position, picked, fits)
        pages.append([entity["id"] for entity in page.entities])
        if page.next_position is None:
            return pages
        position = page.next_position


@given(count=st.integers(0, 30), size=st.integers(1, 12), gone=st.sets(st.integers(0, 29)))
def test_pages_give_everything_once_newest_first(count: int, size: int, gone: set[int]) -> None:
    accounts = table(count)
    for number in gone:
        if f"id{number}" in accounts:
            accounts.remove(f"id{number}")

    found = [entity_id for page in walk(accounts, size) for entity_id in page]

    assert found == [f"id{number}" for number in reversed(range(count)) if number not in gone]
    assert len(accounts) == len(found)


def test_a_page_can_be_empty_and_go_on_because_it_is_filtered_after_it_is_cut() -> None:
    pages = walk(table(9), 3, fits=lambda entity: entity["id"] in ("id8", "id0"))
    assert pages == [["id8"], [], ["id0"]]


def test_what_is_written_meanwhile_does_not_shift_the_next_page() -> None:
    accounts = table(4)
    first = accounts.page(2, None, None, lambda _: True)
    accounts.put({"id": "new", "code": "new"})
    accounts.put({"id": "id1", "code": "renamed"})
    second = accounts.page(2, first.next_position, None, lambda _: True)
    assert [entity["id"] for entity in first.entities + second.entities] == ["id3", "id2", "id1", "id0"]


def test_an_index_follows_changes_and_removals() -> None:
    accounts = table(3)
    accounts.put({"id": "id1", "code": "other", "parentAccountId": "id0"})
    assert accounts.having("code", "code1") == []
    assert [one["id"] for one in accounts.having("code", "other")] == ["id1"]
    accounts.remove("id1")
    assert accounts.having("parentAccountId", "id0") == []
    assert accounts.newest("code", "other") is None


def test_a_list_of_values_is_indexed_by_each_of_them() -> None:
    commitments = Table(every_kind()["Commitment"])
    commitments.put({"id": "a", "productIds": ["p", "q"]})
    commitments.put({"id": "b", "productIds": ["q"]})
    assert [one["id"] for one in commitments.having("productIds", "q")] == ["b", "a"]
    assert [one["id"] for one in commitments.having("productIds", "p")] == ["a"]


def test_a_token_is_good_for_its_own_list_only() -> None:
    scope = paging.scope_of("/accounts", {"codes": "a", "pageSize": "5", "nextToken": "t"})
    token = paging.seal(17, scope)
    assert paging.unseal(token, scope) == 17
    assert scope == paging.scope_of("/accounts", {"codes": "a", "pageSize": "9"})
    for wrong in (token[:-2], "", "no token", "é", paging.seal(17, "/accounts?codes=b")):
        if wrong:
            with pytest.raises(RefusedError, match="nextToken"):
                paging.unseal(wrong, scope)


@pytest.mark.parametrize("size", ["0", "-1", "101", "ten", "1e1", "²"])
def test_a_page_size_outside_the_documented_range_is_refused(size: str) -> None:
    with pytest.raises(RefusedError, match="pageSize: must be between 1 and 100"):
        paging.page_size({"pageSize": size}, 20, 100)


def test_search_sorts_numbers_times_and_texts() -> None:
    values = ["b", "10", "9", "2026-01-02", "A", "2025-01-01T00:00:00Z"]
    assert sorted(values, key=search.sort_key) == ["9", "10", "2025-01-01T00:00:00Z", "2026-01-02", "A", "b"]
