/**
 * The chat page: what a person sees of `client.js`. Whatever comes from the server or was typed gets into the
 * page as text (`textContent`) and is never parsed; what the protocol asks of a client is in `client.js`.
 *
 * @typedef {import("./client.js").Message} Message
 * @typedef {{kind: "message", message: Message, newDay?: boolean, first?: boolean} | {kind: "gap", text: string}
 *           | {kind: "presence", changes: Map<string, {name: string, event: string}>}} Item
 * @typedef {{name: string, items: Item[], shownFrom: number, unread: number, draft: string, scroll: number | null,
 *            newest?: Message}} View  shownFrom: the first item that is in the page
 */
import { Client } from "./client.js";
import { dayOf, element, line, number, plural, press, redraw, seconds } from "./elements.js";

const KEPT = 1_000; // items remembered of each room
const SHOWN = 150; // items in the page at first; trimmed back to it when there are three times as many
const GROUP_MS = 3 * 60_000; // one heading for what a person says within this time
const HINT_MS = 5_000;
const PATIENCE_MS = 400; // connecting takes a moment: nobody is told before

const durable = storage("localStorage");
const session = storage("sessionStorage");
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
/** @type {Map<string, View>} */
const views = new Map();
/** @type {View | undefined} */
let view;
let atEnd = true; // the newest message is in sight
let below = 0; // messages that came while it was not
let hintTimer = 0;
let countdownTimer = 0;
let bannerTimer = 0;

const client = new Client({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  name: durable?.getItem("roomproof.name") ?? undefined,
  durable,
  session,
});

// What the client says

client.addEventListener("state", showState);
client.addEventListener("unsent", showUnsent);
on("joined", ({ room, messages, fresh }) => {
  const joined = views.get(room);
  if (!joined) return;
  for (const message of messages) add(joined, { kind: "message", message }, fresh);
  if (fresh && joined === view) showLog();
});
on("message", (message) => {
  const at = views.get(message.room);
  if (at) add(at, { kind: "message", message });
});
on("gap", ({ room, missed, reason }) => {
  const text = missed !== null ? `${plural(missed, "message was", "messages were")} lost`
    : reason === "epoch_changed" ? "The room was begun anew: messages may have been lost" : "Messages may have been lost";
  const at = views.get(room);
  if (at) add(at, { kind: "gap", text });
});
on("presence", ({ room, event, user }) => {
  const at = views.get(room);
  if (at && event) addPresence(at, event, user);
  if (at === view) showMembers();
});
on("paused", ({ code, limit }) => {
  showHint(code === "rate_limited" && limit
    ? `At most ${plural(limit.count, "message", "messages")} in ${number.format(limit.window_ms / 1000)} s; the rest goes out by itself.`
    : "The server is busy; your message goes out by itself.");
  showUnsent();
  showCountdown();
});
on("refused", ({ room, message }) => {
  forget(room);
  $("join-problem").textContent = `${room}: ${message}`;
  if (document.activeElement === document.body) $("join-name").focus();
});

// Rooms

function enter(/** @type {string} */ name) {
  if (!views.has(name)) {
    views.set(name, {
      name, items: [], shownFrom: 0, unread: 0, scroll: null,
      draft: session?.getItem(`roomproof.draft.${name}`) ?? "",
    });
    client.join(name);
    keepRooms();
  }
  if (view) view.scroll = atEnd ? null : $("log").scrollTop;
  view = views.get(name);
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  showRoom();
}

function forget(/** @type {string} */ name) {
  views.delete(name);
  session?.removeItem(`roomproof.draft.${name}`);
  keepRooms();
  if (view?.name !== name) return showRooms();
  view = undefined;
  const next = views.keys().next();
  if (!next.done) return enter(next.value);
  history.replaceState(null, "", location.pathname);
  showRoom();
}

function keepRooms() {
  durable?.setItem("roomproof.rooms", JSON.stringify([...views.keys()]));
}

// The log

