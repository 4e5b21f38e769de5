// Draws a reply while it streams, from a socket of its own, without a message through Streamlit.
//
// One element stays on the page for the whole conversation and waits. A frame is some lines, one
// JSON array each: ["n",id,question] begins a reply, ["b",n] opens its block n, ["t",text] adds to it,
// ["r",text] is reasoning, ["s",state] tells what goes on, ["e",state] is the end. When it is over,
// its message takes over what is drawn here, block by block. Some blocks Streamlit draws itself, and
// all of them where it does not know that they were drawn: their containers carry a class by which
// they are seen here, and this copy is dropped in the same frame.

import { around, make, mounted, tell, whenQuiet } from "./dom.js";
import { drop, handOver, isWhole, keep, wanted } from "./kept_replies.js";
import { line } from "./line.js";
import { LiveBlock } from "./live_markdown.js";

const WORDS = {
  waiting: (model) => `Waits for ${model}: memory has room for one model at a time`,
  next: (seconds) => `Next question in ${seconds} s`,
  loading: () => "Loading the model",
  thinking: () => "Reading the question",
};
const NEAR_PIXELS = 80;
const PATIENCE_MILLISECONDS = 500;
const FOREIGN_MILLISECONDS = 3000; // by then the page knows its own
const REMIND_MILLISECONDS = 1500;
const DOUBT_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = [200, 500, 1000, 2000, 5000];

// As the page itself will say it: `0.21 s`, `3.2 s`, `44 s`, `1 min 42 s`.
function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// Keeps the end of the page in sight while it grows, until the reader scrolls away from it.
// Streamlit does so for what it draws itself, not for what grows inside an element.
class Pin {
  constructor(inside) {
    this.scroller = inside;
    while (this.scroller.parentElement && !/auto|scroll/.test(getComputedStyle(this.scroller).overflowY)) {
      this.scroller = this.scroller.parentElement;
    }
    this.isSet = false;
    this.top = this.height = 0;
    this.look = () => {
      const { scrollHeight, scrollTop, clientHeight } = this.scroller;
      // What grows leaves the end behind, what shrinks moves the page: neither is the reader.
      const isReader = scrollTop < this.top && scrollHeight >= this.height;
      if (scrollHeight - scrollTop - clientHeight < NEAR_PIXELS) this.isSet = true;
      else if (isReader) this.isSet = false;
      [this.top, this.height] = [scrollTop, scrollHeight];
    };
    this.scroller.addEventListener("scroll", this.look, { passive: true });
    this.growth = new ResizeObserver(() => this.isSet && this.follow());
    for (const child of this.scroller.children) this.growth.observe(child);
  }

  follow() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  close() {
    this.scroller.removeEventListener("scroll", this.look);
    this.growth.disconnect();
  }
}

class Live {
  constructor(root) {
    this.failures = 0;
    this.place = around(root, "live-message");
    this.box = make(root, "div", "berth-live");
    this.status = make(this.box, "div", "berth-status");
    this.stopper = make(this.box, "button", "berth-plain berth-stop", "Stop");
    this.stopper.type = "button";
    this.stopper.hidden = true;
    this.body = make(this.box, "div", "berth-blocks");
    this.watch = new MutationObserver(() => this.drop());
    this.watch.observe(document.body, { childList: true, subtree: true });
    this.pin = new Pin(root);
    this.forget();
  }

  // `lane` is 0, or the column of a reply that others are compared with; `reply` is the one that the
  // page knows of, `running` the one it waits for: that may be over when the socket opens.
  take({ conversation, lane, reply, running }) {
    Object.assign(this, { reply, running });
    if (lane === 0) line.live = this;
    if (this.conversation !== conversation || this.lane !== lane) {
      Object.assign(this, { conversation, lane });
      this.forget();
      this.leave();
      this.connect();
    } else if (this.isOver && this.id && this.id !== reply) {
      this.forget(); // asked for in another tab: this page does not draw it
    }
    // What began and ended before there was a socket was not heard, and has to be asked for.
    clearTimeout(this.patience);
    if (running) this.patience = setTimeout(() => this.id !== running && this.socket.close(), PATIENCE_MILLISECONDS);
  }

  close() {
    if (line.live === this) line.live = null;
    this.leave();
    this.forget();
    this.watch.disconnect();
    this.pin.close();
    this.box.remove();
  }

  leave() {
    clearTimeout(this.patience);
    const left = this.socket;
    this.socket = null;
    left?.close();
  }

