/**
 * The page's elements and words, made of what is given: it has no state and knows neither client nor server.
 * Text gets into the page as text; nothing is ever parsed.
 */

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
export const number = new Intl.NumberFormat();

/**
 * One line of the log.
 * @param {import("./page.js").Item} item
 * @param {string | undefined} me our user id
 */
export function line(item, me) {
  if (item.kind === "gap") return element("li", { className: "gap" }, item.text);
  if (item.kind === "presence") {
    const parts = [...item.changes.values()].slice(-6).flatMap(({ name, event }, index) =>
      [index ? " · " : "", element("bdi", {}, name), event === "join" ? " came" : " left"]);
    return element("li", { className: "presence", ariaLive: "off", hidden: !parts.length }, ...parts);
  }
  const { message: { from, ts, text }, newDay, first } = item;
  const own = from.id === me;
  const time = element("time", { dateTime: new Date(ts).toISOString(), title: full.format(ts) }, clock.format(ts));
  return element("li", { className: `message${own ? " own" : ""}${first ? " first" : ""}` },
    ...(newDay ? [element("p", { className: "day" }, dayOf(ts))] : []),
    element("p", { className: first ? "meta" : "meta unseen" }, element("bdi", {}, own ? "You" : from.name), " ", time),
    element("p", { className: "text", dir: "auto", title: clock.format(ts) }, text));
}

/** An element with properties and text; nothing is ever parsed. */
export function element(/** @type {string} */ tag, /** @type {Record<string, any>} */ properties, /** @type {(Node | string)[]} */ ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}

/** A quiet button; `key` names it for {@link redraw}. */
export function press(/** @type {string} */ label, /** @type {string} */ key, /** @type {() => void} */ action, /** @type {Node[]} */ ...content) {
  const button = element("button", { type: "button", className: "quiet" }, label, ...content);
  button.dataset.key = key;
  button.addEventListener("click", action);
  return button;
}

/** Draw a list again; what had the focus keeps it. */
export function redraw(/** @type {HTMLElement} */ list, /** @type {Node[]} */ items) {
  const focused = document.activeElement;
  const key = list.contains(focused) && focused instanceof HTMLElement ? focused.dataset.key : undefined;
  list.replaceChildren(...items);
  if (key) /** @type {HTMLElement | null} */ (list.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
}

/** "1 message", "2 messages". */
export function plural(/** @type {number} */ count, /** @type {string} */ one, /** @type {string} */ many) {
  return `${number.format(count)} ${count === 1 ? one : many}`;
}

/** Whole seconds, tenths of the last one. */
export function seconds(/** @type {number} */ until) {
  const left = Math.max(0, until - Date.now()) / 1000;
  return `${number.format(left > 1 ? Math.ceil(left) : Math.ceil(left * 10) / 10)}\u00a0s`;
}

/** The date of a message, as its reader says it. */
export function dayOf(/** @type {number} */ ts) {
  const text = day.format(ts);
  if (text === day.format(Date.now())) return "Today";
  return text === day.format(Date.now() - 86_400_000) ? "Yesterday" : text;
}
