// Takes what is sent in the message box before Streamlit does: draws the question at once, asks over
// the socket by which the reply will come, and tells Streamlit once the first word stands there.
//
// A question is kept in the session's storage until the page itself shows it, so that neither a
// reload nor a lost connection can lose it; its id lets the server ask it once, however often it is
// sent. Where the page is not ready (a run is under way, its conversation has not come yet, or a reply
// is being written, which is stopped then) the question waits here; what is sent meanwhile waits
// behind it. Several models at once are Streamlit's.

import { around, isRunning, make, mounted, newId, tell, whenQuiet } from "./dom.js";
import { line } from "./line.js";

const KEPT = "berth:asked";
const INPUT = '[data-testid="stChatInputTextArea"]';
const BUTTON = '[data-testid="stChatInputSubmitButton"]';
const READY_CHIPS = '.berth-chip:not([data-state="pending"]):not([data-state="failed"])';
const CLEARED_MILLISECONDS = 150; // then React hears that the box is empty
const LATEST_MILLISECONDS = 2000; // then Streamlit hears of it, first word or not
const STOP_MILLISECONDS = 300; // until its own button stands there, one stands here
const REMIND_MILLISECONDS = 2000;
const MOST_REMINDERS = 15; // deleted meanwhile in another tab: the page will never show it
const PATIENCE_MILLISECONDS = 1500;
const LOOK_MILLISECONDS = 40; // between two looks whether the page is ready
const RESCUE_MILLISECONDS = 2000;
const ELSEWHERE_MILLISECONDS = 400; // by then the run that an action elsewhere asks for has begun
const LOST = "Berth does not answer. The message is sent as soon as it does.";
const SLOW_MILLISECONDS = 1500;

// React keeps a value of its own, which it compares with the box's when something is typed.
function fill(box, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
}

