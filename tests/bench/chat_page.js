// Notes when each stamped token is painted, and the longest gap between two frames.
window.bench = {latencies: [], firstPaint: 0, lastFrame: 0, freeze: 0, enter: 0, seen: 0, rest: ""};
const frame = (now) => {
  if (bench.isOn && bench.lastFrame) bench.freeze = Math.max(bench.freeze, now - bench.lastFrame - 16.7);
  bench.lastFrame = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
addEventListener("keydown", (e) => {
  if (e.key === "Enter") {
    Object.assign(bench, {enter: Date.now(), latencies: [], firstPaint: 0, freeze: 0, rest: "", isOn: true});
  }
}, true);
new MutationObserver((changes) => {
  let text = "";
  for (const change of changes) {
    if (!change.target.closest || !change.target.closest(".berth-live")) continue;
    for (const node of change.addedNodes) if (node.nodeType === 3) text += node.data;
  }
  if (!text || !bench.isOn) return;
  requestAnimationFrame(() => {
    const now = Date.now();
    const parts = (bench.rest + text).split(/\s+/);
    bench.rest = parts.pop();
    for (const part of parts) if (/^\d{10}\.\d{6}$/.test(part)) bench.latencies.push(now - part * 1000);
    if (!bench.firstPaint && bench.latencies.length) bench.firstPaint = now;
  });
}).observe(document, {subtree: true, childList: true});