function add(/** @type {View} */ to, /** @type {Item} */ item, old = false) {
  const message = item.kind === "message" ? item.message : undefined;
  if (item.kind === "message") {
    const { newest } = to;
    const last = to.items[to.items.length - 1];
    item.newDay = !newest || dayOf(newest.ts) !== dayOf(item.message.ts);
    item.first = item.newDay || last?.kind !== "message" || newest?.from.id !== item.message.from.id
      || item.message.ts - newest.ts > GROUP_MS;
    to.newest = item.message;
  }
  to.items.push(item);
  if (to.items.length > KEPT) {
    to.items.shift();
    if (to.shownFrom > 0) to.shownFrom -= 1;
    else if (to === view && !old) $("messages").firstChild?.remove();
  }
  const own = message?.from.id === client.user?.id;
  const seen = to === view && document.visibilityState === "visible" && atEnd;
  if (message && !old && !own && !seen) {
    to.unread += 1;
    if (to === view) below += 1;
    showRooms();
  }
  if (to !== view || old) return;
  if (message) $("empty").hidden = true;
  $("messages").append(line(item, client.user?.id));
  if (atEnd && $("messages").childElementCount > 3 * SHOWN) showLog();
  else follow();
}

/** Who comes and goes is one quiet line, until the next message. */
function addPresence(/** @type {View} */ to, /** @type {string} */ event, /** @type {any} */ { id, name }) {
  const last = to.items[to.items.length - 1];
  if (last?.kind !== "presence") return add(to, { kind: "presence", changes: new Map([[id, { name, event }]]) });
  if (last.changes.get(id) && last.changes.get(id)?.event !== event) last.changes.delete(id);
  else last.changes.set(id, { name, event });
  if (to === view) $("messages").lastChild?.replaceWith(line(last, client.user?.id));
  follow();
}

function showLog() {
  if (!view) return;
  const { items } = view;
  view.shownFrom = Math.max(0, items.length - SHOWN);
  $("log").ariaBusy = "true"; // not read out
  $("messages").replaceChildren(...items.slice(view.shownFrom).map((item) => line(item, client.user?.id)));
  $("log").ariaBusy = "false";
  $("earlier").hidden = view.shownFrom === 0;
  $("empty").hidden = Boolean(view.newest);
  follow();
}

function showEarlier() {
  if (!view) return;
  const { items, shownFrom } = view;
  const from = Math.max(0, shownFrom - SHOWN);
  const height = $("log").scrollHeight;
  view.shownFrom = from;
  $("log").ariaBusy = "true";
  $("messages").prepend(...items.slice(from, shownFrom).map((item) => line(item, client.user?.id)));
  $("log").ariaBusy = "false";
  $("earlier").hidden = from === 0;
  $("log").scrollTop += $("log").scrollHeight - height;
  if (from === 0) $("log").focus({ preventScroll: true }); // the button is gone
}

/** Keep the newest in sight if it was; else say how much is below. */
function follow() {
  if (atEnd) $("log").scrollTop = $("log").scrollHeight;
  $("newer").hidden = atEnd || below === 0;
  $("newer").textContent = plural(below, "new message", "new messages");
}

function read() {
  if (!view || !atEnd || document.visibilityState !== "visible") return;
  below = 0;
  if (view.unread) {
    view.unread = 0;
    showRooms();
  }
  follow();
}

// What is shown

function showRoom() {
  for (const part of ["composer", "leave", "open-people"]) $(part).classList.toggle("without-room", !view);
  $("room").textContent = view?.name ?? "No room";
  $("text-label").textContent = view ? `Message to ${view.name}` : "Message";
  $("text").placeholder = view ? `Message to ${view.name}` : "";
  $("text").value = view?.draft ?? "";
  $("empty").textContent = view ? "Nothing was said here yet." : "Join a room to begin.";
  $("empty").hidden = false;
  below = view?.unread ?? 0;
  atEnd = (view?.scroll ?? null) === null;
  if (view) showLog();
  else $("messages").replaceChildren();
  if (view && !atEnd) $("log").scrollTop = view.scroll;
  showUnsent();
  showMembers();
  showRooms();
  fit();
  read();
}

