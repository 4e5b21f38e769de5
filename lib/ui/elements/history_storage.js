// Conversations in this browser's localStorage, and what Python asks to be done with them.
//
// `berth:m:<id>` is what the list needs of a conversation, `berth:c:<id>` the conversation; there
// is no common index that two tabs could overwrite. A save has only the turns that changed, and is
// refused unless what is stored is the copy they belong to. Of a long conversation `berth:c:<id>` is
// only the end: what came before stands in `berth:p:<id>:0`, `…:1` and so on, which a save does not
// touch. Whatever is read was perhaps written by somebody else: it is checked.
// What is deleted is only marked so; the list erases it after a day.

import { newId } from "./dom.js";
import { crc32, words } from "./kept_replies.js";

const META = "berth:m:";
const DOCUMENT = "berth:c:";
const PART = "berth:p:";
const LONGEST_END = 65_536; // characters; one that is longer becomes a part, but for its last turns
const LEFT_AT_END = 8; // turns: what is changed later is mostly among them
const ID = /^[0-9a-f]{32}$/;
export const LONGEST_TITLE = 120;
const SNIPPET = 40; // characters on each side of what was found

function number(value) {
  return Number.isFinite(value) && value >= 0 ? value : 0;
}

export function meta(id) {
  try {
    const found = JSON.parse(localStorage.getItem(META + id));
    if (!found || typeof found !== "object") return null;
    return {
      id,
      title: String(found.title ?? "").slice(0, LONGEST_TITLE) || "Untitled",
      ts: number(found.ts),
      rev: String(found.rev ?? ""),
      n: number(found.n),
      pinned: found.pinned === true,
      waits: found.waits === true,
      deleted: number(found.deleted),
    };
  } catch {
    return null;
  }
}

export function setMeta(changed) {
  localStorage.setItem(META + changed.id, JSON.stringify(changed));
}

export function metas() {
  const found = [];
  try {
    for (let at = 0; at < localStorage.length; at++) {
      const key = localStorage.key(at);
      const id = key.startsWith(META) ? key.slice(META.length) : "";
      const one = ID.test(id) && meta(id);
      if (one) found.push(one);
    }
  } catch {
    return []; // this browser lets nothing be stored
  }
  return found.sort((a, b) => b.pinned - a.pinned || b.ts - a.ts);
}

export function erase(id) {
  for (const key of partKeys(id)) localStorage.removeItem(key);
  localStorage.removeItem(DOCUMENT + id);
  localStorage.removeItem(META + id);
}

function partKeys(id) {
  const found = [];
  while (localStorage.getItem(`${PART}${id}:${found.length}`) !== null) found.push(`${PART}${id}:${found.length}`);
  return found;
}

// All of these, or none: `entries` are keys with their texts.
function write(entries) {
  const before = entries.map(([key]) => [key, localStorage.getItem(key)]);
  try {
    for (const [key, text] of entries) localStorage.setItem(key, text);
  } catch (error) {
    for (const [key] of before) localStorage.removeItem(key);
    for (const [key, text] of before) if (text !== null) localStorage.setItem(key, text);
    throw error;
  }
}

function reason(error) {
  return error.name === "QuotaExceededError" || error.code === 22 ? "full" : "blocked";
}

function fresh(details) {
  return { title: "", ts: Date.now(), rev: "", n: 0, pinned: false, waits: false, deleted: 0, ...details };
}

// -- a conversation in parts -------------------------------------------------------------------

