// Files for the next message: chosen, dropped or pasted. Each goes to the server at once, without
// a message through Streamlit, and is shown as a chip with the tokens that it will take.
//
// The server has the truth: it keeps the files until the message takes them, and is asked again
// after a reload, after a message and for another model. Names come from strangers and are only
// ever text.

import { make, mounted, tell } from "./dom.js";

const LARGEST_FILE = 20_000_000;
const DRAG_MILLISECONDS = 600; // browsers tell of a drag more often than that
const SEND = '[data-testid="stChatInputSubmitButton"]';
const BLIND = "This model cannot see images: your message goes without it. Choose one that sees, or remove it.";
const UNREACHED = "The file did not arrive: Berth cannot be reached. Check that it runs, and attach it again.";
const UNREADABLE = "The browser cannot read this file. Attach a file, not a folder.";
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g; // would turn a name round
const ICONS = {
  clip: "M21 11.5 12.3 20.2a5.5 5.5 0 0 1-7.8-7.8L13.6 3.3a3.7 3.7 0 0 1 5.2 5.2l-9 9a1.8 1.8 0 0 1-2.6-2.6l8.3-8.3",
  text: "M6 2.5h8l4.5 4.5v14.5H6zM14 2.5V7h4.5M9 12h6.5M9 16h6.5",
  image: "M3.5 4.5h17v15h-17zM3.5 16l5-5 4.5 4.5 2.5-2.5 5 4.5M15.5 9h.01",
  problem: "M12 3 2.5 20h19zM12 10v4.5M12 17.3h.01",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.appendChild(path);
  return svg;
}

function tokens(number, isEstimate) {
  const shown = isEstimate ? Number(number.toPrecision(2)) : number;
  return `${isEstimate ? "about " : ""}${shown.toLocaleString("en-US")} ${shown === 1 ? "token" : "tokens"}`;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(UNREADABLE));
    reader.readAsDataURL(file);
  });
}

// The server's answer, or an Error in its words.
function post(url, body, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
    request.open("POST", url);
    request.setRequestHeader("Content-Type", "application/json");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onerror = () => reject(new Error(UNREACHED));
    request.onload = () => {
      const { response, status } = request;
      if (status === 200 && response) resolve(response);
      else reject(new Error(response?.error ? `${response.error.message} ${response.error.fix}` : UNREACHED));
    };
    request.send(JSON.stringify(body));
  });
}

// One file: waiting or on its way, ready (it has an id then), or failed (it has a problem then).
class Chip {
  constructor(list, name, onRemove) {
    this.node = make(list, "li", "berth-chip");
    this.mark = make(this.node, "span", "berth-chip-mark");
    const body = make(this.node, "span", "berth-chip-body");
    this.title = make(body, "span", "berth-chip-name");
    this.title.dir = "auto";
    this.detail = make(body, "span", "berth-chip-detail");
    this.bar = make(body, "progress", "berth-chip-bar");
    this.button = make(this.node, "button", "berth-chip-remove", "×");
    this.button.type = "button";
    this.button.onclick = onRemove;
    this.isPending = true;
    this.rename(name);
  }

  rename(given) {
    const name = given.replace(DIRECTION, "");
    this.title.textContent = this.title.title = name;
    this.button.setAttribute("aria-label", `Remove ${name}`);
    this.bar.setAttribute("aria-label", `Uploading ${name}`);
  }

  progress(share) {
    if (share < 1) this.bar.value = share;
    else this.bar.removeAttribute("value"); // it is being read now, for nobody knows how long
    this.detail.textContent = share < 1 ? "" : "Reading…";
  }

  ready(found) {
    Object.assign(this, { isPending: false, id: found.id, found });
    this.rename(found.name);
  }

  fail(problem) {
    Object.assign(this, { isPending: false, problem });
  }

  draw(canSee) {
    const isBlind = this.found?.kind === "image" && !canSee;
    const problem = this.problem || (isBlind ? BLIND : this.found?.problem) || "";
    const isBad = Boolean(this.problem || isBlind);
    this.node.dataset.state = this.problem ? "failed" : isBlind ? "warning" : this.isPending ? "pending" : "ready";
    this.node.dataset.says = problem ? "more" : "";
    this.mark.replaceChildren(icon(isBad ? "problem" : this.found?.kind || "text"));
    this.bar.hidden = !this.isPending;
    if (this.isPending) return;
    const cost = this.found ? tokens(this.found.tokens, this.found.is_estimate) : "";
    this.detail.textContent = [isBlind ? "" : cost, problem].filter(Boolean).join(" · ");
  }
}

