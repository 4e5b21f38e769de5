// Notes when each stamped token is painted, and the longest gap between two frames.
window.bench = {isOn: false};
const STAMP = /\d{10}\.\d{6}/g;

function begin() {
  Object.assign(bench, {isOn: true, enter: Date.now(), latencies: [], firstPaint: 0, freeze: 0, rest: ""});
}

function frame(now) {
  if (bench.isOn && bench.lastFrame) bench.freeze = Math.max(bench.freeze, now - bench.lastFrame - 16.7);
  bench.lastFrame = now;
  requestAnimationFrame(frame);
}

// A stamp has a known length: it counts as soon as its last digit is there, whatever follows.
function stamps(text) {
  bench.rest += text;
  const found = bench.rest.match(STAMP) || [];
  if (found.length) bench.rest = bench.rest.slice(bench.rest.lastIndexOf(found.at(-1)) + found[0].length);
  return found;
}

function painted(found) {
  const now = Date.now();
  bench.firstPaint ||= now;
  for (const stamp of found) bench.latencies.push(now - stamp * 1000);
}

function added(changes) {
  let text = "";
  for (const change of changes) {
    if (!change.target.closest?.(".berth-live")) continue;
    for (const node of change.addedNodes) if (node.nodeType === Node.TEXT_NODE) text += node.data;
  }
  return text;
}

addEventListener("keydown", (event) => event.key === "Enter" && begin(), true);
requestAnimationFrame(frame);
new MutationObserver((changes) => {
  const found = bench.isOn ? stamps(added(changes)) : [];
  if (found.length) requestAnimationFrame(() => painted(found));
}).observe(document, {subtree: true, childList: true});