  // Ready for the next reply.
  forget() {
    clearInterval(this.clock);
    clearInterval(this.reminder);
    if (this.id) this.letGo();
    this.id = "";
    this.blocks = new Map();
    this.current = -1;
    this.isOver = true;
    if (this.box.contains(this.thought?.box)) this.thought.box.remove();
    this.thought = null;
    this.reasoning = "";
    this.body.replaceChildren();
    this.say("");
    this.enter("idle");
  }

  // Its message is seen while there is something in it, and has no face of its own at the hand-over.
  enter(phase) {
    this.box.dataset.phase = phase;
    this.place.dataset.berthPhase = phase;
    this.place.style.display = phase === "idle" ? "none" : "";
  }

  begin(id) {
    if (id !== this.id || this.isOver) this.forget();
    else this.restart(Math.max(this.current, 0));
    this.id = id;
    this.isOver = false;
    this.enter("live");
    this.pin.isSet = true; // it follows what grows from now on
    this.since = performance.now();
    clearInterval(this.clock);
    this.clock = setInterval(() => this.tick(), 1000);
  }

  say(words) {
    this.words = words;
    this.tick();
  }

  tick() {
    const seconds = Math.floor((performance.now() - this.since) / 1000);
    tell(this.words);
    this.status.textContent = this.words ? `${this.words}…${seconds > 1 ? ` ${seconds} s` : ""}` : "";
    if (!this.thought || this.thought.isOver) return;
    const thinking = (performance.now() - this.thought.since) / 1000;
    this.thought.summary.textContent = `Thinking… ${Math.floor(thinking)} s`;
  }

