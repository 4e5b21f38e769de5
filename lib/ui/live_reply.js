// Draws a reply while it streams, from the reply's own route, without a message through Streamlit.
//
// One JSON array a line: ["b",n] opens block n, ["t",text] adds to it, ["r",text] is reasoning,
// ["s",state] tells what goes on, ["e",state] is the end. When it is over, Streamlit draws the same
// blocks itself, group by group; each group's container carries a class by which it is seen here,
// and this copy is dropped in the same frame.

const LIVES = new WeakMap();
const WORDS = { loading: "Loading the model", thinking: "Reading the question" };
const SAFE_LINK = /^(https?:|mailto:)/i;
const RETRY_MILLISECONDS = [200, 500, 1000, 2000, 5000];

// Model output is untrusted: no image is fetched, no script can hide in a link.
function renderer(root) {
  const base = smd.default_renderer(root);
  const setAttribute = base.set_attr;
  base.set_attr = (data, type, value) => {
    if (type === smd.SRC) return;
    if (type === smd.HREF && !SAFE_LINK.test(value)) return;
    setAttribute(data, type, value);
    if (type === smd.HREF) {
      data.nodes[data.index].target = "_blank";
      data.nodes[data.index].rel = "noopener noreferrer nofollow";
    }
  };
  return base;
}

function element(parent, tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  parent.appendChild(made);
  return made;
}

class Live {
  constructor(root, data) {
    this.id = data.id;
    this.url = data.url;
    this.blocks = new Map();
    this.current = -1;
    this.isOver = false;
    this.failures = 0;
    this.abort = new AbortController();
    this.box = element(root, "div", "berth-live");
    this.thought = null;
    this.status = element(this.box, "div", "berth-status");
    this.status.setAttribute("role", "status");
    this.body = element(this.box, "div", "berth-blocks");
    this.since = performance.now();
    this.clock = setInterval(() => this.tick(), 1000);
    this.watch = new MutationObserver(() => this.drop());
    this.watch.observe(document.body, { childList: true, subtree: true });
    this.read();
  }

  close() {
    this.abort.abort();
    this.watch.disconnect();
    clearInterval(this.clock);
    this.box.remove();
  }

  say(words) {
    this.words = words;
    this.tick();
  }

  tick() {
    const seconds = Math.floor((performance.now() - this.since) / 1000);
    this.status.textContent = this.words ? `${this.words}…${seconds > 1 ? ` ${seconds} s` : ""}` : "";
  }

  async read() {
    while (!this.isOver && !this.abort.signal.aborted) {
      try {
        const next = Math.max(this.current, 0);
        const answer = await fetch(`${this.url}?from=${next}`, { signal: this.abort.signal });
        if (answer.status === 404) return this.end("gone");
        if (!answer.ok) throw new Error(answer.statusText);
        this.failures = 0;
        this.restart(next);
        await this.follow(answer.body.pipeThrough(new TextDecoderStream()).getReader());
      } catch (error) {
        if (this.abort.signal.aborted) return;
      }
      if (this.isOver) return;
      this.say("Connecting again");
      const wait = RETRY_MILLISECONDS[Math.min(this.failures++, RETRY_MILLISECONDS.length - 1)];
      await new Promise((done) => setTimeout(done, wait));
    }
  }

  // A stream begins with its first block from the start: what stood of it is drawn anew.
  restart(block) {
    const stale = this.blocks.get(block);
    if (stale) stale.box.replaceChildren();
    this.blocks.delete(block);
    if (this.thought && block === 0) this.thought.text.textContent = "";
  }

  async follow(reader) {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line) this.take(...JSON.parse(line));
    }
  }

  take(kind, value) {
    if (kind === "b") this.open(value);
    else if (kind === "t") smd.parser_write(this.blocks.get(this.current).parser, value);
    else if (kind === "r") this.think(value);
    else if (kind === "s") this.say(WORDS[value] || "");
    else if (kind === "e") this.end(value);
  }

  open(number) {
    if (this.thought) this.thought.box.open = false;
    this.flush();
    this.current = number;
    const found = this.body.querySelector(`[data-block="${number}"]`);
    const box = found || element(this.body, "div", "berth-block");
    box.dataset.block = number;
    this.blocks.set(number, { box, parser: smd.parser(renderer(box)) });
    this.say("");
  }

  think(text) {
    if (!this.thought) {
      const box = document.createElement("details");
      box.className = "berth-thought";
      this.box.insertBefore(box, this.body);
      element(box, "summary", "").textContent = "Thinking";
      this.thought = { box, text: element(box, "div", "berth-thought-text") };
    }
    this.thought.text.append(text);
    this.say("");
  }

  flush() {
    const open = this.blocks.get(this.current);
    if (open && !open.isEnded) {
      open.isEnded = true;
      smd.parser_end(open.parser);
    }
  }

  end(state) {
    this.isOver = true;
    this.flush();
    this.say("");
    clearInterval(this.clock);
    this.tell(state);
    this.drop();
  }

  // Which of our blocks does the page itself show by now?
  drop() {
    if (!this.isOver) return;
    for (const shown of document.querySelectorAll(`[class*="st-key-block-${this.id}-"]`)) {
      const last = Number(/st-key-block-[0-9a-f]+-(\d+)/.exec(shown.className)[1]);
      const code = shown.querySelector("pre");
      if (!shown.querySelector('[data-testid="stMarkdown"]') || (code && !code.textContent)) continue;
      for (const [number, block] of this.blocks) {
        if (number <= last) {
          block.box.remove();
          this.blocks.delete(number);
        }
      }
    }
    if (this.thought && document.querySelector(`.st-key-thought-${this.id}`)) {
      this.thought.box.remove();
      this.thought = null;
    }
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  let live = LIVES.get(parentElement);
  if (!live || live.id !== data.id) {
    if (live) live.close();
    live = new Live(parentElement, data);
    LIVES.set(parentElement, live);
  }
  live.tell = (state) => setTriggerValue("over", state);
  return () => {
    live.close();
    LIVES.delete(parentElement);
  };
}