function turnsIn(text) {
  try {
    const found = JSON.parse(text);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

// What is stored under the id: `turns` are those at its end, `parts` is how many stand before.
function storedEnd(id) {
  const nothing = { turns: [], parts: 0, before: 0, size: 0 };
  try {
    const found = meta(id) && JSON.parse(localStorage.getItem(DOCUMENT + id));
    const { turns, parts, before, size } = { ...nothing, ...found };
    return found?.version === 2 ? { turns, parts, before, size } : nothing;
  } catch {
    return nothing;
  }
}

// The whole conversation as one text, as it is exported and as Python reads it.
export function storedDocument(id) {
  const raw = localStorage.getItem(DOCUMENT + id);
  if (raw === null || !localStorage.getItem(`${PART}${id}:0`)) return raw;
  try {
    const { parts = 0, before, size, ...end } = JSON.parse(raw);
    const earlier = [];
    for (let at = 0; at < parts; at++) earlier.push(...turnsIn(localStorage.getItem(`${PART}${id}:${at}`)));
    return JSON.stringify({ ...end, turns: [...earlier, ...end.turns] });
  } catch {
    return raw;
  }
}

// What has to be written so that the changed turns are in the stored copy: keys with their texts,
// and how many characters there are then; null unless these are all `count` turns.
function combined(id, next, count, inParts = true) {
  const end = storedEnd(id);
  const turns = new Map(end.turns.map((turn) => [turn.id, turn]));
  for (const turn of next.turns) turns.set(turn.id, turn);
  const entries = [];
  if (turns.size + end.before !== count) entries.push(...amended(id, end, turns, next.turns));
  if (turns.size + end.before !== count) return null;
  if (inParts) entries.push(...sealed(id, end, turns));
  const { parts, before, size } = end;
  const text = JSON.stringify({ ...next, turns: [...turns.values()], ...(parts && { parts, before, size }) });
  entries.push([DOCUMENT + id, text]);
  return { entries, n: size + text.length };
}

// A turn that was changed long after it was said stands in one of the parts.
function amended(id, end, turns, changed) {
  const entries = [];
  for (let at = 0; at < end.parts; at++) {
    const key = `${PART}${id}:${at}`;
    const raw = localStorage.getItem(key);
    const found = new Map(turnsIn(raw).map((turn) => [turn.id, turn]));
    const mine = changed.filter((turn) => found.has(turn.id));
    if (!mine.length) continue;
    for (const turn of mine) {
      found.set(turn.id, turn);
      turns.delete(turn.id);
    }
    const text = JSON.stringify([...found.values()]);
    end.size += text.length - raw.length;
    entries.push([key, text]);
  }
  return entries;
}

// Takes the older turns from an end that has grown too long, and makes parts of them.
function sealed(id, end, turns) {
  const entries = [];
  let left = 0;
  for (const turn of turns.values()) left += lengthOf(turn);
  let part = [];
  let size = 0;
  const close = () => {
    const text = JSON.stringify(part);
    entries.push([`${PART}${id}:${end.parts++}`, text]);
    end.before += part.length;
    end.size += text.length;
    part = [];
    size = 0;
  };
  if (left <= LONGEST_END) return entries;
  for (const [turnId, turn] of [...turns].slice(0, -LEFT_AT_END)) {
    part.push(turn);
    turns.delete(turnId);
    size += lengthOf(turn);
    if (size > LONGEST_END) close();
  }
  if (part.length) close();
  return entries;
}

// About; files are most of what is long beside what was said.
function lengthOf({ content = "", reasoning = "", files = [] }) {
  return 100 + content.length + reasoning.length + files.reduce((sum, { text = "", image = "" }) => sum + text.length + image.length, 0);
}

// The words of replies that this window has drawn are taken from there; false where it lacks some.
function fillIn(turns) {
  for (const turn of turns) {
    if (!turn.sums) continue;
    const { text, reasoning } = words(turn.id) ?? { text: null };
    if (text === null || crc32(text) !== turn.sums[0] || crc32(reasoning) !== turn.sums[1]) return false;
    turn.content = text;
    if (reasoning) turn.reasoning = reasoning;
    delete turn.sums;
  }
  return true;
}

function storedTurns(raw) {
  try {
    return JSON.parse(raw)?.turns ?? [];
  } catch {
    return [];
  }
}

// Stores one imported conversation; tells whether it is new, known, or has more turns now.
function added({ id, title, ts, pinned, rev, doc }) {
  const there = meta(id);
  const stored = there && !there.deleted ? storedDocument(id) : null;
  const before = storedTurns(stored);
  if (!before.length) { // or beside one that cannot be read
    const free = localStorage.getItem(META + id) === null ? id : newId();
    const made = fresh({ id: free, title, rev, pinned, ts: ts || Date.now(), n: doc.length });
    write([[DOCUMENT + free, doc], [META + free, JSON.stringify(made)]]);
    return "added";
  }
  const known = new Set(before.map((turn) => turn.id));
  const [old, next] = [JSON.parse(stored), JSON.parse(doc)];
  const more = next.turns.filter((turn) => !known.has(turn.id));
  if (!more.length) return "known";
  const leaf = more.some((turn) => turn.id === next.leaf) ? next.leaf : old.leaf;
  const { entries, n } = combined(id, { ...old, leaf, turns: more }, before.length + more.length);
  write([...entries, [META + id, JSON.stringify({ ...there, rev, n })]]);
  return "joined";
}

// -- what Python asks for ----------------------------------------------------------------------

const OPERATIONS = {
  get(op) {
    const found = meta(op.id);
    const raw = found && storedDocument(op.id);
    if (!found || raw === null || found.deleted) {
      return { kind: "missing", id: op.id, why: found?.deleted ? "deleted" : "" };
    }
    return { kind: "document", id: op.id, title: found.title, rev: found.rev, raw };
  },

  put(op) {
    const there = meta(op.id);
    const next = JSON.parse(op.doc);
    const about = { id: op.id, title: there?.title || op.title, rev: there?.rev || "" };
    if (!fillIn(next.turns)) return { ...about, kind: "lacking", mine: op.doc, turns: op.turns };
    const refused = { ...about, kind: "refused", mine: JSON.stringify(next) };
    const whole = (there?.rev ?? "") === op.known ? combined(op.id, next, op.turns) : null;
    if (whole === null) return { ...refused, why: "conflict", raw: storedDocument(op.id) ?? "" };
    const kept = there || fresh({ id: op.id, title: op.title });
    const changed = { ...kept, ts: Date.now(), rev: op.rev, waits: op.waits, deleted: 0 };
    const put = ({ entries, n }) => write([...entries, [META + op.id, JSON.stringify({ ...changed, n })]]);
    try {
      put(whole);
    } catch {
      try {
        put(combined(op.id, next, op.turns, false)); // parts need room for a moment
      } catch (error) {
        return { ...refused, mine: withAll(op.id, next), why: reason(error) };
      }
    }
    return op.answer ? { kind: "saved", id: op.id } : null;
  },

  // What is imported: nothing that is there is overwritten, what it has more of is added to it.
  add(op) {
    const counts = { added: 0, known: 0, joined: 0, left: 0 };
    let why = "";
    for (const one of op.entries) {
      try {
        counts[added(one)]++;
      } catch (error) {
        counts.left++;
        why = reason(error);
      }
    }
    return { kind: "imported", counts, why, note: op.note };
  },

  file(op) {
    download(op.name, op.text, "text/markdown");
    return null;
  },
};

// What could not be written, as one text.
function withAll(id, next) {
  const all = new Map();
  for (const text of partKeys(id).map((key) => localStorage.getItem(key))) {
    for (const turn of turnsIn(text)) all.set(turn.id, turn);
  }
  for (const turn of [...storedEnd(id).turns, ...next.turns]) all.set(turn.id, turn);
  return JSON.stringify({ ...next, turns: [...all.values()] });
}

export function run(op) {
  try {
    return OPERATIONS[op.op](op);
  } catch {
    return { kind: "missing", id: op.id, why: "blocked" };
  }
}

export function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function bundle(found) {
  const conversations = [];
  for (const { id, title, ts, pinned } of found) {
    try {
      const document = JSON.parse(storedDocument(id));
      conversations.push({ id, title, ts, pinned, document });
    } catch {
      // A damaged one does not keep the others from being saved.
    }
  }
  return JSON.stringify({ format: "berth-conversations", version: 1, conversations }, null, 1);
}

// -- search ------------------------------------------------------------------------------------

function snippet(text, at, length) {
  const from = Math.max(0, at - SNIPPET);
  const to = Math.min(text.length, at + length + SNIPPET);
  return `${from ? "…" : ""}${text.slice(from, to)}${to < text.length ? "…" : ""}`.replace(/\s+/g, " ");
}

// Only what was said is looked through, and only in documents whose text can have it.
export function match(one, wanted) {
  const raw = storedDocument(one.id) ?? "";
  const inJson = JSON.stringify(wanted).slice(1, -1);
  if (raw.toLowerCase().includes(inJson)) {
    try {
      for (const { content } of JSON.parse(raw).turns) {
        const at = content.toLowerCase().indexOf(wanted);
        if (at >= 0) return { ...one, snippet: snippet(content, at, wanted.length) };
      }
    } catch {
      // Not a conversation that can be opened either.
    }
  }
  return one.title.toLowerCase().includes(wanted) ? one : null;
}
