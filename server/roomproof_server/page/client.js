/**
 * A client of the chat protocol roomproof.v1, and its documented example: one ES module, no DOM, no dependency.
 * It keeps rooms, positions, unanswered messages and the guest's identity over lost connections; what a person
 * sees is `page.js`. `docs/client.md` explains it; names in brackets are requirements of the protocol.
 *
 *     const client = new Client({ url: "ws://127.0.0.1:8765/ws", name: "Ann" });
 *     client.addEventListener("message", ({ detail }) => console.log(detail.from.name, detail.text));
 *     client.join("lobby");
 *     client.connect();
 *     client.send("lobby", "hello"); // at once, or when there is a connection again
 *
 * Events, with what happened in `detail`:
 * - `state` `{}`: `client.state` changed, with `problem` and `retryAt`
 * - `joined` `{room, messages, fresh}`: messages to add; `fresh` when nothing of the room was known before
 * - `message`: the protocol's `message`; each once and in order
 * - `gap` `{room, missed, reason}`: `missed` messages are lost (null: nobody can say); comes before `joined`
 * - `presence` `{room, event, user}`: `client.rooms.get(room).members` changed; no `event` after a snapshot
 * - `unsent` `{}`: `client.unsent` changed
 * - `paused` `{code, limit}`: the server asked to wait; sending goes on by itself at `client.pausedUntil`
 * - `refused` `{room, code, message}`: the server does not let us into this room
 * - `notice`: the protocol's `notice`
 *
 * @typedef {{id: string, name: string}} User
 * @typedef {{room: string, epoch: string, seq: number, ts: number, from: User, text: string, mid?: string}} Message
 * @typedef {{code: string, message: string}} Problem
 * @typedef {{name: string, epoch: string | null, seq: number, joined: boolean, count: number,
 *            members: Map<string, User>}} Room  (epoch, seq): the newest message we have
 * @typedef {{mid: string, room: string, text: string, tried: number | null, user: string | null,
 *            problem: Problem | null}} Unsent  tried: when its first try with unknown outcome began
 */

export const SUBPROTOCOL = "roomproof.v1";

const HEALTHY_MS = 30_000; // a connection this old resets the count of failures
const WELCOME_MS = 10_000; // until `welcome` states the heartbeat
const RESTART_MS = 5_000; // 1001 and 1012 without a notice: spread over this
const GRAIN_MS = 25; // of timers, added to retry_after_ms [RATE-7]
const DEDUP_PART = 0.9; // of dedup_ms: stop retrying before the server may forget the mid [MSG-9]
const TOKEN_KEY = "roomproof.token";
const UNSENT_KEY = "roomproof.unsent";

/**
 * Full jitter: a random delay in ms, below a bound that doubles with every failure (section 5).
 * @param {number} failures connections lost since the last healthy one
 */
export function backoff(failures, random = Math.random) {
  return random() * Math.min(30_000, 500 * 2 ** failures);
}

/**
 * What a close code advises (section 5). An unknown code carries the advice of its block.
 * @param {number} code
 * @returns {{then: "reconnect" | "renew" | "stop", floor: number, spread?: number}} reconnect after
 *   `floor` ms plus the backoff, or plus a random part of `spread` where that is given; `renew` the
 *   credentials before
 */
export function closeAdvice(code, reason = "") {
  const block = Math.floor(code / 100);
  if ([1000, 1002, 1003, 1007].includes(code) || block === 44) return { then: "stop", floor: 0 };
  if (code === 1001 || code === 1012) return { then: "reconnect", floor: 0, spread: RESTART_MS };
  if (code === 1013) return { then: "reconnect", floor: 5_000 };
  if (block === 41) return { then: "renew", floor: 0 };
  if (block === 42) {
    const given = /; retry_after_ms=(\d+)/.exec(reason);
    return { then: "reconnect", floor: given ? Number(given[1]) : 30_000 };
  }
  return { then: "reconnect", floor: 0 };
}

export class Client extends EventTarget {
  /** @type {"idle" | "connecting" | "online" | "waiting" | "stopped"} waiting: until {@link Client#retryAt} */
  state = "idle";
  retryAt = 0;
  /** Why there is no connection, if that is known. @type {Problem | null} */
  problem = null;
  /** @type {(User & {guest: boolean}) | null} */
  user = null;
  /** `welcome.limits`. @type {Record<string, any> | null} */
  limits = null;
  /** The rooms to be in, whether or not there is a connection. @type {Map<string, Room>} */
  rooms = new Map();
  /** Messages without an answer yet, oldest first. @type {Unsent[]} */
  unsent;
  /** Nothing is sent before this time (ms since 1970). */
  pausedUntil = 0;

