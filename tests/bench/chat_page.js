// Notes when each stamped token is painted, and the longest gap between two frames.
//
// Wherever in the page a token appears, it counts once: what is drawn anew later is known by then.
window.bench = {isOn: false};
const STAMP = /\d{10}\.\d{6}/g;
const LONGEST_PART = 16; // of a stamp, without its last digit

// Frames go on from before Enter, as where somebody has just typed, and only then.
bench.watch = () => {
  bench.isOn = true;
  bench.lastFrame = performance.now();
  requestAnimationFrame(frame);
};

function begin() {
  Object.assign(bench, {enter: Date.now(), latencies: [], firstPaint: 0, freeze: 0});
  Object.assign(bench, {seen: new Set(), read: new WeakMap()});
}

function frame(now) {
  if (!bench.isOn) return;
  bench.freeze = Math.max(bench.freeze, now - bench.lastFrame - 16.7);
  bench.lastFrame = now;
  requestAnimationFrame(frame);
}

// What stands before a text in the same element: a stamp may come in two parts.
function before(node) {
  let text = "";
  while (text.length < LONGEST_PART && (node = node.previousSibling)?.nodeType === Node.TEXT_NODE) {
    text = node.data.slice(-LONGEST_PART) + text;
  }
  return text.slice(-LONGEST_PART);
}

// What is new in a text node; of one that grew, what came.
function fresh(node) {
  const known = bench.read.get(node) ?? 0;
  bench.read.set(node, node.data.length);
  const from = Math.max(0, known - LONGEST_PART);
  return known && node.data.length > known ? node.data.slice(from) : before(node) + node.data;
}

function texts(node, found) {
  if (node.nodeType === Node.TEXT_NODE) found.add(node);
  else if (node.nodeType === Node.ELEMENT_NODE && !/^(SCRIPT|STYLE)$/.test(node.tagName)) {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.add(walker.currentNode);
  }
}

function changed(changes) {
  const found = new Set();
  for (const change of changes) {
    if (change.type === "characterData") found.add(change.target);
    else for (const node of change.addedNodes) texts(node, found);
  }
  return found;
}

// A stamp has a known length: it counts as soon as its last digit is there, whatever follows.
function stamps(nodes) {
  const found = [];
  for (const node of nodes) {
    for (const stamp of fresh(node).match(STAMP) ?? []) {
      const isNew = stamp * 1000 >= bench.enter && !bench.seen.has(stamp); // earlier replies move
      if (!isNew) continue;
      found.push(stamp);
      bench.seen.add(stamp);
    }
  }
  return found;
}

function painted(found) {
  const now = Date.now();
  bench.firstPaint ||= now;
  for (const stamp of found) bench.latencies.push(now - stamp * 1000);
}

// How often each token of the reply is on the page by now: once is right.
bench.shown = () => {
  const counts = new Map();
  for (const stamp of document.body.innerText.match(STAMP) ?? []) counts.set(stamp, (counts.get(stamp) ?? 0) + 1);
  return [...bench.seen].map((stamp) => counts.get(stamp) ?? 0);
};

// Is Berth's message bar there below the reply to this question, and nothing live any more?
bench.isAnswered = (question) => {
  if (document.querySelector('[data-phase="live"]')) return false;
  const main = document.querySelector('[data-testid="stMain"]');
  const bars = [...document.querySelectorAll('.berth-bar [title="Answer again"]')].filter((bar) => bar.checkVisibility());
  if (!main || !bars.length) return false;
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (!walker.currentNode.data.includes(question)) continue;
    return Boolean(walker.currentNode.compareDocumentPosition(bars.at(-1)) & Node.DOCUMENT_POSITION_FOLLOWING);
  }
  return false;
};

addEventListener("keydown", (event) => bench.isOn && event.key === "Enter" && begin(), true);
new MutationObserver((changes) => {
  const found = bench.isOn && bench.read ? stamps(changed(changes)) : [];
  if (found.length) requestAnimationFrame(() => painted(found));
}).observe(document, {subtree: true, childList: true, characterData: true});
