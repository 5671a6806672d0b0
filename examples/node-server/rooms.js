// Rooms: members, numbering, the messages that are kept, and who is there. A member is anything with `user`, `rooms`,
// `send` and `write`. All happens in one thread and at once: join, replay and live messages cannot mix (HIST-4).

import { randomBytes } from "node:crypto";

import { Refusal } from "./requests.js";

export class Rooms {
  #limits;
  #rooms = new Map();

  constructor(limits) {
    this.#limits = limits;
  }

  /** The room of this name, made where there was none. */
  open(name) {
    if (!this.#rooms.has(name)) this.#rooms.set(name, new Room(name, this.#limits));
    return this.#rooms.get(name);
  }

  /** The room of this name in which the member is. Throws Refusal (HIST-9). */
  of(member, name) {
    if (!member.rooms.has(name)) throw new Refusal("not_joined", "join the room first", { field: "/room" });
    return this.#rooms.get(name);
  }

  /** Forget what is over: rooms nobody used for long, and old mids. */
  sweep(now) {
    for (const [name, room] of this.#rooms) if (room.over(now)) this.#rooms.delete(name);
  }

  /** All messages are gone: members are told to join again (ROOM-12). */
  lose() {
    for (const room of this.#rooms.values()) room.begin();
  }
}

class Room {
  #limits;
  #members = new Map(); // member -> whether it still has to join again after a reset
  #users = new Map(); // user id -> {user, members, grace}
  #mids = new Map(); // user id and mid -> {text, sent, at}; oldest first
  #used = performance.now();

  constructor(name, limits) {
    this.name = name;
    this.#limits = limits;
    this.begin();
  }

  /** A new life of the numbering. */
  begin() {
    this.epoch = randomBytes(9).toString("base64url");
    this.head = 0;
    this.messages = [];
    this.#mids.clear();
    for (const member of this.#members.keys()) {
      this.#members.set(member, true);
      member.send({ type: "reset", room: this.name, epoch: this.epoch, head: 0, reason: "epoch_changed" });
    }
  }

  get first() {
    return this.head - this.messages.length + 1;
  }

  join(member, { id, after, history = this.#limits.history }) {
    const already = this.#members.has(member);
    this.#members.set(member, false);
    member.rooms.add(this.name);
    const came = already ? null : this.#arrive(member);
    member.send({
      ...{ type: "joined", re: id, room: this.name, epoch: this.epoch, head: this.head, first: this.first },
      ...this.#replay(after, history),
      ...{ already, count: this.#users.size },
    });
    if (came) this.#tell("join", came);
  }

  #replay(after, history) {
    const newest = { messages: this.messages.slice(Math.max(0, this.messages.length - history)), recovered: false };
    if (!after) return newest;
    if (after.epoch !== this.epoch) return { ...newest, reason: "epoch_changed" };
    if (after.seq > this.head) return { ...newest, reason: "ahead" };
    const missed = this.first - 1 - after.seq;
    if (missed > 0) return { ...newest, reason: "too_old", missed };
    return { messages: this.messages.slice(-missed), recovered: true };
  }

  /** Take a member out; others hear of it at once, or after the grace where the user may be back (PRES-3). */
  leave(member, atOnce = true) {
    if (!this.#members.delete(member)) return;
    member.rooms.delete(this.name);
    this.#used = performance.now();
    const present = this.#users.get(member.user.id);
    present.members.delete(member);
    if (present.members.size) return;
    clearTimeout(present.grace);
    if (atOnce) this.#depart(present);
    else present.grace = setTimeout(() => this.#depart(present), this.#limits.presence_grace_ms);
  }

  #arrive(member) {
    const present = this.#users.get(member.user.id);
    if (!present) {
      this.#users.set(member.user.id, { user: member.user, members: new Set([member]), grace: null });
      return member.user;
    }
    clearTimeout(present.grace);
    present.user = member.user;
    present.members.add(member);
    return null;
  }

  #depart(present) {
    this.#users.delete(present.user.id);
    this.#tell("leave", present.user);
  }

  #tell(event, user) {
    const frame = { type: "presence_event", room: this.name, event, user, count: this.#users.size };
    for (const member of this.#members.keys()) if (member.user.id !== user.id) member.send(frame);
  }

  /** What an earlier `send` with this mid was answered, undefined where there was none. Throws Refusal (MSG-10). */
  repeated(member, { mid, text }, now) {
    const earlier = mid && this.#mids.get(`${member.user.id} ${mid}`);
    if (!earlier || now - earlier.at > this.#limits.dedup_ms) return undefined;
    if (earlier.text !== text) throw new Refusal("mid_conflict", "this mid has named another text", { field: "/mid" });
    return { ...earlier.sent, duplicate: true };
  }

  /** Number a message, keep it and give it to all members; returns the answer, without `re`. */
  admit(member, { mid, text }, now) {
    const { name: room, epoch } = this;
    const ts = Math.max(Date.now(), this.messages.at(-1)?.ts ?? 0); // MSG-8
    const message = { type: "message", room, epoch, seq: ++this.head, ts, from: member.user, text };
    this.messages.push(message);
    if (this.messages.length > this.#limits.history) this.messages.shift();
    this.#used = now;
    const sent = { type: "sent", room, epoch, seq: this.head, ts, mid, duplicate: false };
    if (mid) this.#mids.set(`${member.user.id} ${mid}`, { text, sent, at: now });
    const frame = JSON.stringify(message);
    const own = mid ? JSON.stringify({ ...message, mid }) : frame; // MSG-15
    for (const [one, mustJoin] of this.#members)
      if (!mustJoin) one.write(one.user.id === member.user.id ? own : frame);
    return sent;
  }

  history({ before, after, limit = Math.min(50, this.#limits.page), epoch }) {
    if (epoch !== undefined && epoch !== this.epoch)
      throw new Refusal("invalid_cursor", "the room has another epoch", { field: "/epoch" });
    const all = this.messages;
    const found = all.filter(({ seq }) => (after === undefined ? seq < (before ?? Infinity) : seq > after));
    const messages = after === undefined ? found.slice(-limit) : found.slice(0, limit);
    const { name: room, head, first } = this;
    return { type: "history", room, epoch: this.epoch, head, first, messages, more: messages.length < found.length };
  }

  presence() {
    const members = [...this.#users.values()].slice(0, this.#limits.presence_max).map(({ user }) => user);
    const count = this.#users.size;
    return { type: "presence", room: this.name, members, count, truncated: members.length < count };
  }

  /** Whether the room can be forgotten (LIMIT-7); drops mids that are too old on the way. */
  over(now) {
    for (const [key, { at }] of this.#mids) {
      if (now - at <= this.#limits.dedup_ms) break;
      this.#mids.delete(key);
    }
    return this.#users.size === 0 && (this.head === 0 || now - this.#used > this.#limits.room_ttl_ms);
  }
}
