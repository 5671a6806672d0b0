// A WebSocket that does what the test says; `sockets` holds all that were opened, the newest last.
const sockets = [];
const WELCOME = {
  type: "welcome", v: "1", conn: "c", user: { id: "guest:1", name: "Ann", guest: true }, guest_token: "token-1",
  now: 0, server: { name: "fake", version: "0" }, heartbeat: { interval_ms: 1000, timeout_ms: 1000 },
  limits: { text_bytes: 4096, dedup_ms: 120000 }, durability: "memory", caps: [],
};
class FakeSocket {
  constructor(url, protocol) {
    Object.assign(this, { url, protocol, heard: [], closedWith: null, openedAt: Date.now() });
    sockets.push(this);
  }
  send(text) { this.heard.push(JSON.parse(text)); }
  close(code) { this.closedWith = code; }
  // What the server does:
  open() { this.onopen?.(); }
  say(message) { this.onmessage?.({ data: JSON.stringify(message) }); }
  end(code, reason = "") { this.onclose?.({ code, reason }); }
  asked(type) { return this.heard.filter((message) => message.type === type); }
  answer(type, members) { this.say({ ...members, re: this.asked(type).at(-1).id }); }
  welcome(members = {}) {
    this.open();
    this.answer("hello", { ...WELCOME, ...members });
  }
  joined(members = {}) {
    this.answer("join", { type: "joined", room: "lobby", epoch: "e1", head: 0, first: 1, messages: [],
      recovered: false, already: false, count: 1, ...members });
  }
}
const message = (seq, members = {}) => ({ type: "message", room: "lobby", epoch: "e1", seq, ts: seq,
  from: { id: "guest:2", name: "Bob" }, text: `text ${seq}`, ...members });
const last = () => sockets.at(-1);
function make({ random = () => 0.5, ...options } = {}) {
  for (const earlier of globalThis.clients ??= []) earlier.disconnect(); // of other tests
  const events = [];
  const client = new client_js.Client({ url: "ws://fake/ws", WebSocket: FakeSocket, random, ...options });
  globalThis.clients = [client];
  for (const type of ["joined", "message", "gap", "paused", "refused", "state"]) {
    client.addEventListener(type, ({ detail }) => events.push([type, detail]));
  }
  return { client, events };
}
