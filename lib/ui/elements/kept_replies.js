// The replies that this window has drawn while they came: their parts of the page and their words.
//
// Nobody draws a reply twice. The live element leaves here what it has drawn; whoever shows the
// message later takes the very same nodes over, and what stores it takes the words.

const MOST_KEPT = 40;

const kept = new Map(); // by the reply's id, the oldest first
const waiting = new Set(); // who wants nodes that are not due yet

// `blocks` are what the reply consists of, by their numbers; `thought` is drawn above them.
export function keep(id, { blocks, thought, reasoning }) {
  const parts = new Map();
  for (const [number, { box, text }] of blocks) parts.set(number, { box, text });
  kept.delete(id);
  kept.set(id, { parts, thought: thought?.box, reasoning });
  for (const old of [...kept.keys()].slice(0, -MOST_KEPT)) kept.delete(old);
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

function isLive(box) {
  return Boolean(box.closest(".berth-live"));
}

function isLiveBefore(id, first) {
  for (const [number, { box }] of kept.get(id)?.parts ?? []) {
    if (number >= first) return false;
    if (isLive(box)) return true;
  }
  return false;
}

// Streamlit has drawn these blocks itself, in `shown`: the copies go in the frame in which it is
// whole, and those before them have gone. Until then it is not seen, unless that takes too long.
export function replace(id, first, last, shown, isLate) {
  handOver();
  const copies = [];
  for (let number = first; number <= last; number++) {
    const box = kept.get(id)?.parts.get(number)?.box;
    if (box && isLive(box)) copies.push(box);
  }
  const waits = copies.length && !isLate && (isLiveBefore(id, first) || !isWhole(shown, copies));
  const place = shown.closest('[data-testid="stLayoutWrapper"]') ?? shown;
  place.toggleAttribute("data-berth-waits", Boolean(waits));
  if (!waits) for (const box of copies) box.remove();
}

// The colours of code come with a script of their own: before it there is nothing in its place.
function isWhole(shown, copies) {
  if (!shown.querySelector('[data-testid="stMarkdown"]')) return false;
  const codes = [...shown.querySelectorAll("pre")];
  const expected = copies.reduce((sum, box) => sum + box.querySelectorAll("pre").length, 0);
  return codes.length >= expected && codes.every((code) => code.textContent);
}

// Blocks go over in their order, so that nothing changes places while some are still on their way.
export function claim(one) {
  waiting.add(one);
  handOver();
}

export function renounce(one) {
  waiting.delete(one);
}

export function handOver() {
  for (const one of [...waiting].sort((a, b) => a.first - b.first)) {
    if (isLiveBefore(one.id, one.first)) continue;
    waiting.delete(one);
    if (kept.has(one.id)) move(kept.get(one.id), one);
  }
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
