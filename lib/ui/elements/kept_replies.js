// The replies that this window has drawn while they came: their parts of the page and their words.
//
// Nobody draws a reply twice. The live element leaves here what it has drawn; whoever shows the
// message later takes the very same nodes over, and what stores it takes the words.

const MOST_KEPT = 40;

const kept = new Map(); // by the reply's id, the oldest first
const waiting = new Set(); // who wants nodes that are still shown live

// `blocks` are what the reply consists of, by their numbers; `thought` is drawn above them. False
// where its message has taken over an earlier copy: one that came anew is not needed.
export function keep(id, { blocks, thought, reasoning }) {
  const isShown = ({ box }) => box.closest(".berth-kept")?.isConnected;
  if ([...(kept.get(id)?.parts.values() ?? [])].some(isShown)) return false;
  const parts = new Map();
  for (const [number, { box, text }] of blocks) parts.set(number, { box, text });
  kept.delete(id);
  kept.set(id, { parts, thought: thought?.box, reasoning });
  for (const old of [...kept.keys()].slice(0, -MOST_KEPT)) kept.delete(old);
  return true;
}

export function isKept(id, count) {
  return kept.get(id)?.parts.size === count;
}

// What the model said and thought, to the letter; null where this window does not know the reply.
export function words(id) {
  const found = kept.get(id);
  if (!found) return null;
  const text = [...found.parts.values()].map((part) => part.text).join("");
  return { text, reasoning: found.reasoning };
}

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

// Of a text as UTF-8, as zlib and PNG have it.
export function crc32(text) {
  let sum = ~0;
  for (const byte of new TextEncoder().encode(text)) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 255];
  return ~sum >>> 0;
}

const isLive = ({ box }) => Boolean(box.closest(".berth-live"));

// `one` wants nodes: at once, unless the live element still shows them and says when.
export function claim(one) {
  waiting.add(one);
  if (![...kept.get(one.id).parts.values()].some(isLive)) handOver(one.id);
}

export function renounce(one) {
  waiting.delete(one);
}

// All that is wanted of a reply goes where it is wanted.
export function handOver(id) {
  for (const one of wanted(id)) {
    waiting.delete(one);
    if (kept.has(id)) move(kept.get(id), one);
  }
}

// Who waits for a reply's nodes.
export function wanted(id) {
  return [...waiting].filter((one) => one.id === id);
}

// Streamlit shows these blocks itself: the copies go.
export function drop(id, { first, last }) {
  for (const part of range(id, first, last)) if (isLive(part)) part.box.remove();
}

// Has Streamlit drawn all of it? The colours of code come with a script of their own: before it
// there is nothing in the code's place.
export function isWhole(id, { first, last, shown }) {
  if (!shown.querySelector('[data-testid="stMarkdown"]')) return false;
  const codes = [...shown.querySelectorAll("pre")];
  const expected = range(id, first, last).reduce((sum, { box }) => sum + box.querySelectorAll("pre").length, 0);
  return codes.length >= expected && codes.every((code) => code.textContent);
}

function range(id, first, last) {
  const parts = kept.get(id)?.parts ?? new Map();
  return [...parts].filter(([number]) => first <= number && number <= last).map(([, part]) => part);
}

function move(found, { first, last, withThought, root }) {
  const selection = document.getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  if (withThought && found.thought) root.append(found.thought);
  for (let number = first; number <= last; number++) root.append(found.parts.get(number).box);
  // A node that goes elsewhere is taken out of what was marked: mark it again.
  if (anchorNode && focusNode && selection.anchorNode !== anchorNode && root.contains(anchorNode) && focusNode.isConnected) {
    selection.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  }
}
