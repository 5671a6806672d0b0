"""The example client alone, in the browser: a socket that does what the test says, and a clock that is told."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from roomproof_protocol import CLOSES, close_advice

FAKE = Path(__file__).with_name("fake_socket.js").read_text()
Run = Callable[[str], Awaitable[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(browser: Browser, shared_house: Any) -> AsyncIterator[Run]:
    """Runs a script with the client, the fake socket, and ``pass(ms)``, which lets time go by."""
    tab = await browser.new_page()
    await tab.goto(shared_house.url + "/healthz")  # no page: the module stands alone
    await tab.clock.install(time=1_700_000_000_000)
    await tab.clock.pause_at(1_700_000_001_000)
    await tab.expose_function("pass", tab.clock.run_for)
    module = f'const client_js = await import("{shared_house.url}/client.js");'

    async def run(script: str) -> Any:
        return await tab.evaluate(f"async () => {{ {module}\n{FAKE}\n{script} }}")

    yield run
    await tab.close()


async def test_backoff(run: Run) -> None:
    """Section 5: full jitter, from nothing up to a bound that doubles to 30 s."""
    highest = [min(30_000, 500 * 2**failures) for failures in range(12)]
    assert await run("return [...Array(12).keys()].map((n) => client_js.backoff(n, () => 1));") == highest
    assert await run("return client_js.backoff(2000, () => 0.25);") == 7_500
    assert await run("return client_js.backoff(5, () => 0);") == 0


async def test_close_advice(run: Run) -> None:
    """Section 5, against the protocol's own table, codes of the blocks that have no name included."""
    codes = sorted({*CLOSES, 1004, 1099, 2999, 3000, 4007, 4099, 4150, 4199, 4242, 4299, 4300, 4399, 4477, 4499, 4999})
    given = await run(f"return {codes}.map((code) => client_js.closeAdvice(code));")
    for code, advice in zip(codes, given, strict=True):
        expected = close_advice(code)
        then = "renew" if expected.new_credentials else "reconnect" if expected.reconnect else "stop"
        assert advice == {"then": then, "floor": expected.wait_ms} | (
            {"spread": expected.spread_ms} if expected.spread_ms else {}
        ), code
    assert await run('return client_js.closeAdvice(4229, "flood; retry_after_ms=1234").floor;') == 1234


async def test_delays_grow_until_a_healthy_connection(run: Run) -> None:
    assert await run("""
      const { client } = make();
      const delays = [];
      const lose = () => { last().end(1006); delays.push(client.retryAt - Date.now()); };
      client.connect();
      for (let n = 0; n < 9; n += 1) { lose(); await pass(delays.at(-1)); }
      // A connection that is lost before 30 s does not reset the count; one that lives longer does.
      for (const seconds of [29, 31]) {
        last().welcome();
        for (let n = 0; n < seconds; n += 1) { await pass(1000); last().say({ type: "tick", now: 0 }); }
        lose();
        await pass(delays.at(-1));
      }
      return delays;
    """) == [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000, 250]


@pytest.mark.parametrize(
    ("end", "delay"),
    [
        ("last().end(1001)", 2500),
        ("last().end(1012)", 2500),
        ('last().say({type: "notice", code: "draining", message: "", reconnect_after_ms: 777}); last().end(1001)', 777),
        ("last().end(1013)", 5250),
        ("last().end(4002)", 250),
        ("last().end(4101)", 250),
        ("last().end(4229)", 30_250),
        ('last().end(4230, "too_many_connections; retry_after_ms=900")', 1150),
        ("last().end(4999)", 250),
        ("last().end(1000)", None),
        ("last().end(1002)", None),
        ("last().end(4400)", None),
    ],
)
async def test_what_a_close_leads_to(run: Run, end: str, delay: int | None) -> None:
    state, waits, token = await run(f"""
      const items = {{}};
      const durable = {{ getItem: (key) => items[key] ?? null, setItem: (key, value) => items[key] = value,
        removeItem: (key) => delete items[key] }};
      const {{ client }} = make({{ durable }});
      client.connect();
      last().welcome();
      {end};
      const before = sockets.length;
      await pass(client.state === "waiting" ? client.retryAt - Date.now() - 1 : 3600000);
      const early = sockets.length - before;
      const waits = client.state === "waiting" ? client.retryAt - last().openedAt : null;
      if (client.state === "waiting") await pass(1);
      return [client.state, early ? "too early" : waits, items["roomproof.token"] ?? null];
    """)
    assert waits == delay
    assert state == ("stopped" if delay is None else "connecting")
    assert token == (None if "4101" in end else "token-1")


