// What our elements share: making parts of a page, and living on it.

export function make(parent, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

// The container of Streamlit's that `inside` lies in and whose key begins so, with the gap around it:
// to be hidden, or marked. A rule with `:has` would do that too, and be looked at with every change.
export function around(inside, key) {
  return inside.closest(`[class*="st-key-${key}"]`)?.parentElement ?? inside;
}

// Does this key belong to an input method that composes a word? Safari tells it by the code alone.
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

// Such a key means nothing to us, nor to Streamlit's fields: Enter chooses a word, Escape drops it.
addEventListener("keydown", (event) => isComposing(event) && event.stopImmediatePropagation(), true);

// An id that nobody can guess; randomUUID needs a secure address.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// How the page stands: does a run of its script go on, or is one due that an element of ours has asked
// for; and is the server there?
export function isRunning() {
  return appState().testScriptState !== "notRunning" || performance.now() - due < DUE_MILLISECONDS;
}

export function isConnected() {
  return appState().testConnectionState === "CONNECTED";
}

const DUE_MILLISECONDS = 5000; // a message that got lost by then asks for nothing any more
let due = -Infinity;

function appState() {
  return document.querySelector('[data-testid="stApp"]')?.dataset ?? {};
}

const begun = new MutationObserver(() => appState().testScriptState !== "notRunning" && (due = -Infinity));

function askForRun() {
  due = performance.now();
  const app = document.querySelector('[data-testid="stApp"]');
  if (app) begun.observe(app, { attributeFilter: ["data-test-script-state"] });
}

// Tells a screen reader what changed, in the page's one status region; "" tells nothing.
export function tell(words) {
  const region = document.getElementById("berth-says");
  if (region && words && region.textContent !== words) region.textContent = words;
}

const QUIET_MILLISECONDS = 200;
const KEYS = ["Enter", "Escape"];
let touched = -QUIET_MILLISECONDS;
for (const kind of ["click", "change", "keydown"]) {
  const touch = ({ key }) => (!key || KEYS.includes(key)) && (touched = performance.now());
  addEventListener(kind, touch, { capture: true, passive: true });
}

// Calls `action` a moment after what the person did last: Streamlit drops a message that it has just
// taken where another follows within milliseconds, and a click would do nothing.
export function whenQuiet(action) {
  const left = touched + QUIET_MILLISECONDS - performance.now();
  if (left <= 0) action();
  else setTimeout(() => whenQuiet(action), left);
}

// The function that Streamlit wants of a script: `create(parent)` makes what takes data from then
// on, with `take(data)`, until `close()`. Its `send(name, value)` makes the page run again.
//
// Streamlit calls anew with every change, without waiting for the call before, and "cleans up"
// after one that was overtaken: what lives in this place is closed when the place itself is gone.
export function mounted(create) {
  const living = new WeakMap();
  return ({ parentElement, data, setTriggerValue }) => {
    const one = living.get(parentElement) ?? create(parentElement);
    living.set(parentElement, one);
    one.send = (name, value) => {
      askForRun();
      setTriggerValue(name, value);
    };
    one.take(data);
    return () => {
      if (parentElement.isConnected || !living.delete(parentElement)) return;
      one.close();
    };
  };
}
