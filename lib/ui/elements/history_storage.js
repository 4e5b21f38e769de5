// Conversations in this browser's localStorage, and what Python asks to be done with them.
//
// `berth:m:<id>` is what the list needs of a conversation, `berth:c:<id>` the conversation; there
// is no common index that two tabs could overwrite. A save has only the
// turns that changed, and is refused unless what is stored is the copy they belong to. Whatever is read was perhaps written by somebody else: it is checked.
// What is deleted is only marked so; the list erases it after a day.

const META = "berth:m:";
const DOCUMENT = "berth:c:";
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
  localStorage.removeItem(DOCUMENT + id);
  localStorage.removeItem(META + id);
}

function write(changed, text) {
  const key = DOCUMENT + changed.id;
  const before = localStorage.getItem(key);
  try {
    localStorage.setItem(key, text);
    setMeta(changed);
  } catch (error) {
    if (before === null) localStorage.removeItem(key);
    else localStorage.setItem(key, before);
    throw error;
  }
}

function reason(error) {
  return error.name === "QuotaExceededError" || error.code === 22 ? "full" : "blocked";
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fresh(details) {
  return { title: "", ts: Date.now(), rev: "", n: 0, pinned: false, waits: false, deleted: 0, ...details };
}

// The stored conversation with the turns that are new or changed; null unless these are all.
function combined(stored, { doc, turns }) {
  const next = JSON.parse(doc);
  const all = new Map(storedTurns(stored).map((turn) => [turn.id, turn]));
  for (const turn of next.turns) all.set(turn.id, turn);
  return all.size === turns ? JSON.stringify({ ...next, turns: [...all.values()] }) : null;
}

function storedTurns(stored) {
  try {
    const found = JSON.parse(stored);
    return found.version === 2 ? found.turns : [];
  } catch {
    return [];
  }
}

// Stores one imported conversation; tells whether it is new, known, or has more turns now.
function added({ id, title, ts, pinned, rev, doc }) {
  const there = meta(id);
  const stored = there && !there.deleted ? localStorage.getItem(DOCUMENT + id) : null;
  if (stored === null) {
    write(fresh({ id, title, rev, pinned, ts: ts || Date.now(), n: doc.length }), doc);
    return "added";
  }
  const before = storedTurns(stored);
  if (!before.length) {
    write(fresh({ id: newId(), title, rev, pinned, ts: ts || Date.now(), n: doc.length }), doc);
    return "added"; // beside one that cannot be read
  }
  const known = new Set(before.map((turn) => turn.id));
  const [old, next] = [JSON.parse(stored), JSON.parse(doc)];
  const more = next.turns.filter((turn) => !known.has(turn.id));
  if (!more.length) return "known";
  const leaf = more.some((turn) => turn.id === next.leaf) ? next.leaf : old.leaf;
  const whole = JSON.stringify({ ...old, leaf, turns: [...before, ...more] });
  write({ ...there, rev, n: whole.length }, whole);
  return "joined";
}

// -- what Python asks for ----------------------------------------------------------------------

const OPERATIONS = {
  get(op) {
    const found = meta(op.id);
    const raw = found && localStorage.getItem(DOCUMENT + op.id);
    if (!found || raw === null || found.deleted) {
      return { kind: "missing", id: op.id, why: found?.deleted ? "deleted" : "" };
    }
    return { kind: "document", id: op.id, title: found.title, rev: found.rev, raw };
  },

  put(op) {
    const there = meta(op.id);
    const stored = there && localStorage.getItem(DOCUMENT + op.id);
    const refused = { kind: "refused", id: op.id, title: there?.title || op.title, rev: there?.rev || "", mine: op.doc };
    const whole = (there?.rev ?? "") === op.known ? combined(stored, op) : null;
    if (whole === null) return { ...refused, why: "conflict", raw: stored ?? "" };
    const kept = there || fresh({ id: op.id, title: op.title });
    const changed = { ...kept, ts: Date.now(), rev: op.rev, n: whole.length, waits: op.waits, deleted: 0 };
    try {
      write(changed, whole);
    } catch (error) {
      return { ...refused, mine: whole, why: reason(error) };
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
      const document = JSON.parse(localStorage.getItem(DOCUMENT + id));
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
  const raw = localStorage.getItem(DOCUMENT + one.id) ?? "";
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

export function storedDocument(id) {
  return localStorage.getItem(DOCUMENT + id);
}