  #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, (reply: any) => void>} */ #replies = new Map();
  /** @type {Unsent | null} */ #inFlight = null;
  /** @type {number | null} */ #welcomedAt = null;
  /** @type {number | null} */ #reconnectAfter = null;
  #greeted = false;
  #failures = 0;
  #stumbles = 0;
  #ids = 0;
  #heardAt = 0;
  #silence = WELCOME_MS;
  /** @type {Record<string, any>} */ #timers = {};

  /**
   * @param {{url: string, name?: string, durable?: Storage, session?: Storage, WebSocket?: any, random?: () => number}}
   *   options `durable` keeps the guest's token, `session` the unsent messages
   */
  constructor({ url, name, durable, session, WebSocket = globalThis.WebSocket, random = Math.random }) {
    super();
    this.#options = { url, name, WebSocket, random, durable: durable ?? memory(), session: session ?? memory() };
    this.unsent = JSON.parse(this.#options.session.getItem(UNSENT_KEY) ?? "[]");
  }

  /** Connect now; no harm if there is a connection, the end of the wait if there was one. */
  connect() {
    if (this.#socket) return;
    this.#stopTimer("retry");
    this.#greeted = false;
    this.#silence = WELCOME_MS;
    this.#heardAt = Date.now();
    const socket = new this.#options.WebSocket(this.#options.url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => this.#hello();
    socket.onmessage = (/** @type {MessageEvent} */ { data }) => this.#receive(JSON.parse(data));
    socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => this.#lost(code, reason);
    this.#watch();
    this.#become("connecting");
  }

  /** End the connection; 1000 tells the rooms at once [PRES-3]. */
  disconnect() {
    this.#drop(1000);
    this.#stopTimer("retry");
    this.#become("idle");
  }

  /** Take another name. It belongs to the connection, so this makes a new one, as the same guest. */
  rename(/** @type {string} */ name) {
    this.#options.name = name;
    this.#drop(1000);
    this.connect();
  }

  /** Be in this room from now on. */
  join(/** @type {string} */ name) {
    if (this.rooms.has(name)) return;
    const room = { name, epoch: null, seq: 0, joined: false, count: 0, members: new Map() };
    this.rooms.set(name, room);
    this.#join(room);
  }

  /** Be in this room no longer; what is unsent in it is given up. */
  leave(/** @type {string} */ name) {
    if (!this.rooms.delete(name)) return;
    this.#ask({ type: "leave", room: name }, () => {});
    this.#keep(this.unsent.filter((entry) => entry.room !== name));
  }

  /** Send a message, now or later. @returns its mid */
  send(/** @type {string} */ room, /** @type {string} */ text) {
    const mid = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
    this.#keep([...this.unsent, { mid, room, text, tried: null, user: null, problem: null }]);
    this.#pump();
    return mid;
  }

  /** Give an unsent message up. @returns {Unsent | undefined} it */
  discard(/** @type {string} */ mid) {
    const entry = this.unsent.find((candidate) => candidate.mid === mid);
    this.#keep(this.unsent.filter((candidate) => candidate !== entry));
    return entry;
  }

  /** Any other request of the protocol. Rejects with the `error`, or when the connection is lost. */
  request(/** @type {string} */ type, members = {}) {
    return new Promise((resolve, reject) => {
      const onReply = (/** @type {any} */ reply) => (reply.type === "error" ? reject : resolve)(reply);
      if (!this.#ask({ ...members, type }, onReply)) reject(LOST);
    });
  }

  // The connection

  #hello() {
    const token = this.#options.durable.getItem(TOKEN_KEY);
    this.#greeted = true;
    const auth = token ? { scheme: "resume_guest", token } : { scheme: "guest" };
    this.#ask({ type: "hello", auth, name: this.#options.name || undefined }, (reply) => {
      if (reply.type === "welcome") this.#welcome(reply);
    });
    // Pipelined: one round trip to be back in all rooms.
    for (const room of this.rooms.values()) this.#join(room);
  }