async def test_silence_is_the_end_of_a_connection(run: Run) -> None:
    """BEAT-3 from the client's side: no frame for interval + timeout; 10 s before welcome."""
    assert await run("""
      const { client } = make();
      client.connect();
      await pass(9999);
      const seen = [client.state];
      await pass(1);
      seen.push(client.state, last().closedWith);
      await pass(250);
      last().welcome();
      for (let n = 0; n < 5; n += 1) { await pass(1999); last().say({ type: "tick", now: 0 }); }
      seen.push(client.state);
      await pass(1999);
      seen.push(client.state);
      await pass(1);
      seen.push(client.state, last().closedWith);
      return seen;
    """) == ["connecting", "waiting", 4001, "online", "online", "waiting", 4001]


async def test_resume(run: Run) -> None:
    """Joins are pipelined behind hello with the position; what was seen is not shown again; holes are asked for."""
    asked, shown, gaps = await run("""
      const { client, events } = make();
      client.join("lobby");
      client.connect();
      last().welcome();
      last().joined({ head: 2, messages: [message(1), message(2)] });
      last().say(message(3));
      last().say(message(3));
      last().say({ type: "from the future", room: "lobby" });
      last().end(1006);
      await pass(250);
      last().open();
      const asked = [last().heard.map(({ type, after, auth }) => [type, after ?? auth])];
      last().answer("hello", WELCOME);
      last().joined({ recovered: true, head: 5, messages: [message(4), message(5)] });
      last().say(message(7));                        // 6 is missing
      asked.push(last().asked("join").at(-1).after);
      last().say(message(8));                        // before the answer: in it as well
      last().joined({ already: true, recovered: true, head: 8, messages: [message(6), message(7), message(8)] });
      last().say({ type: "reset", room: "lobby", epoch: "e2", head: 1, reason: "epoch_changed" });
      last().joined({ already: true, epoch: "e2", head: 1, reason: "epoch_changed",
        messages: [message(1, { epoch: "e2" })] });
      const seqs = events.flatMap(([type, detail]) =>
        type === "joined" ? detail.messages.map(({ seq }) => seq) : type === "message" ? [detail.seq] : []);
      return [asked, seqs, events.filter(([type]) => type === "gap").map(([, gap]) => gap)];
    """)
    assert asked == [
        [["hello", {"scheme": "resume_guest", "token": "token-1"}], ["join", {"epoch": "e1", "seq": 3}]],
        {"epoch": "e1", "seq": 5},
    ]
    assert shown == [1, 2, 3, 4, 5, 6, 7, 8, 1]
    assert gaps == [{"room": "lobby", "missed": None, "reason": "epoch_changed"}]


SENDING = """
  const { client, events } = make();
  client.join("lobby");
  client.connect();
  last().welcome();
  last().joined();
  const sends = () => sockets.flatMap((socket) => socket.asked("send"));
  client.send("lobby", "one");
  client.send("lobby", "two");
"""


async def test_a_server_that_went_back(run: Run) -> None:
    """RES-6: what was seen is not shown again, and nobody can say how much is lost."""
    assert await run("""
      const { client, events } = make();
      client.join("lobby");
      client.connect();
      last().welcome();
      last().joined({ head: 3, messages: [message(1), message(2), message(3)] });
      last().end(1006);
      await pass(250);
      last().welcome();
      last().joined({ head: 2, messages: [message(1), message(2)], reason: "ahead" });
      return events.filter(([type]) => type !== "state").map(([type, { messages, missed }]) =>
        [type, messages?.length ?? missed]);
    """) == [["joined", 3], ["gap", None], ["joined", 0]]


