"""How it looks and how it is used: phones, darkness, the keyboard, and very long logs."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
PLENTY = {"messages": {"count": 5000}, "frames": {"rate": 5000, "burst": 5000}}
LONG = "Donaudampfschifffahrtsgesellschaft" * 12

# Every visible text against the nearest background behind it (WCAG 2, relative luminance).
CONTRASTS = """() => {
  const colour = (text) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    const own = colour(getComputedStyle(element).backgroundColor);
    if (own[3] === 255 || !element.parentElement) return own.slice(0, 3);
    const below = behind(element.parentElement);
    return below.map((part, index) => part + (own[index] - part) * own[3] / 255);
  };
  return [...document.querySelectorAll("h1, h2, bdi, p, time, label, button, input, textarea, li")]
    .filter((element) => element.checkVisibility() && (element.value || element.textContent).trim())
    .map((element) => {
      const [a, b] = [luminance(colour(getComputedStyle(element).color)), luminance(behind(element))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
    });
}"""


async def overflow(someone: Any) -> int:
    """By how many pixels something reaches out of the page sideways."""
    width: int = await someone.tab.evaluate(
        """Math.max(document.documentElement.scrollWidth - innerWidth,
          document.getElementById("log").scrollWidth - document.getElementById("log").clientWidth,
          ...[...document.querySelectorAll("header > *, .text, .meta:not(.unseen), #composer > *")]
            .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().right - innerWidth))"""
    )
    return width


async def test_a_phone(person: Any) -> None:
    """360 px, with the longest words, names and rooms there are."""
    ann, bob = await person("M" * 32), await person(**PHONE)
    await ann.say(LONG, "https://roomproof.invalid/" + "a/" * 200, "مرحبا " * 40)
    await bob.say(LONG)
    await expect(bob.said).to_have_count(4)
    assert await overflow(bob) <= 0
    await bob.tab.get_by_role("button", name="Rooms").click()
    await bob.join("m" * 64)
    await expect(bob.tab.get_by_role("heading", name="m" * 64)).to_be_visible()
    await expect(bob.tab.get_by_role("navigation", name="Rooms")).to_be_hidden()
    assert await overflow(bob) <= 0
    await ann.say("in the other room")
    await expect(bob.tab.get_by_role("button", name="Rooms")).to_have_text("Rooms1")
    assert await overflow(bob) <= 0
    await bob.context.set_offline(True)
    await expect(bob.tab.locator("#banner")).to_be_visible()
    assert await overflow(bob) <= 0


async def test_contrast(person: Any) -> None:
    """WCAG 2 AA, 4.5 to 1, in both schemes."""
    ann = await person("Ann")
    await ann.say("hello", "bell \u0007")
    await expect(ann.tab.get_by_role("button", name="Send again")).to_be_visible()
    await ann.context.set_offline(True)
    await expect(ann.tab.locator("#banner")).to_be_visible()
    for scheme in ("light", "dark"):
        await ann.tab.emulate_media(color_scheme=scheme)
        contrasts = await ann.tab.evaluate(CONTRASTS)
        assert len(contrasts) > 20
        assert [found for found in contrasts if found[0] < 4.5] == []
        page = await ann.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, page[4:-1].split(","))) < 150) == (scheme == "dark")


async def test_keyboard_alone(person: Any) -> None:
    """From the skip link on: write, join, switch, leave, name; the focus is always to be seen."""
    ann = await person()
    press, focused = ann.tab.keyboard.press, ann.tab.locator(":focus")
    await press("Tab")
    await expect(focused).to_have_text("Skip to the message field")
    await expect(focused).to_be_in_viewport()
    await press("Enter")
    await expect(ann.field).to_be_focused()
    assert await focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    await ann.tab.keyboard.type("one line")
    await press("Shift+Enter")
    await ann.tab.keyboard.type("and another")
    await press("Enter")
    await expect(ann.said).to_have_text(["one line\nand another"])
    await press("Shift+Tab")
    await expect(ann.log).to_be_focused()  # arrows scroll it
    order = []
    for _ in range(7):
        await press("Shift+Tab")
        order.append(await focused.evaluate("one => one.innerText || one.id"))
    assert order == ["Leave", "Save", "name", "Join", "join-name", "lobby", "Skip to the message field"]
    for _ in range(2):
        await press("Tab")
    await ann.tab.keyboard.type("garden")
    await press("Enter")
    await expect(ann.tab.get_by_role("heading", name="garden")).to_be_visible()
    await expect(ann.field).to_be_focused()
    await press("Alt+ArrowUp")
    await expect(ann.tab.get_by_role("heading", name="lobby")).to_be_visible()


async def test_panels_and_escape(person: Any) -> None:
    bob = await person(**PHONE)
    for name, panel in (("Rooms", "#side"), ("1 here", "#people")):
        button = bob.tab.get_by_role("button", name=name)
        await expect(button).to_have_attribute("aria-expanded", "false")
        await button.press("Enter")
        await expect(button).to_have_attribute("aria-expanded", "true")
        await expect(bob.tab.locator(panel)).to_be_visible()
        await bob.tab.keyboard.press("Escape")
        await expect(bob.tab.locator(panel)).to_be_hidden()
        await expect(button).to_be_focused()


async def test_where_one_reads_stays(house: Any, person: Any) -> None:
    await house.open(**PLENTY)
    ann, bob = await person("Ann"), await person("Bob")
    await ann.say(*(f"line {number}" for number in range(40)))
    await expect(bob.said).to_have_count(40)
    await expect(bob.said.last).to_be_in_viewport()  # it follows while one is at the end
    await bob.said.nth(3).scroll_into_view_if_needed()
    newer = bob.tab.get_by_role("button", name="new message")
    top = await bob.said.nth(3).bounding_box()
    await ann.say("one more", "and one more")
    await expect(newer).to_have_text("2 new messages")
    assert await bob.said.nth(3).bounding_box() == top
    await expect(bob.tab).to_have_title("(2) lobby · roomproof")
    await newer.click()
    await expect(bob.said.last).to_be_in_viewport()
    await expect(newer).to_be_hidden()
    await expect(bob.tab).to_have_title("lobby · roomproof")


async def test_a_thousand_messages(house: Any, person: Any) -> None:
    """The page stays small and quick; earlier ones come on demand, and nothing jumps."""
    await house.open(**PLENTY)
    ann, bob = await person("Ann"), await person("Bob")
    await ann.tab.evaluate("""async () => {
      const { Client } = await import("/client.js");
      const client = new Client({ url: `ws://${location.host}/ws`, name: "Flood" });
      client.join("lobby");
      client.connect();
      await new Promise((done) => client.addEventListener("joined", done, { once: true }));
      await Promise.all(Array.from({ length: 1000 }, (_, n) =>
        client.request("send", { room: "lobby", text: `flood ${n}` })));
      client.disconnect();
    }""")
    await expect(bob.said.last).to_have_text("flood 999")
    await expect(bob.said.last).to_be_in_viewport()
    assert await bob.said.count() <= 450
    # A line more is written, laid out and in sight within one frame or two.
    assert (
        await bob.tab.evaluate("""async () => {
      const began = performance.now();
      document.getElementById("text").value = "quick";
      document.getElementById("composer").requestSubmit();
      document.getElementById("log").getBoundingClientRect();
      return performance.now() - began;
    }""")
        < 500
    )
    first = await bob.said.first.text_content()
    await bob.log.evaluate("log => log.scrollTop = 0")
    await bob.tab.get_by_role("button", name="Show earlier messages").click()
    before = bob.said.get_by_text(first, exact=True)
    await expect(before).to_be_in_viewport()
    assert await bob.said.first.text_content() != first
