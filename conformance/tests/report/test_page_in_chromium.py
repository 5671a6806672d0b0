"""The page in a real browser with JavaScript off: nothing of the target runs, and the filter works all the same.

Without a browser the tests are skipped; in CI that fails.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from roomproof_conformance.report.html import write_html
from roomproof_conformance.results import RunResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def file(result: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_html(result, path)
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, file: Path) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 1000, "height": 900})
    page = await context.new_page()
    await page.goto(file.as_uri())
    yield page
    await context.close()


async def test_it_asks_for_nothing_and_runs_nothing_even_where_scripts_may_run(browser: Browser, file: Path) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    asked: list[str] = []
    heard: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on("console", lambda line: heard.append(line.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    await page.goto(file.as_uri())
    assert await page.locator("script, img, iframe, object, embed, link").count() == 0
    assert await page.locator("main").inner_text() != ""
    await context.close()
    assert asked == [file.as_uri()]
    assert heard == []


async def test_hostile_text_is_text(page: Page) -> None:
    await expect(page.locator("body")).to_contain_text("<script>alert(1)</script>")
    await expect(page.locator("body")).to_contain_text("]]></style><style>*{display:none}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not conformant")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_the_filter_works_without_a_script(page: Page) -> None:
    findings, rows = page.locator(".finding:visible"), page.locator(".row:visible")
    everything = await findings.count(), await rows.count()
    await page.get_by_text(re.compile("^fail ")).click()
    assert await findings.count() == await page.locator(".finding.fail").count() == 4
    assert await rows.count() == 4
    await expect(page.get_by_role("heading", name="Not judged")).to_be_hidden()
    await page.get_by_role("radio", name=re.compile("^not-judged")).focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("heading", name="Not judged")).to_be_visible()
    assert await page.locator(".finding:visible:not(.not-judged)").count() == 0
    await page.get_by_text(re.compile("^all checks")).click()
    assert (await findings.count(), await rows.count()) == everything


@pytest.mark.parametrize("width", [320, 390, 1000])
async def test_no_line_is_wider_than_the_window(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, room = await page.evaluate(sizes)
    assert wide <= room


async def test_light_and_dark_are_readable(page: Page) -> None:
    papers = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        ink, paper = await page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert abs(_light(ink) - _light(paper)) > 0.6
        papers.append(_light(paper))
    assert papers[0] > 0.9 > 0.2 > papers[1]


def _light(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765


async def test_on_paper_the_transcripts_are_open_and_the_filter_is_gone(page: Page) -> None:
    await expect(page.locator(".lines").first).to_be_hidden()
    await page.emulate_media(media="print")
    await expect(page.locator(".lines").first).to_be_visible()
    await expect(page.locator(".filter")).to_be_hidden()
    assert (await page.pdf(format="A4")).startswith(b"%PDF")
