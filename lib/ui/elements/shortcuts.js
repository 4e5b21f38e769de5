// The chat page's keys. They live as long as the list of conversations, which is on that page alone.
//
// Enter, Shift+Enter and Escape are Streamlit's own; they are here only to be listed.

import { make } from "./dom.js";

const IS_MAC = /^(Mac|iP)/.test(navigator.platform);
const MOD = IS_MAC ? "⌘" : "Ctrl";
const SHIFT = IS_MAC ? "⇧" : "Shift";
const INPUT = '[data-testid="stChatInput"] textarea';
const KEYS = [
  [["Enter"], "Send"],
  [[SHIFT, "Enter"], "New line"],
  [["Esc"], "Stop the reply"],
  [["↑"], "Edit the last question, from the empty input"],
  [[MOD, SHIFT, "O"], "New chat"],
  [[MOD, "K"], "Search conversations"],
  [["↑", "↓"], "Through the list; → for what can be done with one"],
];

function hasMod(event) {
  return IS_MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
}

function isPlain(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
}

export function focusInput() {
  document.querySelector(INPUT)?.focus();
}

// The sidebar may be folded away: then it has to come before anything in it can be reached.
function openSidebar(then) {
  const opener = document.querySelector('[data-testid="stExpandSidebarButton"]');
  opener?.click();
  if (opener) setTimeout(then, 50);
  else then();
}

function editLast() {
  const edits = document.querySelectorAll("[data-berth-edit]");
  edits[edits.length - 1]?.click();
  return edits.length > 0;
}

// `begin` opens a new chat, `search` is the field that finds old ones; returns how to take it back.
export function listen({ begin, search }) {
  const onKey = (event) => {
    if (event.defaultPrevented || document.querySelector('[role="dialog"]')) return;
    if (isHandled(event, begin, search)) event.preventDefault();
  };
  addEventListener("keydown", onKey, true);
  return () => removeEventListener("keydown", onKey, true);
}

function isHandled(event, begin, search) {
  const key = event.key.toLowerCase();
  if (hasMod(event) && !event.altKey && !event.shiftKey && key === "k") {
    openSidebar(() => search.focus());
    return true;
  }
  if (hasMod(event) && !event.altKey && event.shiftKey && key === "o") {
    begin();
    focusInput();
    return true;
  }
  const isEmptyInput = event.target.matches?.(INPUT) && !event.target.value;
  return key === "arrowup" && isPlain(event) && isEmptyInput && editLast();
}

// Up and down walk through the list, from its top up into the search; right and left go to what can
// be done with a conversation and back.
export function walk(event, search, list) {
  if (!isPlain(event)) return;
  const to = aside(event) ?? along(event, [search, ...list.querySelectorAll(".berth-title")]);
  if (!to) return;
  to.focus();
  event.preventDefault();
}

function aside({ key, target }) {
  const goesTo = { ArrowRight: [".berth-title", ".berth-more"], ArrowLeft: [".berth-more", ".berth-title"] }[key];
  return goesTo && target.matches(goesTo[0]) ? target.closest(".berth-row").querySelector(goesTo[1]) : null;
}

function along({ key, target }, stops) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  const at = stops.indexOf(target.matches(".berth-more") ? target.closest(".berth-row").querySelector(".berth-title") : target);
  return step && at >= 0 ? stops[at + step] : null;
}

// The whole list is one stop of the Tab key: the conversation that is open, or the one walked to.
export function rove(list) {
  const titles = [...list.querySelectorAll(".berth-title")];
  const stop = titles.find((title) => title.hasAttribute("aria-current")) ?? titles[0];
  for (const one of list.querySelectorAll(".berth-title, .berth-more")) one.tabIndex = one === stop ? 0 : -1;
  for (const title of titles) title.onfocus = () => titles.forEach((one) => (one.tabIndex = one === title ? 0 : -1));
}

export function help(parent) {
  const box = make(parent, "details", "berth-keys");
  make(box, "summary", "", "Keyboard");
  const list = make(box, "dl");
  for (const [keys, does] of KEYS) {
    const name = make(list, "dt");
    for (const key of keys) make(name, "kbd", "", key);
    make(list, "dd", "", does);
  }
}
