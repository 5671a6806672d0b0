"""The matrix in a real browser with JavaScript off: a cell leads to its evidence, and a phone scrolls the table alone.

Without a browser the tests are skipped; in CI that fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from roomproof_conformance.matrix.model import Matrix
from roomproof_conformance.matrix.page import write_page

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, matrix: Matrix, tmp_path: Path) -> AsyncIterator[Page]:
    write_page(matrix, tmp_path / "matrix.html")
    context = await browser.new_context(
        java_script_enabled=False, viewport={"width": 390, "height": 800}, reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto((tmp_path / "matrix.html").as_uri())
    yield page
    await context.close()


async def test_a_red_cell_opens_its_evidence(page: Page) -> None:
    await page.locator("td.fail a").click()
    evidence = page.locator("article:target")
    await expect(evidence).to_be_in_viewport()
    await expect(evidence).to_contain_text("no message")


async def test_on_a_phone_the_table_scrolls_and_not_the_page(browser: Browser, page: Page) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    other = await context.new_page()
    await other.goto(page.url)
    assert await other.evaluate("document.documentElement.scrollWidth") == 390
    assert await other.evaluate("document.querySelector('.scroll').scrollWidth") > 390
    await context.close()