class Attach {
  constructor(root) {
    this.chips = [];
    this.changes = 0;
    this.uploads = Promise.resolve();
    this.box = make(root, "div", "berth-attach");
    this.input = make(this.box, "input", "");
    Object.assign(this.input, { type: "file", multiple: true, hidden: true });
    this.input.onchange = () => {
      this.add([...this.input.files]);
      this.input.value = ""; // the same file may be chosen again
    };
    this.clip = make(this.box, "button", "berth-clip");
    this.clip.type = "button";
    this.clip.title = "Attach files: choose, drop or paste them";
    this.clip.setAttribute("aria-label", "Attach files");
    this.clip.appendChild(icon("clip"));
    this.clip.onclick = () => this.input.click();
    this.list = make(this.box, "ul", "berth-chips");
    this.list.setAttribute("aria-label", "Attached files");
    this.sum = make(this.box, "p", "berth-attach-sum");
    this.overlay = make(this.box, "div", "berth-drop", "Drop files to attach them");
    this.overlay.hidden = true;
    this.overlay.popover = "manual"; // the top layer, above the sidebar and everything
    this.listen();
  }

  listen() {
    this.ears = new AbortController();
    const on = (kind, act) =>
      document.addEventListener(kind, act.bind(this), { capture: true, signal: this.ears.signal });
    on("paste", this.pasted);
    on("dragenter", this.dragged);
    on("dragover", this.dragged);
    on("dragleave", (event) => event.relatedTarget || this.undrag());
    on("drop", this.dropped);
    on("keydown", this.hold);
    on("click", this.hold);
    on("input", this.letGo);
    on("berth-asked", () => {
      this.keep((chip) => chip.isPending);
      this.draw();
    });
    on("berth-refused", this.ask);
  }

  close() {
    this.ears.abort();
    clearTimeout(this.dragging);
    this.box.remove();
  }

  // What the page says now.
  take(data) {
    const before = this.data || {};
    this.data = data;
    if (before.conversation !== data.conversation) this.keep(() => false);
    else if (before.sent !== data.sent) this.keep((chip) => chip.isPending);
    const isSame = ["conversation", "sent", "model"].every((name) => before[name] === data[name]);
    if (isSame) this.draw();
    else this.ask();
  }

  url(path = "", conversation = this.data.conversation) {
    const query = new URLSearchParams({ c: conversation, m: this.data.model });
    return `${location.origin}/api/attachments${path}?${query}`;
  }

  // Which files does the server have for the next message?
  async ask() {
    this.draw();
    const asked = ++this.changes;
    this.asked = asked;
    const answer = await fetch(this.url()).catch(() => null);
    const attachments = answer?.ok ? (await answer.json()).attachments : null;
    if (!attachments || this.asked !== asked) return;
    if (this.changes !== asked) {
      this.ask(); // a file came or went meanwhile
      return;
    }
    const known = new Map(this.chips.map((chip) => [chip.id, chip]));
    const there = new Set(attachments.map(({ id }) => id));
    this.keep((chip) => !chip.id || there.has(chip.id));
    for (const found of attachments) (known.get(found.id) || this.chip(found.name)).ready(found);
    this.draw();
    if (attachments.length) this.remember();
  }

  chip(name) {
    const chip = new Chip(this.list, name, () => this.remove(chip));
    chip.conversation = this.data.conversation;
    this.chips.push(chip);
    return chip;
  }

  // Forget the chips that are not wanted; their uploads go on where they belong.
  keep(isWanted) {
    this.chips = this.chips.filter((chip) => isWanted(chip) || chip.node.remove());
  }

  add(files) {
    for (const file of files) {
      const chip = this.chip(file.name);
      const url = this.url();
      this.uploads = this.uploads.then(() => this.upload(chip, file, url));
    }
    this.draw();
  }

  async upload(chip, file, url) {
    try {
      if (chip.isRemoved) return;
      if (file.size > LARGEST_FILE) {
        throw new Error(`This file has ${Math.ceil(file.size / 1e6)} MB; 20 MB is the most. Attach the part that matters.`);
      }
      const body = { name: file.name, type: file.type, data: await base64(file) };
      chip.ready(await post(url, body, (share) => chip.progress(share)));
      if (chip.isRemoved) await this.forget(chip);
    } catch (error) {
      chip.fail(error.message);
    } finally {
      chip.isPending = false;
      if (chip.isRemoved) this.keep((other) => other !== chip);
      this.resume();
    }
  }