  connect() {
    const query = new URLSearchParams({ c: this.conversation, lane: this.lane });
    if (this.running && this.running !== this.id) {
      query.set("reply", this.running);
    } else if (!this.isOver) {
      query.set("reply", this.id);
      query.set("from", Math.max(this.current, 0));
    }
    const origin = location.origin.replace(/^http/, "ws");
    const socket = new WebSocket(`${origin}/api/replies/live?${query}`);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      if (line.live === this) line.asked?.sendAgain();
    };
    socket.onmessage = ({ data }) => {
      for (const said of data.split("\n")) if (said) this.hear(...JSON.parse(said));
    };
    socket.onclose = () => this.socket === socket && this.connectAgain();
  }

  isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // Says something to the server; could it be said?
  tell(what) {
    if (this.isOpen()) this.socket.send(JSON.stringify(what));
    return this.isOpen();
  }

  // A button of our own, as long as the page has none yet.
  offerStop(stop) {
    this.stopper.hidden = !stop || this.isOver;
    this.stopper.onclick = stop;
  }

  connectAgain() {
    if (!this.isOver) this.say("Connecting again");
    const last = RETRY_MILLISECONDS.length - 1;
    const socket = this.socket;
    const pause = RETRY_MILLISECONDS[Math.min(this.failures++, last)];
    setTimeout(() => this.socket === socket && this.connect(), pause);
  }

  // After a cut the reply comes again from the start of the block that was open.
  restart(block) {
    this.blocks.get(block)?.box.replaceChildren();
    this.blocks.delete(block);
    if (block !== 0) return;
    this.thought?.text.replaceChildren();
    this.reasoning = "";
  }

  hear(kind, value, more, ...rest) {
    if (kind === "n") this.isDeaf = !this.isMine(value, more);
    if (kind === "x" || kind === "k") this.answered(kind, value, more, ...rest);
    else if (this.isDeaf) return;
    else if (kind === "n") this.begin(value);
    else if (kind === "b") this.open(value);
    else if (kind === "t") this.blocks.get(this.current).write(value);
    else if (kind === "r") this.think(value);
    else if (kind === "s") this.state(value, more);
    else if (kind === "e") this.end(value);
  }

  state(name, more) {
    this.say(WORDS[name]?.(more) ?? "");
    if (WORDS[name] && name !== "thinking" && line.live === this) line.asked?.takesLong();
  }

  // While a question of this page waits, what another tab has asked is not drawn below it.
  isMine(reply, question) {
    const pending = line.live === this ? line.asked?.pending : null;
    if (!pending || pending.reply === reply) return true;
    if (pending.id === question) line.asked.begun(reply);
    return pending.id === question;
  }

  // Asked for in another tab: this page never draws it itself.
  isForeign() {
    return ![this.reply, this.running, line.asked?.pending?.reply].includes(this.id);
  }

  answered(kind, question, ...told) {
    if (line.asked?.pending?.id !== question) return;
    if (kind === "k") line.asked.known(...told);
    else line.asked.refused(...told);
  }

  open(number) {
    if (line.live === this) line.asked?.seen();
    this.endThought();
    this.flush();
    this.current = number;
    const found = this.body.querySelector(`[data-block="${number}"]`);
    const box = found || make(this.body, "div", "berth-block");
    box.dataset.block = number;
    this.blocks.set(number, new LiveBlock(box));
    this.say("");
  }

  think(text) {
    if (line.live === this) line.asked?.seen();
    if (!this.thought) {
      const box = document.createElement("details");
      box.className = "berth-thought";
      this.box.insertBefore(box, this.body);
      const summary = make(box, "summary", "");
      const text = make(box, "div", "berth-thought-text");
      this.thought = { box, summary, text, since: performance.now(), isOver: false };
      this.tick();
    }
    this.thought.text.append(text);
    this.reasoning += text;
    this.say("");
  }

  endThought() {
    if (!this.thought || this.thought.isOver) return;
    const seconds = (performance.now() - this.thought.since) / 1000;
    this.thought.isOver = true;
    this.thought.box.open = false;
    this.thought.summary.textContent = `Thought for ${duration(seconds)}`;
  }

  flush() {
    this.blocks.get(this.current)?.end();
  }

  end(state) {
    this.isOver = true;
    this.offerStop(null);
    this.endThought();
    this.flush();
    this.say("");
    clearInterval(this.clock);
    this.enter("over");
    const ended = this.id;
    if (!keep(ended, { blocks: this.blocks, thought: this.thought, reasoning: this.reasoning })) {
      this.forget();
      return;
    }
    const drawn = { id: ended, state, blocks: this.blocks.size };
    const report = () => {
      const isKnown = this.reply === ended && this.running !== ended; // the page drew it already
      if (this.isOver && this.id === ended && !isKnown) this.send("over", drawn);
    };
    whenQuiet(report);
    // It may get lost all the same, between two messages of other elements.
    this.reminder = setInterval(() => this.running === ended && whenQuiet(report), REMIND_MILLISECONDS);
    setTimeout(() => this.isOver && this.id === ended && this.isForeign() && this.forget(), FOREIGN_MILLISECONDS);
    this.overSince = performance.now();
    setTimeout(() => this.id === ended && this.drop(), DOUBT_MILLISECONDS + 100);
    this.drop();
  }

  // Which of our blocks does the page itself show by now?
  drop() {
    if (this.box.dataset.phase !== "over") return;
    const drawn = [...document.querySelectorAll(`[class*="st-key-block-${this.id}-"]`)].map(place);
    const isLate = performance.now() - this.overSince > DOUBT_MILLISECONDS;
    const fresh = drawn.filter((one) => !one.isBeside);
    const due = fresh.findIndex((one) => !isLate && !isWhole(this.id, one));
    for (const one of due < 0 ? fresh : fresh.slice(0, due)) drop(this.id, one);
    this.settle(drawn.filter((one) => one.isBeside), isLate);
    if (this.thought && document.querySelector(`.st-key-thought-${this.id}`)) this.thought.box.remove();
    if (!this.box.querySelector(".berth-block, .berth-thought")) this.enter("idle");
  }

  // Nobody waits for what is forgotten here.
  letGo() {
    handOver(this.id);
    for (const message of document.querySelectorAll("[data-berth-waits]")) message.removeAttribute("data-berth-waits");
  }

  // What stays as it is goes over in one frame with what Streamlit draws between: once all is there.
  settle(drawn, isLate) {
    const wants = wanted(this.id);
    const ready = [...wants, ...drawn.filter((one) => isWhole(this.id, one))];
    const there = ready.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    const isDue = isLate || there >= this.blocks.size;
    for (const { root, shown } of [...wants, ...drawn]) {
      messageOf(root ?? shown)?.toggleAttribute("data-berth-waits", !isDue);
    }
    if (!isDue) return;
    handOver(this.id);
    for (const one of drawn) drop(this.id, one);
  }
}

// Which blocks Streamlit has drawn here; `isBeside` others that stay as they were drawn.
function place(shown) {
  const [, first, last, beside] = /st-key-block-[0-9a-f]+-(\d+)-(\d+)(-beside)?/.exec(shown.className);
  return { shown, first: Number(first), last: Number(last), isBeside: Boolean(beside) };
}

function messageOf(part) {
  return part.closest('[data-testid="stChatMessage"]')?.parentElement;
}

export default mounted((parent) => new Live(parent));
