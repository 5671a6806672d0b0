"""What the page's tests share: Debian's Chromium, a server that can be restarted, and people with a tab each.

The tests wait for what must come, never for a time to pass. Without a browser they are skipped; in CI that fails.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from roomproof_protocol import Heartbeat, Limits
from roomproof_server.settings import Settings
from roomproof_server.shell.server import Server

# What the browser itself writes about a connection that fails; nothing else may stand in the console.
EXPECTED = re.compile(r"WebSocket connection to .* failed|net::ERR_")

expect.set_options(timeout=10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: the browser is started once."""
    for item in items:
        if item.path.parent.name == "page" and item.path.name != "test_assets.py":
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


class House:
    """A server on a port that it keeps over restarts."""

    def __init__(self) -> None:
        self.port = 0
        self.server: Server | None = None
        self.limits: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self, **limits: Any) -> None:
        self.limits = limits or self.limits
        self.server = Server(Settings(limits=Limits.from_mapping(self.limits), heartbeat=Heartbeat(1000, 1000)))
        self.port = await self.server.start("127.0.0.1", self.port)

    async def close(self) -> None:
        if self.server is not None:
            await self.server.stop()
        self.server = None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_house() -> AsyncIterator[House]:
    """For tests that leave no trace in it."""
    house = House()
    await house.open()
    yield house
    await house.close()


class Person:
    """Somebody with the page in a tab. Locators say what the page must be called for who cannot see it."""

    def __init__(self, context: BrowserContext, tab: Page) -> None:
        self.context, self.tab = context, tab
        self.complaints: list[str] = []
        tab.on("console", self._heard)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning") and not EXPECTED.search(line.text):
            self.complaints.append(line.text)

    @property
    def field(self) -> Locator:
        return self.tab.get_by_role("textbox", name=re.compile("^Message"))

    @property
    def log(self) -> Locator:
        return self.tab.get_by_role("log")

    @property
    def said(self) -> Locator:
        """The texts of the messages that arrived."""
        return self.tab.locator("#messages .text")

    @property
    def unsent(self) -> Locator:
        return self.tab.locator("#unsent .text")

    def room(self, name: str) -> Locator:
        return self.tab.get_by_role("navigation", name="Rooms").get_by_role("button", name=name)

    async def connected(self) -> None:
        await expect(self.tab.get_by_role("img", name="Connected", exact=True)).to_be_visible()

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.field.fill(text)
            await self.field.press("Enter")

    async def join(self, room: str) -> None:
        await self.tab.get_by_role("textbox", name="Join a room").fill(room)
        await self.tab.get_by_role("button", name="Join", exact=True).click()

    async def take_name(self, name: str) -> None:
        await self.tab.get_by_role("textbox", name="Your name").fill(name)
        await self.tab.get_by_role("button", name="Save").click()
        await expect(self.tab.get_by_role("listitem").filter(has_text=f"{name} (you)")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def person(browser: Browser, house: House) -> AsyncIterator[Callable[..., Any]]:
    """Starts tabs, each with a storage of its own; at the end none may have complained."""
    people: list[Person] = []

    async def start(name: str | None = None, address: str = "/", **options: Any) -> Person:
        if house.server is None:
            await house.open()
        wide: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}}
        context = await browser.new_context(**(wide | options))
        someone = Person(context, await context.new_page())
        people.append(someone)
        await someone.tab.goto(house.url + address)
        await someone.connected()
        if name:
            await someone.take_name(name)
        return someone

    yield start
    for someone in people:
        await someone.context.close()
        assert someone.complaints == []
