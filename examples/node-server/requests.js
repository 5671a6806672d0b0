// What a client may send: the shape of every request, and the refusal of what is not of it.
// Follows the message schemas: a fault is `invalid_message`, but for the strings that have a code of their own.

import { parse } from "./json.js";

const MALFORMED = new Set(["invalid_json", "unsupported_data", "invalid_message", "unknown_type"]); // ERR-13
const ID = /^[A-Za-z0-9._~-]{1,64}$/;
const MID = /^[A-Za-z0-9._~-]{8,64}$/;
const ROOM = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const NOT_IN_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/; // MSG-13: TAB and LF may stand
const NOT_IN_NAME = /[\p{Cc}\p{Cs}\p{Co}\p{Noncharacter_Code_Point}\u2028-\u202e\u2066-\u2069]/u; // AUTH-10
const SPACE_AT_AN_END = /^\p{Zs}|\p{Zs}$/u;
const VISIBLE = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}\p{Cn}]/u;

/** Why something is not done: `code` of the error table, what is said of it, and further members of the error. */
export class Refusal extends Error {
  constructor(code, message, more = {}) {
    super(message);
    this.code = code;
    this.more = more;
    this.malformed = MALFORMED.has(code);
  }
}

function fault(field, message, code = "invalid_message") {
  return new Refusal(code, message, { field });
}

function string(good, message = "not of the grammar", code = "invalid_message") {
  return (value, field) => {
    if (typeof value !== "string") throw fault(field, "a string is expected");
    if (!good(value)) throw fault(field, message, code);
    return value;
  };
}

function whole(minimum, maximum = Number.MAX_SAFE_INTEGER) {
  return (value, field) => {
    if (!Number.isSafeInteger(value)) throw fault(field, "a whole number is expected");
    if (value < minimum || value > maximum) throw fault(field, `from ${minimum} to ${maximum}`);
    return value;
  };
}

function list(item) {
  return (value, field) => {
    if (!Array.isArray(value)) throw fault(field, "an array is expected");
    return value.map((one, index) => item(one, `${field}/${index}`));
  };
}

// Members are known by name; one that ends in ? may be absent, but is never null (CONN-14). Others are passed over.
function object(members) {
  return (value, field) => {
    if (!(value instanceof Map)) throw fault(field, "an object is expected");
    const known = {};
    for (const [key, check] of Object.entries(members)) {
      const name = key.replace("?", "");
      if (value.has(name)) known[name] = check(value.get(name), `${field}/${name}`);
      else if (name === key) throw fault(`${field}/${name}`, "missing");
    }
    return known;
  };
}

function name(length) {
  const bad = (value) => [...value].length > length || NOT_IN_NAME.test(value) || SPACE_AT_AN_END.test(value);
  const message = `1 to ${length} characters, none a control, one visible, no space at an end`;
  const good = string((value) => VISIBLE.test(value) && !bad(value), message, "invalid_name");
  return (value, field) => good(typeof value === "string" ? value.normalize("NFC") : value, field);
}

function text(bytes) {
  const good = (value) => value !== "" && value.isWellFormed() && !NOT_IN_TEXT.test(value);
  const characters = string(good, "empty, a control character, or a lone surrogate", "invalid_text");
  const short = string((value) => Buffer.byteLength(value) <= bytes, `at most ${bytes} bytes`, "text_too_long");
  return (value, field) => short(characters(value, field), field);
}

/** A function that reads the text of a frame. It throws Refusal, with `re` where an id was usable. */
export function reader(limits) {
  const id = string((value) => ID.test(value));
  const mid = string((value) => MID.test(value));
  const scalars = string((value) => value.isWellFormed(), "a lone surrogate");
  const page = whole(1, limits.page);
  const ofRoom = { id, room: string((value) => ROOM.test(value), "no room name", "invalid_room") };
  const shapes = {
    hello: object({
      id,
      "auth?": object({ "scheme?": scalars, "token?": scalars }),
      "name?": name(limits.name_len),
      "client?": object({ name: scalars, version: scalars }),
      "caps?": list(scalars),
    }),
    auth: object({ id, token: scalars }),
    join: object({ ...ofRoom, "after?": object({ epoch: id, seq: whole(0) }), "history?": whole(0, limits.history) }),
    leave: object(ofRoom),
    send: object({ ...ofRoom, text: text(limits.text_bytes), "mid?": mid }),
    history: object({ ...ofRoom, "before?": whole(0), "after?": whole(0), "limit?": page, "epoch?": id }),
    presence: object(ofRoom),
    ping: object({ id }),
  };

  function shape(frame) {
    if (!(frame instanceof Map)) throw fault("", "a frame is a JSON object");
    const type = frame.get("type");
    if (typeof type !== "string") throw fault("/type", "a string is expected");
    if (!Object.hasOwn(shapes, type)) throw fault("/type", "no client sends this type", "unknown_type");
    const request = { type, ...shapes[type](frame, "") };
    if (type === "history" && "before" in request && "after" in request) throw fault("/after", "one of the two");
    return request;
  }

  return (source) => {
    let frame;
    try {
      frame = parse(source);
    } catch {
      throw new Refusal("invalid_json", "one JSON object, no member twice, nested 16 deep at most", { field: "" });
    }
    try {
      return shape(frame);
    } catch (refusal) {
      if (!(frame instanceof Map)) throw refusal;
      const [type, given] = [frame.get("type"), frame.get("id")];
      if (typeof given === "string" && ID.test(given)) refusal.re = given;
      refusal.otherType = typeof type === "string" && Object.hasOwn(shapes, type) && type !== "hello";
      throw refusal;
    }
  };
}
