// One client, from `hello` to Close. Requests are answered in order, and at once while the client reads.

import { Refusal } from "./requests.js";
import { Windows } from "./users.js";

const RETRYABLE = new Set(["rate_limited", "too_many_connections", "unavailable", "draining", "internal"]);
const CLOSE_OF_HELLO = { token_expired: 4101, too_many_connections: 4230, draining: 1013, internal: 1011 };
const NAMES = {
  ...{ 1011: "internal", 1012: "restart", 1013: "overloaded", 4001: "heartbeat_timeout", 4002: "slow_consumer" },
  ...{ 4101: "token_expired", 4229: "flood", 4230: "too_many_connections", 4400: "too_many_errors" },
  ...{ 4401: "unauthenticated", 4408: "hello_timeout" },
};
const INBOX = 128; // requests that wait for a slow reader before the socket is not read any more
const LARGE = 65536; // bytes; behind such a frame goes a Ping
const LINGER_MS = 1000; // what a client that does not read gets to see its Close

export class Connection {
  #socket;
  #server;
  #inbox = [];
  #drained = null;
  #timers = new Set();
  #tokens;
  #paid = performance.now();
  #errors;
  #spoke = 0;
  #heard = performance.now();
  #pings = null; // null, or those that wait for a Pong to leave
  rooms = new Set();
  user = null;
  over = false; // a Close was sent, or the socket has ended

