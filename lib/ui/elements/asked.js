// Takes what is sent in the message box before Streamlit does: draws the question at once, asks over
// the socket by which the reply will come, and tells Streamlit once the first word stands there.
//
// A question is kept in the session's storage until the page itself shows it, so that neither a
// reload nor a lost connection can lose it; its id lets the server ask it once, however often it is
// sent. Where the page is not ready (a run under way, several models, a reply being written),
// Streamlit takes the message as it always did.

import { around, make, mounted, whenQuiet } from "./dom.js";
import { line } from "./line.js";

const KEPT = "berth:asked";
const INPUT = '[data-testid="stChatInputTextArea"]';
const BUTTON = '[data-testid="stChatInputSubmitButton"]';
const READY_CHIPS = '.berth-chip:not([data-state="pending"]):not([data-state="failed"])';
const LATEST_MILLISECONDS = 150; // then Streamlit hears of it, first word or not
const REMIND_MILLISECONDS = 2000;
const MOST_REMINDERS = 15; // deleted meanwhile in another tab: the page will never show it
const PATIENCE_MILLISECONDS = 1500;
const LOST = "Berth does not answer. The message is sent as soon as it does.";
const SLOW_MILLISECONDS = 1500;

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs a secure address
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// React keeps a value of its own, which it compares with the box's when something is typed.
function fill(box, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
}