  #welcome(/** @type {any} */ { user, limits, heartbeat, guest_token: token }) {
    Object.assign(this, { user, limits, problem: null });
    if (token) this.#options.durable.setItem(TOKEN_KEY, token); // the same guest later [AUTH-7]
    this.#silence = heartbeat.interval_ms + heartbeat.timeout_ms;
    this.#welcomedAt = Date.now();
    this.#watch();
    this.#become("online");
  }

  /** Send a request, if there is a connection; exactly one reply will carry its id [CONN-11]. */
  #ask(/** @type {Record<string, any>} */ message, /** @type {(reply: any) => void} */ onReply) {
    if (!this.#socket || !this.#greeted) return false;
    const id = `c${++this.#ids}`;
    this.#replies.set(id, onReply);
    this.#socket.send(JSON.stringify({ ...message, id }));
    return true;
  }

  /** Types and members that we do not know are passed over. */
  #receive(/** @type {any} */ message) {
    this.#heardAt = Date.now();
    if (message.type === "error" && message.fatal) this.problem = message;
    const onReply = this.#replies.get(message.re);
    if (onReply) {
      this.#replies.delete(message.re);
      onReply(message);
      return;
    }
    const room = this.rooms.get(message.room);
    if (message.type === "message" && room?.joined) this.#message(room, message);
    else if (message.type === "presence_event" && room?.joined) this.#presence(room, message);
    else if (message.type === "reset" && room) this.#join(room); // [ROOM-12]
    else if (message.type === "notice") {
      if (message.code === "draining") this.#reconnectAfter = message.reconnect_after_ms; // [DISC-5]
      this.#emit("notice", message);
    }
  }

  /** Some frame comes at least every interval [BEAT-3]; without one for interval + timeout it is dead. */
  #watch() {
    const left = this.#heardAt + this.#silence - Date.now();
    if (left > 0) this.#startTimer("watch", Math.min(left, 5_000), () => this.#watch());
    else this.#lost(1006, "", 4001); // a stalled socket may take long to close: nobody waits for it
  }

  /** The connection ended with `code`; or it is dead, and is closed with `closeWith`. */
  #lost(/** @type {number} */ code, reason = "", /** @type {number | undefined} */ closeWith = undefined) {
    const { random, durable } = this.#options;
    if (code === 1009 && this.#inFlight) {
      this.#fail(this.#inFlight, { code: "text_too_long", message: "the server did not take a frame of this size" });
    }
    if (this.#welcomedAt !== null && Date.now() - this.#welcomedAt >= HEALTHY_MS) this.#failures = 0;
    const reconnectAfter = this.#reconnectAfter;
    this.#drop(closeWith);
    const advice = closeAdvice(code, reason);
    if (advice.then === "stop") {
      this.problem ??= { code: String(code), message: reason || "the server ended the connection" };
      this.#become("stopped");
      return;
    }
    if (advice.then === "renew") durable.removeItem(TOKEN_KEY); // [AUTH-13]: a new guest
    let delay = advice.floor + backoff(this.#failures, random);
    if (advice.spread) delay = reconnectAfter ?? random() * advice.spread;
    this.#failures += 1;
    this.retryAt = Date.now() + delay;
    this.#startTimer("retry", delay, () => this.connect());
    this.#become("waiting");
  }

  /** Forget the connection, and close it if there is a code to close it with. */
  #drop(/** @type {number | undefined} */ code = undefined) {
    const socket = this.#socket;
    this.#socket = this.#inFlight = this.#welcomedAt = this.#reconnectAfter = null;
    this.#greeted = false;
    this.#stumbles = 0;
    this.#stopTimer("watch");
    for (const room of this.rooms.values()) room.joined = false;
    const replies = [...this.#replies.values()];
    this.#replies.clear();
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket && code) socket.close(code);
    for (const onReply of replies) onReply(LOST);
  }

  // Rooms

  #join(/** @type {Room} */ room) {
    room.joined = false; // nothing of it counts before the next `joined`
    const after = room.epoch === null ? {} : { after: { epoch: room.epoch, seq: room.seq } };
    this.#ask({ type: "join", room: room.name, ...after }, (reply) => {
      if (this.rooms.get(room.name) !== room || reply === LOST) return;
      if (reply.type === "joined") this.#joined(room, reply);
      else if (reply.retryable) this.#startTimer(`join ${room.name}`, this.#patience(reply), () => this.#join(room));
      else {
        this.rooms.delete(room.name);
        this.#emit("refused", { room: room.name, code: reply.code, message: reply.message });
      }
    });
  }

  #joined(/** @type {Room} */ room, /** @type {any} */ reply) {
    const { epoch, seq } = room; // where we were
    const same = reply.epoch === epoch;
    const messages = reply.messages.filter((/** @type {Message} */ message) => !same || message.seq > seq);
    const missed = reply.missed ?? (same ? (messages[0]?.seq ?? reply.head + 1) - seq - 1 : null);
    Object.assign(room, { epoch: reply.epoch, seq: reply.head, joined: true, count: reply.count });
    if (epoch !== null && missed !== 0) {
      this.#emit("gap", { room: room.name, missed: missed > 0 ? missed : null, reason: reply.reason ?? "gap" });
    }
    this.#emit("joined", { room: room.name, messages, fresh: epoch === null });
    this.#ask({ type: "presence", room: room.name }, (answer) => {
      if (answer.type === "presence") this.#presence(room, answer);
    });
    this.#pump();
  }

  /** The next one is shown, an old one is not; after a hole the room is joined again from where we are. */
  #message(/** @type {Room} */ room, /** @type {Message} */ message) {
    const same = message.epoch === room.epoch;
    if (same && message.seq <= room.seq) return;
    if (!same || message.seq > room.seq + 1) {
      this.#join(room);
      return;
    }
    room.seq = message.seq;
    this.#emit("message", message);
    if (message.mid) this.#settle(message.mid); // only on our own [MSG-15], and as good as `sent`
  }

  #presence(/** @type {Room} */ room, /** @type {any} */ { members, event, user, count }) {
    if (members) room.members = new Map(members.map((/** @type {User} */ member) => [member.id, member]));
    else if (event === "join") room.members.set(user.id, user);
    else room.members.delete(user.id);
    room.count = count;
    this.#emit("presence", { room: room.name, event, user });
  }

  // Sending: one message at a time, so that a refused one is not overtaken by the next

  #pump() {
    if (this.state !== "online" || this.#inFlight || this.#timers.pause) return;
    for (const entry of this.unsent) {
      if (entry.problem || !this.rooms.get(entry.room)?.joined) continue;
      const old = entry.tried !== null && Date.now() - entry.tried > DEDUP_PART * this.limits?.dedup_ms;
      if (old || (entry.tried !== null && entry.user !== this.user?.id)) {
        // The server could not tell the retry from a new message any more: a person must decide.
        this.#fail(entry, { code: "unconfirmed", message: "it is not known whether this arrived" });
      } else if (new TextEncoder().encode(entry.text).length > this.limits?.text_bytes) {
        this.#fail(entry, { code: "text_too_long", message: `longer than ${this.limits?.text_bytes} bytes` });
      } else {
        this.#inFlight = entry;
        Object.assign(entry, { tried: entry.tried ?? Date.now(), user: this.user?.id });
        this.#keep(this.unsent); // before it goes out: a reload must retry with the same mid [MSG-14]
        const { room, text, mid } = entry;
        this.#ask({ type: "send", room, text, mid }, (reply) => this.#answered(entry, reply));
        return;
      }
    }
  }

  #answered(/** @type {Unsent} */ entry, /** @type {any} */ reply) {
    if (reply === LOST) return;
    if (this.#inFlight === entry) this.#inFlight = null;
    const room = this.rooms.get(entry.room);
    if (reply.type === "sent") {
      this.#stumbles = 0;
      this.#settle(entry.mid);
    } else if (reply.retryable) {
      if (reply.code === "rate_limited") entry.tried = null; // dedupe comes first: it is not stored [RATE-9]
      const wait = this.#patience(reply);
      this.pausedUntil = Date.now() + wait;
      this.#startTimer("pause", wait, () => this.#pump());
      this.#emit("paused", { code: reply.code, limit: reply.limit });
    } else if (reply.code === "not_joined" && room) this.#join(room); // then `joined` sends it again
    else this.#fail(entry, { code: reply.code, message: reply.message });
    this.#pump();
  }

  /** How long to wait after a retryable error. */
  #patience(/** @type {any} */ { retry_after_ms: wait }) {
    return wait === undefined ? backoff(this.#stumbles++, this.#options.random) : wait + GRAIN_MS;
  }

  #settle(/** @type {string} */ mid) {
    if (this.#inFlight?.mid === mid) this.#inFlight = null;
    if (this.unsent.some((entry) => entry.mid === mid)) this.discard(mid);
    this.#pump();
  }

  #fail(/** @type {Unsent} */ entry, /** @type {Problem} */ problem) {
    entry.problem = problem;
    this.#keep(this.unsent);
  }

  #keep(/** @type {Unsent[]} */ unsent) {
    this.unsent = unsent;
    this.#options.session.setItem(UNSENT_KEY, JSON.stringify(unsent));
    this.#emit("unsent", {});
  }

  // Small things

  #become(/** @type {Client["state"]} */ state) {
    this.state = state;
    this.#emit("state", {});
  }

  #emit(/** @type {string} */ type, /** @type {any} */ detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #startTimer(/** @type {string} */ name, /** @type {number} */ ms, /** @type {() => void} */ run) {
    this.#stopTimer(name);
    this.#timers[name] = setTimeout(() => {
      delete this.#timers[name];
      run();
    }, ms);
  }

  #stopTimer(/** @type {string} */ name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

/** What stands in for a reply that will not come. */
const LOST = { type: "error", code: "lost", message: "the connection was lost before the answer" };

/** Forgets everything with the process. @returns {any} */
function memory() {
  const items = new Map();
  return {
    getItem: (/** @type {string} */ key) => items.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => items.set(key, value),
    removeItem: (/** @type {string} */ key) => items.delete(key),
  };
}
