"""The size of pages: halved where one is too large, doubled again where that does not fail over and over."""

from collections.abc import Callable

from daemon.to_salesforce.page_sizes import PageSize

LARGEST = 100


def scan(size: PageSize, fits: Callable[[int, int], bool], entities: int) -> tuple[int, int]:
    """How many pages were read and how many trials failed; `fits` is told the first entity and the size."""
    at = pages = failed = 0
    while at < entities:
        if size.now == 1 or fits(at, size.now):
            at += size.now
            pages += 1
            size.grow()
        else:
            failed += 1
            size.shrink()
    return pages, failed


def test_where_every_page_fits_all_are_of_the_largest_size() -> None:
    assert scan(PageSize(LARGEST), lambda _at, _size: True, 10_000) == (100, 0)


def test_a_size_that_never_fits_is_tried_the_less_the_longer_the_list() -> None:
    short = scan(PageSize(LARGEST), lambda _at, size: size <= 50, 30_000)
    assert short[0] == 600
    assert short[1] <= 6
    long = scan(PageSize(LARGEST), lambda _at, size: size <= 50, 300_000)
    assert long[0] == 6_000
    assert long[1] <= 9


def test_a_single_heavy_entity_slows_only_the_pages_next_to_it() -> None:
    heavy = 20_030
    size = PageSize(LARGEST)
    pages, failed = scan(size, lambda at, some: not at <= heavy < at + some, 300_000)
    assert failed <= 7  # as one by one from 100 down to 1
    assert pages <= 3_000 + 100
    assert size.now == LARGEST


def test_many_heavy_ones_do_not_make_it_forget_the_largest_size() -> None:
    def fits(at: int, size: int) -> bool:
        return not any(at <= heavy < at + size for heavy in range(5_030, 300_000, 10_000))

    pages, failed = scan(PageSize(LARGEST), fits, 300_000)
    assert 30 * 6 <= failed <= 30 * 8
    assert pages <= 3_000 + 30 * 110


def test_a_size_that_fits_now_and_then_fails_with_a_small_share_of_the_pages() -> None:
    for run_of_light in (1, 2, 5, 10, 50):
        span = 100 * (run_of_light + 1)

        def fits(at: int, size: int, span: int = span) -> bool:
            return size <= 50 or at % span < span - 100

        pages, failed = scan(PageSize(LARGEST), fits, 300_000)
        assert failed <= pages / 20, run_of_light


def test_a_size_that_fits_again_is_returned_to() -> None:
    size = PageSize(LARGEST)
    scan(size, lambda _at, some: some <= 3, 2_000)
    assert size.now <= 6
    scan(size, lambda _at, _size: True, 100_000)
    assert size.now == LARGEST