  constructor(socket, address, server) {
    this.#socket = socket;
    this.#server = server;
    this.address = address;
    const { frames, errors, hello_ms } = server.limits;
    this.#tokens = frames.burst;
    this.#errors = new Windows({ count: 2 * errors.count, window_ms: errors.window_ms });
    socket.on("message", (data, binary) => this.#receive(data, binary));
    socket.on("ping", (data) => this.#pong(data));
    socket.on("pong", () => (this.#heard = performance.now()));
    socket.on("error", () => {}); // ws closes with the right code; `close` follows
    socket.on("close", (code) => this.#ended(code));
    this.#after(hello_ms + 50, () => this.user ?? this.close(4408));
  }

  #after(delay, action) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delay);
    this.#timers.add(timer);
  }

  // --- out

  send(frame) {
    this.write(JSON.stringify(frame));
  }

  /** Send a frame that is text already; a client for which too much waits is cut off (DISC-7). */
  write(text) {
    if (this.over) return;
    const bytes = Buffer.byteLength(text);
    if (this.#socket.bufferedAmount + bytes > this.#server.limits.queue_bytes) return this.close(4002);
    this.#spoke = performance.now();
    this.#socket.send(text);
    if (bytes > LARGE) this.#socket.ping(); // a slow reader shows that it lives as it reads on (BEAT-4, DISC-10)
  }

  // The latest of several Pings is answered when the Pong before has left (BEAT-2).
  #pong(data) {
    this.#heard = performance.now();
    if (this.#pings) return void (this.#pings = [data]);
    if (this.over) return;
    this.#pings = [];
    this.#socket.pong(data, false, () => {
      const [next] = this.#pings;
      this.#pings = null;
      if (next) this.#pong(next);
    });
  }

  close(code) {
    if (this.over) return;
    this.over = true;
    this.#socket.close(code, NAMES[code]);
    if (this.#socket.bufferedAmount > 0) setTimeout(() => this.#socket.terminate(), LINGER_MS).unref();
    this.#leave(false);
  }

  #ended(code) {
    while (this.#inbox.length && !this.over) this.#serve(this.#inbox.shift()); // DISC-9
    this.over = true;
    this.#leave(code === 1000);
  }

  #leave(atOnce) {
    this.#inbox.length = 0;
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#drained);
    for (const name of [...this.rooms]) this.#server.rooms.of(this, name).leave(this, atOnce);
    this.#server.forget(this);
  }

  // --- in

  #receive(data, binary) {
    if (this.over) return;
    const now = performance.now();
    const { rate, burst } = this.#server.limits.frames;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#paid) * rate) / 1000) - 1;
    this.#heard = this.#paid = now;
    if (this.#tokens < 0) return this.close(4229); // RATE-12
    this.#inbox.push(binary ? null : data.toString());
    if (this.#inbox.length > INBOX) this.#socket.pause();
    this.#work();
  }

  // Requests wait while much waits for the client, so that replies alone never overflow its queue (DISC-10).
  #work() {
    clearTimeout(this.#drained);
    while (this.#inbox.length && !this.over) {
      if (this.#socket.bufferedAmount > this.#server.limits.queue_bytes / 4) {
        this.#drained = setTimeout(() => this.#work(), 10);
        return;
      }
      this.#serve(this.#inbox.shift());
    }
    if (this.#socket.isPaused) this.#socket.resume();
  }

  #serve(source) {
    let id = null;
    try {
      if (source === null) throw new Refusal("unsupported_data", "text frames only", { field: "" });
      const request = this.#server.read(source);
      id = request.id;
      if (this.user) this.#answer(request);
      else this.#hello(request);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      this.#refuse(error instanceof Refusal ? error : new Refusal("internal", "a fault of the server"), id);
    }
  }

  #refuse(refusal, id) {
    const re = refusal.re ?? id;
    if (!this.user && refusal.otherType) refusal = new Refusal("unauthenticated", "no hello yet"); // CONN-4
    const { code, message, more } = refusal;
    const flood = refusal.malformed && this.#errors.wait("", performance.now()) > 0;
    if (refusal.malformed) this.#errors.mark("", performance.now());
    const fatal = !this.user || flood;
    this.send({ type: "error", re, code, message, fatal, retryable: RETRYABLE.has(code), ...more });
    if (fatal) this.close(flood ? 4400 : (CLOSE_OF_HELLO[code] ?? 4401));
  }

  // --- requests

  #hello(request) {
    const { limits, heartbeat, product } = this.#server;
    if (request.type !== "hello") throw new Refusal("unauthenticated", "the first message is a hello");
    const { user, token } = this.#server.admit(this, request);
    Object.assign(this, { user, token });
    this.send({
      ...{ type: "welcome", re: request.id, v: "1", conn: crypto.randomUUID(), user: { ...user, guest: true } },
      ...{ guest_token: token, now: Date.now(), server: product, heartbeat, limits, durability: "memory", caps: [] },
    });
    this.#beat(heartbeat.interval_ms, heartbeat.timeout_ms);
  }

  #answer(request) {
    const { type, id: re, room: name } = request;
    if (name?.startsWith("dm.")) throw new Refusal("forbidden", "reserved", { field: "/room" });
    const { rooms, limits } = this.#server;
    const limit = limits.rooms_per_conn;
    switch (type) {
      case "hello": throw new Refusal("already_identified", "one hello is enough");
      case "auth": throw new Refusal("unsupported_auth", "a guest has nothing to renew");
      case "ping": return this.send({ type: "pong", re, now: Date.now() });
      case "join":
        if (this.rooms.has(name) || this.rooms.size < limit) return rooms.open(name).join(this, request);
        throw new Refusal("too_many_rooms", "leave one first", { limit });
      case "leave":
        if (this.rooms.has(name)) rooms.of(this, name).leave(this);
        return this.send({ type: "left", re, room: name });
      case "send": return this.send({ ...this.#admit(rooms.of(this, name), request), re });
      default: return this.send({ ...rooms.of(this, name)[type](request), re }); // history, presence
    }
  }

  // An earlier answer costs nothing and is given even when the quota is used up (RATE-9).
  #admit(room, request) {
    const now = performance.now();
    const earlier = room.repeated(this, request, now);
    if (earlier) return earlier;
    this.#server.charge(this, now);
    return room.admit(this, request, now);
  }

  // --- heartbeat

  /** Pings every I, the first at random (BEAT-9); a tick when nothing was said for so long; an end after silence. */
  #beat(interval, timeout) {
    const first = interval * (0.5 + Math.random() / 2);
    const ping = () => {
      this.#socket.ping();
      this.#after(interval, ping);
    };
    const tick = (gap) => {
      const quiet = performance.now() - this.#spoke;
      if (quiet < gap - 1) return this.#after(gap - quiet, () => tick(gap));
      this.send({ type: "tick", now: Date.now() });
      this.#after(interval, () => tick(interval));
    };
    // Not at T but late by I, so that a client that only answers Pings is never taken for dead (BEAT-5); and not before
    // what has arrived in the meantime was read.
    const left = () => this.#heard + interval + timeout - performance.now();
    const listen = () => this.#after(left(), () => setImmediate(() => (left() > 0 ? listen() : this.#dead())));
    this.#after(first, ping);
    this.#after(first, () => tick(first));
    listen();
  }

  #dead() {
    if (this.#socket.bufferedAmount > 0) this.#socket.terminate(); // it would not see a Close either (BEAT-4)
    else this.close(4001);
  }
}