function showRooms() {
  redraw($("rooms"), [...views.values()].map((room) => {
    const name = element("bdi", {}, room.name);
    const badge = element("span", { className: "badge", hidden: !room.unread },
      room.unread > 99 ? "99+" : String(room.unread), element("span", { className: "unseen" }, " unread"));
    const button = press("", room.name, () => {
      enter(room.name);
      open(null);
      $("text").focus();
    }, name, badge);
    if (room === view) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  }));
  const unread = [...views.values()].reduce((sum, room) => sum + room.unread, 0);
  const elsewhere = unread - (view?.unread ?? 0);
  $("elsewhere").hidden = !elsewhere;
  $("elsewhere").textContent = String(elsewhere);
  document.title = `${unread ? `(${unread}) ` : ""}${view ? `${view.name} · ` : ""}roomproof`;
}

function showMembers() {
  const room = view && client.rooms.get(view.name);
  const members = [...(room?.members.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  const more = (room?.count ?? 0) - members.length;
  $("open-people").textContent = `${number.format(room?.count ?? 0)} here`;
  $("members").replaceChildren(
    ...members.map(({ id, name }) => element("li", {}, element("bdi", {}, name), id === client.user?.id ? " (you)" : "")),
    ...(more > 0 && members.length ? [element("li", {}, `and ${number.format(more)} more`)] : []));
}

function showUnsent() {
  const entries = client.unsent.filter((entry) => entry.room === view?.name);
  redraw($("unsent"), entries.map(({ mid, text, problem }, index) => {
    const state = problem ? `Not sent: ${problem.message}.`
      : index < entries.length - 1 ? "" // said once, below the last
      : client.state !== "online" ? "Waits for the connection"
      : client.pausedUntil > Date.now() ? "Waits" : "Sending";
    const again = press("Send again", `again ${mid}`, () => {
      client.discard(mid);
      client.send(view?.name ?? "", text);
    });
    const edit = press("Edit", `edit ${mid}`, () => {
      client.discard(mid);
      $("text").value = [text, $("text").value].filter(Boolean).join("\n");
      typed();
      $("text").focus();
    });
    return element("li", { className: `message own unsent${problem ? " failed" : ""}` },
      element("p", { className: "text", dir: "auto" }, text),
      element("p", { className: "meta" }, state, ...(problem ? [" ", again, " ", edit] : [])));
  }));
  if (entries.length) $("empty").hidden = true;
  follow();
}

function showState() {
  const { state, problem } = client;
  const text = {
    idle: "Not connected.",
    connecting: "Connecting…",
    online: "Connected",
    waiting: "Connection lost; what you write is kept.",
    stopped: `The server ended the connection: ${problem?.message}`,
  }[state];
  $("light").className = state;
  $("light").ariaLabel = $("light").title = state === "online" ? "Connected" : "Not connected";
  clearTimeout(bannerTimer);
  if (state === "connecting" && $("banner").hidden) {
    bannerTimer = setTimeout(() => $("banner").hidden = false, PATIENCE_MS);
  } else {
    if (state === "online" && !$("banner").hidden) showHint("Connected.");
    $("banner").hidden = state === "online";
  }
  if ($("status").textContent !== text && !(state === "connecting" && !$("now").hidden)) $("status").textContent = text;
  $("now").hidden = state === "online" || (state === "connecting" && client.user === null);
  if (state === "online") {
    $("name").value = client.user?.name;
    durable?.setItem("roomproof.name", $("name").value);
    $("name-problem").textContent = "";
  } else if (problem?.code === "invalid_name") $("name-problem").textContent = problem.message;
  showUnsent();
  showCountdown();
  follow();
}

/** What runs down is shown beside the live regions, not in them: it would be read out again and again. */
function showCountdown() {
  clearTimeout(countdownTimer);
  const retry = client.state === "waiting" ? client.retryAt : 0;
  const pause = client.pausedUntil > Date.now() ? client.pausedUntil : 0;
  $("countdown").textContent = retry ? `Next try in ${seconds(retry)}.` : "";
  $("wait").textContent = pause ? `Next one in ${seconds(pause)}.` : "";
  if (retry || pause) countdownTimer = setTimeout(showCountdown, 100);
}

function showHint(/** @type {string} */ text) {
  clearTimeout(hintTimer);
  if ($("hint").textContent !== text) $("hint").textContent = text;
  if (text) hintTimer = setTimeout(() => showHint(""), HINT_MS);
}

// What the person does

$("composer").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  const text = $("text").value;
  const excess = new TextEncoder().encode(text).length - (client.limits?.text_bytes ?? Infinity);
  if (excess > 0) showHint(`Too long by ${plural(excess, "byte", "bytes")}.`);
  if (!view || !text.trim() || excess > 0) return;
  atEnd = true;
  client.send(view.name, text);
  $("text").value = "";
  typed();
  $("text").focus();
});
$("text").addEventListener("input", typed);
$("text").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("join").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  const name = $("join-name").value;
  $("join-problem").textContent = $("join-name").value = "";
  enter(name);
  open(null);
  $("text").focus();
});
$("rename").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  client.rename($("name").value);
});
$("leave").addEventListener("click", () => {
  if (!view) return;
  client.leave(view.name);
  forget(view.name);
  $(view ? "text" : "join-name").focus();
});
$("log").addEventListener("pointerdown", () => open(null));
$("now").addEventListener("click", () => client.connect());
$("earlier").addEventListener("click", showEarlier);
$("newer").addEventListener("click", () => {
  atEnd = true;
  read();
  $("text").focus();
});
$("skip").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  $("text").focus();
});
for (const panel of ["side", "people"]) $(`open-${panel}`).addEventListener("click", () => open(panel));
$("log").addEventListener("scroll", () => {
  atEnd = $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 40;
  read();
});
new ResizeObserver(follow).observe($("log"));
document.addEventListener("visibilitychange", read);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.dataset.open) open(null, true);
  else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown") && view) {
    event.preventDefault();
    const names = [...views.keys()];
    const step = event.key === "ArrowUp" ? names.length - 1 : 1;
    enter(names[(names.indexOf(view.name) + step) % names.length]);
  }
});
window.addEventListener("hashchange", () => {
  const name = addressed();
  if (name) enter(name);
});

