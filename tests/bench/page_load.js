// Notes when a page is first usable (in ms since the navigation began), and how far things jumped.
window.load = {usable: 0, still: 0, shift: 0};
const USABLE = {
  "": () => all('[data-testid="stMetric"]') >= 4 && all('.st-key-home_actions [data-testid="stPageLink"]') > 2,
  Deploy: () => all('[data-testid="stMain"] input'),
  Models: () => all('[data-testid="stMain"] [class*="st-key-row-"] button'),
  Chat: () => all('[data-testid="stApp"] textarea:enabled'),
  System: () => all('[data-testid="stMain"] .berth-facts dt') > 2,
};
const SKELETONS = '[data-testid="stAppSkeleton"], [data-testid="stSkeleton"]';

function all(selector) {
  return document.querySelectorAll(selector).length;
}

function frame(now) {
  const isThere = USABLE[location.pathname.slice(1)];
  if (!load.usable && isThere?.() && !all(SKELETONS)) load.usable = now;
  const app = document.querySelector('[data-testid="stApp"]');
  if (load.usable && !load.still && app?.dataset.testScriptState === "notRunning") load.still = now;
  if (!load.still) requestAnimationFrame(frame);
}

requestAnimationFrame(frame);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) load.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
