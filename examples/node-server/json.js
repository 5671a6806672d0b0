// Reads JSON as the protocol wants it read (ERR-1, ERR-2, ERR-3, ERR-15). `JSON.parse` is not enough: it keeps the last
// of two members of one name, and rounds numbers, so that 9007199254740991.4 would pass for a whole number.
// Knows no message.

const MAX_DEPTH = 16; // ERR-3; the frame's own object is level 1
const BLANK = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHOLE = /^-?[0-9]+(?:\.0+)?$/; // 1.0 may pass as 1 (ERR-5)
const WORD = /true|false|null/y;

/** The value of a JSON text; a number that is not whole is NaN: no request has a place for it. Throws SyntaxError. */
export function parse(text) {
  let at = 0;

  function match(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  }

  function next(character) {
    match(BLANK);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  }

  function all(end, item) {
    if (next(end)) return;
    do item();
    while (next(","));
    if (!next(end)) throw new SyntaxError(`no ${end} at ${at}`);
  }

  function string() {
    match(BLANK);
    const found = match(STRING);
    if (!found) throw new SyntaxError(`no string at ${at}`);
    return found[0].includes("\\") ? JSON.parse(found[0]) : found[0].slice(1, -1);
  }

  function member(members, depth) {
    const name = string();
    if (members.has(name)) throw new SyntaxError(`a member twice before ${at}`);
    if (!next(":")) throw new SyntaxError(`no : at ${at}`);
    members.set(name, value(depth));
  }

  function value(depth) {
    const object = next("{");
    if (object || next("[")) {
      if (depth > MAX_DEPTH) throw new SyntaxError(`nested too deep at ${at}`);
      const inside = object ? new Map() : [];
      all(object ? "}" : "]", () => (object ? member(inside, depth + 1) : inside.push(value(depth + 1))));
      return inside;
    }
    if (text[at] === '"') return string();
    const word = match(WORD);
    if (word) return JSON.parse(word[0]);
    const number = match(NUMBER);
    if (!number) throw new SyntaxError(`no value at ${at}`);
    return WHOLE.test(number[0]) ? Number(number[0]) + 0 : NaN; // + 0: there is one zero
  }

  const whole = value(1);
  match(BLANK);
  if (at < text.length) throw new SyntaxError(`more than one value, from ${at}`);
  return whole;
}