/** Open a panel (that is open anyway on a wide screen), or close it if it is open. */
function open(/** @type {string | null} */ panel, back = false) {
  const was = document.body.dataset.open;
  document.body.dataset.open = panel === was ? "" : panel ?? "";
  for (const name of ["side", "people"]) {
    const isOpen = document.body.dataset.open === name;
    $(name).classList.toggle("open", isOpen);
    $(`open-${name}`).setAttribute("aria-expanded", String(isOpen));
  }
  if (back && was) $(`open-${was}`).focus();
  else if (document.body.dataset.open) $(document.body.dataset.open).querySelector("button, input")?.focus();
}

function typed() {
  if (view) {
    view.draft = $("text").value;
    session?.setItem(`roomproof.draft.${view.name}`, view.draft);
  }
  fit();
}

/** As high as what is written; the style sheet sets the bounds. */
function fit() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

// Small things

function on(/** @type {string} */ type, /** @type {(detail: any) => void} */ listener) {
  client.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
}

/** A browser may forbid its storage: then nothing outlives the page. @returns {Storage | undefined} */
function storage(/** @type {"localStorage" | "sessionStorage"} */ kind) {
  try {
    return window[kind];
  } catch {
    return undefined;
  }
}

/** The room that the address names: `/#lobby`. */
function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

const rooms = JSON.parse(durable?.getItem("roomproof.rooms") ?? "[]");
const first = addressed() || rooms[0] || "lobby";
for (const name of [...rooms, first]) enter(name);
client.connect();
