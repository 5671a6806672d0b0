"""People talk: messages, rooms, names, presence, and that nothing they type becomes part of the page."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "</p></li><h1>big</h1><!--",
    "&lt;b&gt; &amp; \"quoted\" 'single'",
    "javascript:window.hit=1 https://roomproof.invalid/<b>",
    "{{7*7}} ${window.hit=1} `x`",
    "line one\nline two\n\n  indented",
]


async def test_two_people_talk(person: Any) -> None:
    ann, bob = await person("Ann"), await person("Bob")
    await ann.say("Hello Bob")
    await expect(bob.said).to_have_text(["Hello Bob"])
    await bob.say("Hello Ann", "How are you?")
    for someone in (ann, bob):
        await expect(someone.said).to_have_text(["Hello Bob", "Hello Ann", "How are you?"])
        await expect(someone.unsent).to_have_count(0)
    heads = bob.tab.locator("#messages .meta:not(.unseen) bdi")
    await expect(heads).to_have_text(["Ann", "You"])  # one heading for what is said in one go
    await expect(ann.tab.locator("#messages .own .text")).to_have_text(["Hello Bob"])
    await expect(ann.tab.locator("#messages .day")).to_have_text(["Today"])
    await expect(ann.log).to_have_attribute("aria-live", "polite")


async def test_presence_is_quiet(person: Any) -> None:
    ann, bob = await person("Ann"), await person("Bob")
    members = ann.tab.locator("#members li")
    await expect(members).to_have_text(["Ann (you)", "Bob"])
    await bob.tab.get_by_role("button", name="Leave").click()
    await expect(members).to_have_text(["Ann (you)"])
    await bob.join("lobby")
    await expect(members).to_have_text(["Ann (you)", "Bob"])
    await expect(ann.tab.locator("#messages li.presence")).to_have_attribute("aria-live", "off")
    await expect(ann.said).to_have_count(0)


async def test_rooms(person: Any) -> None:
    """Several rooms, what is unread in them, switching, leaving."""
    ann, bob = await person("Ann"), await person("Bob")
    await ann.join("garden")
    await bob.say("one", "two")
    await expect(ann.room("lobby")).to_have_accessible_name("lobby 2 unread")
    await expect(ann.tab).to_have_title("(2) garden · roomproof")
    await expect(ann.said).to_have_count(0)
    await ann.field.fill("a draft")
    await ann.room("lobby").click()
    await expect(ann.said).to_have_text(["one", "two"])
    await expect(ann.room("lobby")).to_have_accessible_name("lobby")
    await expect(ann.room("lobby")).to_have_attribute("aria-current", "true")
    await expect(ann.field).to_be_empty()
    await ann.room("garden").click()
    await expect(ann.field).to_have_value("a draft")
    await ann.tab.get_by_role("button", name="Leave").click()
    await expect(ann.room("garden")).to_have_count(0)
    await ann.tab.get_by_role("button", name="Leave").click()
    await expect(ann.log).to_contain_text("Join a room to begin.")
    await expect(ann.tab.get_by_role("textbox", name="Join a room")).to_be_focused()


async def test_nothing_becomes_html(person: Any) -> None:
    """Texts, names, rooms and addresses stay text."""
    ann, bob = await person("<b>Ann</b><i>"), await person(address="/#lobby")
    await ann.say(*HOSTILE)
    for someone in (ann, bob):
        await expect(someone.said).to_have_count(len(HOSTILE))
        assert await someone.said.evaluate_all("all => all.map(one => one.textContent)") == HOSTILE
    await expect(bob.tab.locator("#messages .meta bdi").first).to_have_text("<b>Ann</b><i>")
    await bob.join("<img src=x onerror=hit=1>")
    await expect(bob.tab.get_by_role("status").filter(has_text="<img src=x onerror=hit=1>: ")).to_be_visible()
    await bob.tab.goto(bob.tab.url.split("#")[0] + "#<svg onload=hit=1>")
    await expect(bob.tab.get_by_role("status").filter(has_text="<svg onload=hit=1>: ")).to_be_visible()
    for someone in (ann, bob):
        assert await someone.tab.evaluate("window.hit") is None
        assert await someone.tab.locator("main :is(script, img, b, i, svg, a, h1)").count() == 0


async def test_a_name_that_is_not_taken(person: Any) -> None:
    ann = await person("Ann")
    for name in ("x" * 33, "a\u202eb"):
        await ann.tab.get_by_role("textbox", name="Your name").fill(name)
        await ann.tab.get_by_role("button", name="Save").click()
        await expect(ann.tab.locator("#name-problem")).not_to_be_empty()
        await ann.take_name("Anna")
        await expect(ann.tab.locator("#name-problem")).to_be_empty()
    await ann.say("still here")
    await expect(ann.said).to_have_text(["still here"])


async def test_what_the_server_refuses_can_be_mended(person: Any) -> None:
    ann = await person("Ann")
    await ann.field.fill("x" * 5000)
    await ann.field.press("Enter")
    await expect(ann.tab.locator("#hint")).to_have_text("Too long by 904 bytes.")
    await expect(ann.field).to_have_value("x" * 5000)
    await ann.say("bell \u0007")
    await expect(ann.tab.locator("#unsent .meta")).to_contain_text("Not sent: ")
    await ann.tab.get_by_role("button", name="Edit").click()
    await expect(ann.field).to_have_value("bell \u0007")
    await ann.say("bell")
    await expect(ann.said).to_have_text(["bell"])


async def test_too_fast(person: Any) -> None:
    """RATE-6, RATE-7: the wait is told, the text is kept, and goes out by itself in its order."""
    ann, bob = await person("Ann"), await person("Bob")
    texts = [f"line {number}" for number in range(8)]
    await ann.say(*texts)
    await expect(ann.tab.locator("#hint")).to_have_text("At most 5 messages in 1 s; the rest goes out by itself.")
    await expect(ann.unsent.last).to_have_text("line 7")
    for someone in (ann, bob):
        await expect(someone.said).to_have_text(texts)
    await expect(ann.unsent).to_have_count(0)
