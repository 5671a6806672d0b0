"""Lost networks, restarted servers, reloaded pages: what was missed comes, what was written goes out once."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Page, WebSocketRoute, expect

PLENTY = {"messages": {"count": 1000}}
BANNER = "Connection lost; what you write is kept."


async def offline(someone: Any) -> None:
    """Chromium's switch: the open socket stalls, it is not closed. The page must notice by itself (BEAT-3)."""
    await someone.context.set_offline(True)
    await lost(someone)


async def lost(someone: Any) -> None:
    """The page says so, and offers to try at once."""
    await expect(someone.tab.locator("#status")).to_have_text(BANNER)
    await expect(someone.tab.get_by_role("button", name="Try now")).to_be_visible()


async def hurry(someone: Any) -> None:
    """Press "Try now" if the page still waits. It may be back by itself at any moment, and then hides the button."""
    await someone.tab.locator("#now").dispatch_event("click")
    await someone.connected()


async def online(someone: Any) -> None:
    await someone.context.set_offline(False)
    await hurry(someone)


async def test_a_lost_network(house: Any, person: Any) -> None:
    await house.open(**PLENTY)
    ann, bob = await person("Ann"), await person("Bob")
    await ann.say("before")
    await expect(bob.said).to_have_text(["before"])
    await offline(bob)
    missed = [f"missed {number}" for number in range(20)]
    await ann.say(*missed)
    await bob.say("from the tunnel", "and once more")
    await expect(bob.unsent).to_have_text(["from the tunnel", "and once more"])
    await expect(ann.said).to_have_text(["before", *missed])
    await online(bob)
    everything = ["before", *missed, "from the tunnel", "and once more"]
    for someone in (bob, ann):
        await expect(someone.said).to_have_text(everything)
    await expect(bob.unsent).to_have_count(0)
    await expect(bob.tab.locator(".gap")).to_have_count(0)
    await expect(bob.tab.locator("#members li")).to_have_text(["Ann", "Bob (you)"])


async def test_back_without_a_hand(house: Any, person: Any) -> None:
    ann = await person("Ann")
    await house.close()
    await expect(ann.tab.locator("#status")).to_have_text(BANNER)
    await expect(ann.tab.get_by_role("img", name="Not connected")).to_be_visible()
    await house.open()
    await ann.connected()
    await ann.say("back")
    await expect(ann.said).to_have_text(["back"])


async def test_more_was_missed_than_is_kept(house: Any, person: Any) -> None:
    """RES-4: what is lost is shown, with its number."""
    await house.open(**PLENTY, history=5)
    ann, bob = await person("Ann"), await person("Bob")
    await ann.say("before")
    await expect(bob.said).to_have_text(["before"])
    await offline(bob)
    await ann.say(*(f"missed {number}" for number in range(17)))
    await expect(ann.said).to_have_count(18)
    await online(bob)
    await expect(bob.said).to_have_text(["before", *(f"missed {number}" for number in range(12, 17))])
    await expect(bob.tab.locator(".gap")).to_have_text(["12 messages were lost"])
    # It stands where they are missing.
    lines = await bob.tab.locator("#messages > li").all_inner_texts()
    place = lines.index("12 messages were lost")
    assert lines[place - 1].endswith("before")
    assert lines[place + 1].endswith("missed 12")


async def test_the_server_restarts_under_both(house: Any, person: Any) -> None:
    """RES-5, AUTH-13: a store in memory forgets rooms and guests; both are seen, and talk goes on."""
    ann, bob = await person("Ann"), await person("Bob")
    await ann.say("in the old life")
    await expect(bob.said).to_have_text(["in the old life"])
    await house.close()
    for someone in (ann, bob):
        await lost(someone)
    await ann.say("written meanwhile")
    await house.open()
    for someone in (ann, bob):
        await hurry(someone)
        await expect(someone.said).to_have_text(["in the old life", "written meanwhile"])
        await expect(someone.tab.locator(".gap")).to_have_text(["The room was begun anew: messages may have been lost"])
    await bob.say("and on")
    await expect(ann.said).to_have_text(["in the old life", "written meanwhile", "and on"])


class Between:
    """Stands between page and server, and does what a bad line would do to ``send`` and its answers."""

    def __init__(self) -> None:
        self.mids: list[str] = []
        self.deaf = False  # what the page sends does not arrive
        self.cut = False  # the first answer is lost, and the connection with it

    async def install(self, tab: Page) -> None:
        await tab.route_web_socket("**/ws", self._connect)
        await tab.reload()

    def _connect(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        async def from_page(data: str | bytes) -> None:
            message = json.loads(data)
            if message["type"] == "send":
                self.mids.append(message["mid"])
                if self.deaf:
                    return
            server.send(data)

        async def from_server(data: str | bytes) -> None:
            if self.cut and len(self.mids) == 1 and json.loads(data)["type"] in ("sent", "message"):
                await route.close(code=4002, reason="slow_consumer")
            else:
                route.send(data)

        route.on_message(from_page)
        server.on_message(from_server)


async def test_a_reload(person: Any) -> None:
    """The same guest, the same rooms, the draft, and what was not sent: nothing of it twice."""
    ann, bob = await person("Ann"), await person("Bob")
    between = Between()
    await between.install(ann.tab)
    await ann.connected()
    await ann.join("garden")
    await ann.say("in the garden")
    await expect(ann.said).to_have_text(["in the garden"])
    await ann.room("lobby").click()
    me = await ann.tab.evaluate("localStorage['roomproof.token']")
    between.deaf = True
    await ann.say("not sent yet", "nor this")
    await expect(ann.unsent).to_have_text(["not sent yet", "nor this"])
    await ann.field.fill("half a thou")
    between.deaf = False
    await ann.tab.reload()
    for someone in (bob, ann):
        await expect(someone.said).to_have_text(["not sent yet", "nor this"])
    assert len(between.mids) == 4
    assert between.mids[1] == between.mids[2]
    await expect(ann.tab.locator("#messages .own")).to_have_count(2)
    await expect(ann.unsent).to_have_count(0)
    await expect(ann.field).to_have_value("half a thou")
    await expect(ann.tab.locator("#members li")).to_have_text(["Ann (you)", "Bob"])
    assert await ann.tab.evaluate("localStorage['roomproof.token']") == me
    await ann.room("garden").click()
    await expect(ann.said).to_have_text(["in the garden"])


async def test_a_lost_answer(person: Any) -> None:
    """MSG-14, MSG-9: the retry has the same mid, so the message is there once."""
    ann, bob = await person("Ann"), await person("Bob")
    between = Between()
    between.cut = True
    await between.install(ann.tab)
    await ann.connected()
    await ann.say("only once")
    await expect(ann.said).to_have_text(["only once"])
    await expect(ann.unsent).to_have_count(0)
    await expect(bob.said).to_have_text(["only once"])
    assert len(between.mids) == 2
    assert len(set(between.mids)) == 1