  // What was asked before this change is no longer true.
  resume() {
    this.changes++;
    const isDone = this.held && !this.chips.some((chip) => chip.isPending);
    this.held = this.held && !isDone;
    this.draw();
    this.remember();
    if (isDone && !this.chips.some((chip) => chip.problem)) document.querySelector(SEND)?.click();
  }

  // The address has to name a conversation in which nothing has been said, lest it is forgotten.
  remember() {
    const hasFiles = this.chips.some((chip) => chip.id);
    const isNamed = new URLSearchParams(location.search).get("c") === this.data.conversation;
    if (!this.data.sent && hasFiles !== isNamed) this.send("kept", hasFiles ? this.data.conversation : "none");
  }

  // An upload that is on its way cannot be taken back: it is removed when it has arrived.
  async remove(chip) {
    const at = this.chips.indexOf(chip);
    if (chip.isPending) {
      chip.isRemoved = true;
      chip.node.hidden = true;
    } else {
      if (chip.id && !(await this.forget(chip))) return;
      this.keep((other) => other !== chip);
    }
    (this.chips[Math.min(at, this.chips.length - 1)]?.button || this.clip).focus();
    this.resume();
  }

  async forget(chip) {
    const answer = await fetch(this.url(`/${chip.id}`, chip.conversation), { method: "DELETE" }).catch(() => null);
    return Boolean(answer?.ok || answer?.status === 404);
  }

  pasted(event) {
    const files = [...(event.clipboardData?.files || [])];
    const lines = (event.clipboardData?.getData("text/plain") || "").split(/[\r\n]+/).filter(Boolean);
    // A copied file may come with its name as text; a copied paragraph may come with its picture.
    if (!files.length || !lines.every((line) => files.some((file) => line.endsWith(file.name)))) return;
    this.caught(event);
    this.add(files);
  }

  dragged(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    this.caught(event);
    event.dataTransfer.dropEffect = "copy";
    if (this.overlay.hidden) {
      this.overlay.hidden = false;
      this.overlay.showPopover?.();
    }
    clearTimeout(this.dragging);
    this.dragging = setTimeout(() => this.undrag(), DRAG_MILLISECONDS);
  }

  undrag() {
    clearTimeout(this.dragging);
    this.overlay.hidePopover?.();
    this.overlay.hidden = true;
  }

  dropped(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    this.caught(event);
    this.undrag();
    this.add([...event.dataTransfer.files]);
  }

  // A message that is sent now would go without the file that is still on its way.
  hold(event) {
    const isEnter = event.key === "Enter" && !event.shiftKey;
    const place = event.type === "click" ? "stChatInputSubmitButton" : isEnter ? "stChatInputTextArea" : "";
    if (!place || !event.target.closest?.(`[data-testid="${place}"]`)) return;
    if (!this.chips.some((chip) => chip.isPending)) return;
    this.caught(event);
    this.held = true;
    this.draw();
  }

  // Whoever types on has more to say: it is sent by another Enter.
  letGo(event) {
    if (!this.held || !event.target.closest?.('[data-testid="stChatInput"]')) return;
    this.held = false;
    this.draw();
  }

  caught(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  draw() {
    for (const chip of this.chips) chip.draw(this.data.canSee);
    const ready = this.chips.filter((chip) => chip.found && !chip.isRemoved);
    const total = ready.reduce((sum, chip) => sum + chip.found.tokens, 0);
    const { room } = this.data;
    const isTooMuch = Boolean(ready.length) && room !== null && room !== undefined && total > room;
    const cost = tokens(total, ready.some((chip) => chip.found.is_estimate));
    this.sum.dataset.state = isTooMuch || this.held ? "warning" : "ready";
    if (this.held) this.sum.textContent = "The message is sent as soon as its files are read.";
    else if (isTooMuch) this.sum.textContent = `The files take ${cost}; ${Math.max(0, room).toLocaleString("en-US")} are left in the context. Remove one, or give the model a larger context.`;
    else this.sum.textContent = ready.length > 1 ? `${ready.length} files · ${cost}` : "";
    tell(this.sum.textContent);
  }
}

export default mounted((parent) => new Attach(parent));