function type(box, text) {
  fill(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function isSending(event) {
  if (event.type === "click") return Boolean(event.target.closest?.(BUTTON));
  const isPlain = !(event.shiftKey || event.ctrlKey || event.metaKey || event.altKey);
  return event.key === "Enter" && isPlain && Boolean(event.target.matches?.(INPUT));
}

class Asked {
  constructor(root) {
    this.box = make(root, "div", "berth-asked");
    this.files = make(this.box, "div", "berth-asked-files");
    this.text = make(this.box, "div", "berth-asked-text");
    this.note = make(this.box, "div", "berth-asked-note");
    this.note.setAttribute("role", "status");
    this.said = make(this.note, "span");
    this.button = make(this.note, "button", "berth-asked-retry", "Retry");
    this.button.type = "button";
    this.button.onclick = () => this.retry();
    this.place = around(root, "asked-message");
    this.place.style.display = "none";
    this.pending = null;
    this.onSend = (event) => this.caught(event);
    addEventListener("keydown", this.onSend, true);
    addEventListener("click", this.onSend, true);
    this.watch = new MutationObserver(() => this.drop());
    this.watch.observe(document.body, { childList: true, subtree: true });
    line.asked = this;
  }

  close() {
    removeEventListener("keydown", this.onSend, true);
    removeEventListener("click", this.onSend, true);
    this.watch.disconnect();
    this.forget(false);
    if (line.asked === this) line.asked = null;
    this.box.remove();
  }

  // `token` is empty where the page cannot take a question by itself.
  take({ conversation, token, isEmpty }) {
    const isSame = this.token === token && this.conversation === conversation;
    Object.assign(this, { conversation, token, isEmpty });
    const left = this.pending || kept();
    if (!left) return;
    const isElsewhere = left.conversation !== conversation;
    if (isElsewhere && this.pending) this.forget(false); // another conversation is open now
    if (isElsewhere && !(left.isFirst && isEmpty)) return;
    left.conversation = conversation;
    if (!this.pending) this.draw({ ...left, isAgain: true, reply: "" });
    this.keep();
    this.drop(); // the page may show it already
    if (!isSame) this.sendAgain();
  }

  // Enter in the message box, or a click on its button, with something to send.
  caught(event) {
    if (event.key === "Escape" && this.pending?.reply) this.stop();
    if (!isSending(event) || event.defaultPrevented || this.isHandingOver) return;
    const box = document.querySelector(INPUT);
    const text = box?.value.trim();
    const isEmptied = !text && this.tellReact; // React still has what was sent
    this.tellReact?.();
    if (!isEmptied && (!text || box.disabled || !this.isReady())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (text) this.ask(text, box);
  }

  isReady() {
    const app = document.querySelector('[data-testid="stApp"]');
    const isRunning = app?.dataset.testScriptState !== "notRunning";
    const isHeld = document.querySelector('.berth-chip[data-state="pending"], [role="dialog"]');
    return this.token && !isRunning && !isHeld && !this.pending && line.live?.isOpen() && line.live.isOver;
  }

  ask(text, box) {
    const chips = [...document.querySelectorAll(`${READY_CHIPS} .berth-chip-name`)];
    const { conversation, isEmpty } = this;
    const files = chips.map((chip) => chip.textContent);
    this.pending = { id: newId(), text, conversation, files, isFirst: isEmpty, isAgain: false, reply: "" };
    this.post();
    this.keep();
    this.draw(this.pending);
    line.live.pin.isSet = true; // what grows is followed
    this.clear(box, text);
    document.dispatchEvent(new CustomEvent("berth-asked"));
  }

  // Empties the box. React hears of it once there is time, and draws the box anew: it takes as long as
  // the first word does.
  clear(box, text) {
    fill(box, "");
    this.tellReact = () => {
      this.tellReact = null;
      if (box.value.trim() === text) fill(box, ""); // drawn anew meanwhile, as it was
      box.dispatchEvent(new Event("input", { bubbles: true }));
    };
    setTimeout(() => this.tellReact?.(), LATEST_MILLISECONDS);
  }

  draw(pending) {
    this.pending = pending;
    this.files.replaceChildren();
    for (const name of pending.files) make(this.files, "div", "berth-asked-file", name).dir = "auto";
    this.text.textContent = pending.text;
    this.say("");
    this.place.style.display = "";
  }

  keep() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.pending));
    } catch {
      // no room, or not allowed: it is on the page all the same
    }
  }

  say(words, mayRetry = false) {
    this.said.textContent = words;
    this.button.hidden = !mayRetry;
    this.note.hidden = !words;
  }

  post() {
    const { id, text, isAgain } = this.pending;
    line.live.tell({ ask: id, token: this.token, text, again: isAgain });
    this.pending.isAgain = true;
    this.pending.failed = false;
    clearTimeout(this.turn);
    clearTimeout(this.slow);
    this.slow = setTimeout(() => this.pending && !this.pending.reply && this.say(LOST), SLOW_MILLISECONDS);
  }

  // The socket is there again, or the page is ready again.
  sendAgain() {
    if (!this.pending || this.pending.reply || this.pending.failed || !this.token) return;
    if (line.live?.isOpen() && line.live.conversation === this.pending.conversation) this.post();
  }

  retry() {
    this.say("");
    this.pending.failed = false;
    this.sendAgain();
  }

  // The reply has begun.
  begun(reply) {
    this.pending.reply = reply;
    this.say("");
    const address = new URL(location);
    address.searchParams.set("c", this.pending.conversation);
    history.replaceState(history.state, "", address); // a reload finds it from now on
    this.latest = setTimeout(() => this.tell(), LATEST_MILLISECONDS);
    clearInterval(this.reminder);
    this.reminded = 0;
    this.reminder = setInterval(() => (this.reminded++ < MOST_REMINDERS ? this.tell() : this.forget()), REMIND_MILLISECONDS);
  }

  // Its first word will be on the screen in a moment.
  seen() {
    if (!this.pending?.reply || this.isSeen) return;
    this.isSeen = true;
    clearTimeout(this.latest);
    requestAnimationFrame(() => requestAnimationFrame(() => this.tell()));
  }

  // Streamlit may know now. Where the reply is over, its end tells the same, and one word is enough.
  tell() {
    this.tellReact?.();
    const reply = this.pending?.reply;
    if (!reply) return;
    whenQuiet(() => this.pending?.reply === reply && this.send("asked", reply));
  }

  // It was asked before: the reply is on its way, or among the messages.
  known() {
    this.begun("known");
  }

  refused(code, message, fix) {
    clearTimeout(this.slow);
    // The page says in a moment how it stands now; where it does not, it is Streamlit's turn.
    if (code === "page_changed") this.turn = setTimeout(() => this.handOver(), PATIENCE_MILLISECONDS);
    else {
      this.pending.failed = true;
      this.say(`${message} ${fix}`, true);
      document.dispatchEvent(new CustomEvent("berth-refused")); // its files are still there
    }
  }

  // The page has moved on: Streamlit takes the message, as one that was typed just now.
  handOver() {
    const box = document.querySelector(INPUT);
    const { text } = this.pending;
    if (!box || box.disabled || box.value.trim()) {
      this.pending.failed = true;
      this.say("The page has changed meanwhile.", true);
      return;
    }
    this.forget();
    type(box, text);
    this.isHandingOver = true;
    const enter = { key: "Enter", code: "Enter", keyCode: 13, bubbles: true, cancelable: true };
    setTimeout(() => {
      box.dispatchEvent(new KeyboardEvent("keydown", enter));
      this.isHandingOver = false;
    });
  }

  stop() {
    const headers = { "Content-Type": "application/json" };
    fetch(`${location.origin}/api/replies/${this.pending.reply}/stop`, { method: "POST", headers, body: "{}" }).catch(() => {});
  }

  // Does the page show it itself by now?
  drop() {
    if (this.pending && document.querySelector(`.st-key-question-${this.pending.id}`)) this.forget();
  }

  forget(isDone = true) {
    clearTimeout(this.turn);
    clearTimeout(this.slow);
    clearTimeout(this.latest);
    clearInterval(this.reminder);
    this.pending = null;
    this.isSeen = false;
    this.place.style.display = "none";
    if (isDone) sessionStorage.removeItem(KEPT);
  }
}

export default mounted((parent) => new Asked(parent));