function kept() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
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
    this.more = make(this.box, "div", "berth-asked-more");
    this.note = make(this.box, "div", "berth-asked-note");
    this.said = make(this.note, "span");
    this.button = make(this.note, "button", "berth-plain berth-asked-retry", "Retry");
    this.button.type = "button";
    this.button.onclick = () => this.retry();
    this.place = around(root, "asked-message");
    this.place.style.display = "none";
    this.waiting = []; // the first is drawn, and asked as soon as the page is ready
    this.onSend = (event) => this.caught(event);
    this.elsewhere = -ELSEWHERE_MILLISECONDS;
    this.onTouch = (event) => this.touched(event);
    for (const kind of ["keydown", "click", "change"]) addEventListener(kind, this.onTouch, true);
    addEventListener("keydown", this.onSend, true);
    addEventListener("click", this.onSend, true);
    this.watch = new MutationObserver(() => this.drop());
    this.watch.observe(document.body, { childList: true, subtree: true });
    line.asked = this;
  }

  get pending() {
    return this.waiting[0] ?? null;
  }

  close() {
    for (const kind of ["keydown", "click", "change"]) removeEventListener(kind, this.onTouch, true);
    removeEventListener("keydown", this.onSend, true);
    removeEventListener("click", this.onSend, true);
    this.watch.disconnect();
    clearTimeout(this.rescuing);
    this.rest();
    if (line.asked === this) line.asked = null;
    this.box.remove();
  }

  // `token` is empty where Streamlit has to take the message; `isReady` where one can be asked now.
  take({ conversation, token, isReady, isEmpty }) {
    Object.assign(this, { conversation, token, isReady, isEmpty, isStale: false });
    const before = this.pending?.id;
    this.waiting = this.mine();
    if (this.pending?.id !== before) {
      this.rest();
      this.draw();
    }
    this.drop(); // the page may show it already
    this.look();
    clearTimeout(this.rescuing);
    this.rescuing = setTimeout(() => this.rescue(), RESCUE_MILLISECONDS);
  }

  // A conversation of which nothing was stored, because its page was left just after its first
  // question, is opened once more: the server knows what was said.
  rescue() {
    const isLost = (one) => one.isBegun && !one.isRescued && localStorage.getItem(`berth:m:${one.conversation}`) === null;
    const all = kept();
    const lost = all.find((one) => one.conversation !== this.conversation && isLost(one));
    if (!lost || !this.isEmpty || this.pending || document.querySelector(INPUT)?.value) return;
    lost.isRescued = true;
    sessionStorage.setItem(KEPT, JSON.stringify(all));
    this.open(lost.conversation);
  }

  open(conversation) {
    const address = new URL(location);
    address.searchParams.set("c", conversation);
    location.replace(address);
  }

  // What waits in this conversation, also from before a reload, and what was sent while the page was
  // about to show it; and in one that never came to be.
  mine() {
    const here = new Set(this.waiting.map(({ id }) => id));
    const left = kept().filter(({ id }) => !here.has(id));
    const found = [...this.waiting, ...left.map((one) => ({ ...one, reply: "" }))].filter(
      (one) => one.conversation === this.conversation || one.isFloating || (one.isFirst && !one.isBegun && this.isEmpty),
    );
    return found.map((one) => Object.assign(one, { conversation: this.conversation, isFloating: false }));
  }

  // Enter in the message box, or a click on its button, with something to send.
  caught(event) {
    if (event.key === "Escape" && this.pending?.reply) this.stop(this.pending.reply);
    if (!isSending(event) || event.defaultPrevented) return;
    const box = document.querySelector(INPUT);
    const hasSent = Boolean(this.tellReact); // React still has that, and may have put it back
    this.tellReact?.();
    const text = box?.value.trim();
    const isEmptied = !text && hasSent;
    if (!isEmptied && (!text || box.disabled || !this.takes())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (text) this.ask(text, box);
  }

  // What was done elsewhere just now, like an edit, may change what the question follows.
  touched(event) {
    const isKey = event.type === "keydown";
    if ((isKey && event.key !== "Enter") || event.target.closest?.('[data-testid="stChatInput"]')) return;
    this.elsewhere = performance.now();
  }

  takes() {
    const isHeld = document.querySelector('.berth-chip[data-state="pending"], [role="dialog"]');
    return Boolean(this.token && !isHeld && line.live);
  }

  ask(text, box) {
    const chips = [...document.querySelectorAll(`${READY_CHIPS} .berth-chip-name`)];
    const files = chips.map((chip) => chip.textContent);
    const { conversation, isEmpty } = this;
    const one = { id: newId(), text, conversation, files, isFirst: isEmpty, isAgain: false, reply: "" };
    this.waiting.push({ ...one, isFloating: !this.isQuiet() });
    if (this.waiting.length === 1) this.look();
    else this.takesLong(); // this one is next, once the page shows the one before
    this.keep();
    this.draw();
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
    setTimeout(() => this.tellReact?.(), CLEARED_MILLISECONDS);
  }

  draw() {
    const one = this.pending;
    this.box.toggleAttribute("data-waits", Boolean(one));
    const welcome = document.querySelector(".st-key-chat_welcome");
    if (welcome) welcome.style.display = one ? "none" : "";
    if (!one) {
      this.place.style.display = "none";
      return;
    }
    this.files.replaceChildren();
    for (const name of one.files) make(this.files, "div", "berth-asked-file", name).dir = "auto";
    this.text.textContent = one.text;
    this.more.replaceChildren();
    for (const { text } of this.waiting.slice(1)) make(this.more, "div", "berth-asked-text", text);
    this.say(one.problem ?? "", Boolean(one.problem));
    this.place.style.order = line.live?.isOver === false && line.live.id !== one.reply ? 1 : ""; // below what is written
    this.place.style.display = "";
  }

  keep() {
    try {
      const others = kept().filter((one) => one.conversation !== this.conversation);
      sessionStorage.setItem(KEPT, JSON.stringify([...others, ...this.waiting]));
    } catch {
      // no room, or not allowed: it is on the page all the same
    }
  }

  say(words, mayRetry = false) {
    this.said.textContent = words;
    this.button.hidden = !mayRetry;
    this.note.hidden = !words;
    tell(words);
  }

  // Ask the first that waits as soon as it can be asked.
  look() {
    clearTimeout(this.looking);
    const one = this.pending;
    if (!one || one.reply || one.problem || this.isSent === one.id) return;
    if (this.canAsk()) {
      this.post();
      return;
    }
    this.makeWay();
    this.slow ??= setTimeout(() => this.isAway() && this.say(LOST), SLOW_MILLISECONDS);
    this.looking = setTimeout(() => this.look(), LOOK_MILLISECONDS);
  }

  canAsk() {
    const { live } = line;
    const isHere = live?.isOpen() && live.conversation === this.pending.conversation && live.isOver;
    return this.token && this.isReady && !this.isStale && isHere && this.isQuiet();
  }

  // No run is under way, nor about to be.
  isQuiet() {
    return !isRunning() && performance.now() - this.elsewhere > ELSEWHERE_MILLISECONDS;
  }

  isAway() {
    return this.pending && !this.pending.reply && !line.live?.isOpen();
  }

  // A reply that is being written is stopped for it; what came is kept.
  makeWay() {
    const { live } = line;
    if (live?.isOver !== false || this.stopped === live.id) return;
    this.stopped = live.id;
    this.stop(live.id);
  }

  post() {
    const { id, text, isAgain } = this.pending;
    this.isSent = id;
    line.live.tell({ ask: id, token: this.token, text, again: isAgain });
    this.pending.isAgain = true;
    this.slow ??= setTimeout(() => this.pending && !this.pending.reply && this.say(LOST), SLOW_MILLISECONDS);
  }

  // The socket is there again: nobody knows whether what was sent has arrived.
  sendAgain() {
    this.isSent = "";
    this.look();
  }

  retry() {
    this.pending.problem = "";
    this.isSent = "";
    this.say("");
    this.keep();
    this.look();
  }

  // The reply has begun.
  begun(reply) {
    Object.assign(this.pending, { reply, isBegun: true });
    this.keep();
    this.say("");
    clearTimeout(this.slow);
    const address = new URL(location);
    address.searchParams.set("c", this.pending.conversation);
    history.replaceState(history.state, "", address); // a reload finds it from now on
    clearTimeout(this.latest);
    clearTimeout(this.stopping);
    this.latest = setTimeout(() => this.tell(), this.waiting.length > 1 ? 0 : LATEST_MILLISECONDS);
    this.stopping = setTimeout(() => line.live?.offerStop(() => this.stop(line.live.id)), STOP_MILLISECONDS);
    clearInterval(this.reminder);
    this.reminded = 0;
    this.reminder = setInterval(() => (this.reminded++ < MOST_REMINDERS ? this.tell() : this.done()), REMIND_MILLISECONDS);
  }

  // It takes longer, as where the model is loaded first: Streamlit need not wait for the first word.
  takesLong() {
    if (this.pending?.reply && !this.isSeen) this.tell();
  }

  // Its first word will be on the screen in a moment.
  seen() {
    if (!this.pending?.reply || this.isSeen) return;
    this.isSeen = true;
    clearTimeout(this.latest);
    requestAnimationFrame(() => requestAnimationFrame(() => this.tell()));
  }

  // Streamlit may know now.
  tell() {
    this.tellReact?.();
    const reply = this.pending?.reply;
    if (!reply) return;
    // One that is over is told of by its end: of two messages at once Streamlit forgets one.
    const isOver = () => !this.reminded && line.live?.isOver && line.live.id === reply;
    whenQuiet(() => this.pending?.reply === reply && !isOver() && this.send("asked", reply));
  }

  // It was asked before: in this conversation, or in one that this page does not show.
  known(conversation) {
    if (conversation === this.conversation) {
      this.begun("known");
      return;
    }
    this.done();
    this.open(conversation);
  }

  refused(code, message, fix) {
    clearTimeout(this.slow);
    this.isSent = "";
    if (code === "page_changed") {
      this.isStale = true; // until the page says how it stands now
      this.turn = setTimeout(() => this.renew(), PATIENCE_MILLISECONDS);
      this.look();
      return;
    }
    this.pending.problem = `${message} ${fix}`;
    this.say(this.pending.problem, true);
    this.keep();
    document.dispatchEvent(new CustomEvent("berth-refused")); // its files are still there
  }

  // The page has said nothing new, as after a sleep of the machine: it is to run once more.
  renew() {
    if (!this.isStale || !this.pending) return;
    whenQuiet(() => this.send("asked", this.pending?.id ?? ""));
    this.turn = setTimeout(() => {
      this.isStale = false;
      this.look();
    }, PATIENCE_MILLISECONDS);
  }

  stop(reply) {
    const headers = { "Content-Type": "application/json" };
    fetch(`${location.origin}/api/replies/${reply}/stop`, { method: "POST", headers, body: "{}" }).catch(() => {});
  }

  // Does the page show it itself by now?
  drop() {
    if (this.pending && document.querySelector(`.st-key-question-${this.pending.id}`)) this.done();
  }

  // The first needs nothing more; it is the next one's turn.
  done() {
    this.rest();
    this.waiting.shift();
    this.keep();
    this.draw();
    this.look();
  }

  rest() {
    for (const timer of [this.looking, this.turn, this.slow, this.latest, this.stopping]) clearTimeout(timer);
    clearInterval(this.reminder);
    line.live?.offerStop(null);
    Object.assign(this, { slow: undefined, isSeen: false, isSent: "", stopped: "" });
  }
}

export default mounted((parent) => new Asked(parent));
