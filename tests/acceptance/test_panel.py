"""The panel in a real browser: both colour schemes, 360 pixels, and nothing loaded from elsewhere."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, async_playwright

from daemon.web.sources import Sources
from state.database import Pool
from tests.acceptance import machine
from tests.integration.state_rows import record_id
from tests.integration.web_pages import Site, ready_integration, served, write_history

_QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = machine.browser()
    # A short path: the browser keeps a socket there.
    with tempfile.TemporaryDirectory(prefix="m3p-") as home:
        async with async_playwright() as playwright:
            found = await playwright.chromium.launch(
                executable_path=path, args=list(_QUIET), env={"HOME": home, "TMPDIR": home}
            )
            try:
                yield found
            finally:
                await found.close()


@pytest.fixture
async def site(db: Pool) -> AsyncIterator[tuple[Site, dict[str, UUID]]]:
    """The panel with a Completed, a Partial Success and a Failed run, the last with hostile text in it."""
    async with served(Sources(lambda: db)) as found:
        integration = await ready_integration(db)
        yield found, await write_history(db, integration)


async def _opened(browser: Browser, address: str, scheme: str, width: int) -> tuple[Page, list[str]]:
    """The page, and whatever went wrong in it: scripts run, errors, requests that left the panel."""
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    home = urlsplit(address).netloc
    page.on(
        "request", lambda asked: complaints.append(asked.url) if urlsplit(asked.url).netloc != home else None
    )
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200
    return page, complaints


async def _unfold(page: Page) -> None:
    for run in await page.locator("details > summary").all():
        await run.click()


async def _luminance(page: Page) -> float:
    channels = await page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    )
    return float(sum(channels)) / (3 * 255)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
async def test_every_page_fits_its_window_in_both_schemes(
    browser: Browser, site: tuple[Site, dict[str, UUID]], tmp_path: Path, scheme: str, width: int
) -> None:
    found, runs = site
    paths = ("/", f"/runs/{runs['Completed']}", f"/records/{record_id(3)}", f"/records/{record_id(1)}")
    for number, path in enumerate(paths):
        page, complaints = await _opened(browser, found.address + path, scheme, width)
        await _unfold(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        await page.screenshot(path=tmp_path / f"{scheme}-{width}-{number}.png", full_page=True)
        assert (await _luminance(page) < 0.3) == (scheme == "dark")
        assert complaints == []
        await page.context.close()


async def test_the_front_page_shows_all_three_sync_statuses_with_their_objects(
    browser: Browser, site: tuple[Site, dict[str, UUID]]
) -> None:
    page, complaints = await _opened(browser, f"{site[0].address}/", "light", 1100)
    assert await page.locator("summary .pill").all_inner_texts() == ["Failed", "Partial Success", "Completed"]
    overlap = page.get_by_text("Commitment would overlap with existing Commitment").last
    assert not await overlap.is_visible()
    await _unfold(page)
    assert await overlap.is_visible()
    flagged = page.get_by_text("was flagged to not sync.").last
    assert await flagged.is_visible()
    terms = await page.locator("dt").all_inner_texts()
    assert terms == [
        "First synchronization status",
        "Current synchronization status",
        "Synchronization issues",
        "Date of last synchronization",
        "Automatic synchronization",
        "Force synchronization",
    ]
    assert complaints == []


async def test_one_can_go_from_a_run_to_its_calls_and_to_the_records_story(
    browser: Browser, site: tuple[Site, dict[str, UUID]]
) -> None:
    page, complaints = await _opened(browser, f"{site[0].address}/", "light", 1100)
    await page.locator("details > summary").last.click()
    await page.get_by_role("link", name="Every call of this run").last.click()
    await page.wait_for_url("**/runs/*")
    assert await page.get_by_role("cell", name="12 ms").is_visible()
    await page.get_by_role("link", name=record_id(1)).first.click()
    await page.wait_for_url("**/records/*")
    assert await page.get_by_text("heard UPDATE of Opportunity").is_visible()
    assert complaints == []


async def test_hostile_text_does_nothing(browser: Browser, site: tuple[Site, dict[str, UUID]]) -> None:
    for path in ("/", f"/runs/{site[1]['Failed']}", f"/records/{record_id(3)}"):
        page, complaints = await _opened(browser, site[0].address + path, "light", 360)
        await _unfold(page)
        assert await page.locator("script, img").count() == 0
        assert await page.get_by_text("<script>alert('x')</script>{{ 7 * 7 }}").count() > 0
        assert complaints == []
