// Who is who, and how much they may do: guests and their tokens, and counts in a window of time.

import { randomBytes } from "node:crypto";

import { Refusal } from "./requests.js";

/** Of each key at most `count` marks in any `window_ms`; what is refused leaves none (RATE-1, RATE-8). */
export class Windows {
  #marks = new Map();

  constructor({ count, window_ms }) {
    Object.assign(this, { count, span: window_ms });
  }

  #of(key, now) {
    const marks = (this.#marks.get(key) ?? []).filter((mark) => mark > now - this.span);
    this.#marks.set(key, marks);
    return marks;
  }

  /** Milliseconds until one more fits, 0 if it does now. */
  wait(key, now) {
    const marks = this.#of(key, now);
    return marks.length < this.count ? 0 : marks[0] + this.span - now;
  }

  mark(key, now) {
    this.#of(key, now).push(now);
  }

  sweep(now) {
    for (const key of [...this.#marks.keys()]) if (!this.#of(key, now).length) this.#marks.delete(key);
  }
}

/** Guests by token, and the open connections of each user. */
export class Users {
  #limits;
  #guests = new Map(); // token -> {id, name, used}
  #connections = new Map(); // user id -> Set

  constructor(limits) {
    this.#limits = limits;
  }

  /** Name the connection's user as its `hello` asks. Throws Refusal. */
  identify(connection, { auth: { scheme = "guest", token } = {}, name }) {
    if (scheme !== "guest" && scheme !== "resume_guest")
      throw new Refusal("unsupported_auth", "guests only", { field: "/auth/scheme" });
    const guest = scheme === "guest" ? this.#guest() : this.#guests.get(token);
    if (!guest || this.#expired(guest, performance.now()))
      throw new Refusal("token_expired", "no guest has this token any more", { field: "/auth/token" });
    const open = this.#connections.get(guest.id) ?? new Set();
    if (open.size >= this.#limits.conns_per_user)
      throw new Refusal("too_many_connections", "close another one first", { limit: this.#limits.conns_per_user });
    guest.name = name ?? guest.name ?? `guest ${guest.id.slice(-4)}`;
    guest.used = performance.now();
    this.#guests.set(guest.token, guest);
    this.#connections.set(guest.id, open.add(connection));
    return { user: { id: guest.id, name: guest.name }, token: guest.token };
  }

  #guest() {
    const random = () => randomBytes(18).toString("base64url"); // AUTH-12: 128 bits or more
    return { token: random(), id: `guest:${random()}` };
  }

  #expired(guest, now) {
    return !this.#connections.has(guest.id) && now - guest.used > this.#limits.guest_ttl_ms;
  }

  /** The connection is over. */
  release(connection) {
    const open = this.#connections.get(connection.user.id);
    if (!open?.delete(connection) || open.size) return;
    this.#connections.delete(connection.user.id);
    this.#guests.get(connection.token).used = performance.now();
  }

  sweep(now) {
    for (const [token, guest] of this.#guests) if (this.#expired(guest, now)) this.#guests.delete(token);
  }
}