async def test_sending_keeps_the_order(run: Run) -> None:
    """RATE-7: again after retry_after_ms + 25, with the same mid, and nothing overtakes it."""
    texts, mids, waits = await run(
        SENDING
        + REFUSED
        + """
      const waits = [client.pausedUntil - Date.now()];
      await pass(424);
      waits.push(sends().length);
      await pass(1);
      waits.push(sends().length);
      last().answer("send", { type: "sent", room: "lobby", epoch: "e1", seq: 1, ts: 1, duplicate: false });
      last().say(message(1, { mid: client.unsent[0].mid }));   // an echo settles as well
      return [sends().map(({ text }) => text), sends().map(({ mid }) => mid), waits.concat(client.unsent.length)];
    """
    )
    assert texts == ["one", "one", "two"]
    assert mids[0] == mids[1] != mids[2]
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{8,64}", mid) for mid in mids)
    assert waits == [425, 1, 2, 0]


REFUSED = """
  last().answer("send", { type: "error", code: "rate_limited", message: "", fatal: false, retryable: true,
    retry_after_ms: 400, limit: { count: 5, window_ms: 1000, scope: "user" } });
"""


@pytest.mark.parametrize(
    ("before", "later", "user", "problem"),
    [
        ("", 115_000, "guest:1", "unconfirmed"),
        ("", 100_000, "guest:1", None),
        ("", 0, "guest:2", "unconfirmed"),
        (REFUSED, 115_000, "guest:1", None),  # it is known not to be stored
        (REFUSED, 115_000, "guest:2", None),
    ],
)
async def test_retries_end_before_the_server_forgets(
    run: Run, before: str, later: int, user: str, problem: str | None
) -> None:
    """MSG-9: a retry that the server may take for new is a person's to decide; what never went out may always go."""
    texts, problems = await run(
        SENDING
        + f"""
      {before}
      last().end(4400);
      await pass({later});
      client.connect();
      last().welcome({{ user: {{ id: "{user}", name: "Ann", guest: true }} }});
      last().joined({{ recovered: true }});
      return [sends().map(({{ text }}) => text), client.unsent.map(({{ problem }}) => problem?.code ?? null)];
    """
    )
    assert texts == ["one", "two" if problem else "one"]
    assert problems == [problem, None]


@pytest.mark.parametrize(
    ("refusal", "left"),
    [
        ({"code": "invalid_text", "retryable": False}, ["invalid_text", None]),
        ({"code": "mid_conflict", "retryable": False}, ["mid_conflict", None]),
        ({"code": "unavailable", "retryable": True}, [None, None]),
        ({"code": "not_joined", "retryable": False}, [None, None]),
    ],
)
async def test_a_refused_message(run: Run, refusal: dict[str, Any], left: list[str | None]) -> None:
    error = {"type": "error", "message": "", "fatal": False} | refusal
    problems, sent, joins = await run(
        SENDING
        + f"""
      last().answer("send", {json.dumps(error)});
      await pass(250);
      if (last().asked("join").length > 1) last().joined({{ already: true, recovered: true }});
      return [client.unsent.map(({{ problem }}) => problem?.code ?? null), sends().map(({{ text }}) => text),
        last().asked("join").length];
    """
    )
    assert problems == left
    assert sent == (["one", "two"] if left[0] else ["one", "one"])
    assert joins == (2 if refusal["code"] == "not_joined" else 1)


async def test_an_oversized_frame_is_not_sent_again(run: Run) -> None:
    """1009."""
    assert await run(
        SENDING
        + """
      last().end(1009);
      await pass(250);
      last().welcome();
      last().joined({ recovered: true });
      return [sends().map(({ text }) => text), client.unsent.map(({ problem }) => problem?.code ?? null)];
    """
    ) == [["one", "two"], ["text_too_long", None]]
