// The list of conversations in the sidebar: opens, searches, renames, pins, deletes, exports.
//
// Everything in it is drawn as text: titles and what was said may come from anybody.

import { make, mounted, tell } from "./dom.js";
import { LONGEST_TITLE, bundle, download, erase, match, meta, metas, run, setMeta, storedDocument } from "./history_storage.js";
import { importedText } from "./history_import.js";
import { focusInput, help, listen, rove, walk } from "./shortcuts.js";

const DAY = 86_400_000;
const SHOWN = 30;
const LIMIT = 4_500_000; // characters; browsers refuse at about 5.2 million
const ROOM_AFTER_REMOVAL = 3_600_000;
const MOST_WAITING = 5;
const NARROW = 768; // pixels; below, Streamlit lays the sidebar over the page
const SEARCH_PAUSE = 150; // milliseconds
const SYNC_PAUSE = 150;
const DOUBT_MILLISECONDS = 3000;

// Outlives the element itself, which another page takes away.
const exchange = { session: "", seen: 0, sent: 0, outbox: [] };

function group(one, now) {
  if (one.pinned) return "Pinned";
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (one.ts >= midnight) return "Today";
  if (one.ts >= midnight - DAY) return "Yesterday";
  return one.ts >= midnight - 6 * DAY ? "Previous 7 days" : "Earlier";
}

function button(parent, text, className, onClick) {
  const made = make(parent, "button", className, text);
  made.type = "button";
  made.onclick = onClick;
  return made;
}

// On a phone the sidebar lies over the conversation that was chosen in it.
function makeRoom() {
  if (innerWidth >= NARROW) return;
  document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
}

class History {
  constructor(parent) {
    this.opened = "";
    this.wanted = "";
    this.shown = SHOWN;
    this.expanded = "";
    this.renamed = "";
    this.lastDeleted = null;
    this.isSure = false;
    this.root = make(parent, "div", "berth-history");
    button(this.root, "New chat", "berth-new", () => this.begin());
    this.search = make(this.root, "input", "berth-search");
    this.search.type = "search";
    this.search.placeholder = "Search conversations";
    this.search.setAttribute("aria-label", "Search conversations");
    this.search.oninput = () => this.later("searching", SEARCH_PAUSE, () => this.find());
    this.search.onkeydown = (event) => this.searchKey(event);
    this.says = make(this.root, "div", "berth-says");
    this.list = make(this.root, "div", "berth-list");
    this.foot = make(this.root, "div", "berth-foot");
    help(this.root);
    this.root.addEventListener("keydown", (event) => walk(event, this.search, this.list));
    this.doubting = setInterval(() => this.doubt(), DOUBT_MILLISECONDS);
    this.unlisten = listen({ begin: () => this.begin(), search: this.search });
    this.file = make(this.root, "input");
    this.file.type = "file";
    this.file.accept = ".json,application/json,.zip,application/zip";
    this.file.hidden = true;
    this.file.onchange = () => this.read();
    this.onStorage = ({ key }) => {
      if (key === null || key.startsWith("berth:")) this.later("syncing", SYNC_PAUSE, () => this.draw());
    };
    addEventListener("storage", this.onStorage);
    this.purge();
  }

  close() {
    clearInterval(this.doubting);
    this.unlisten();
    removeEventListener("storage", this.onStorage);
    this.root.remove();
  }

  later(name, pause, action) {
    clearTimeout(this[name]);
    this[name] = setTimeout(action, pause);
  }

  // All that is not confirmed goes up again: a second trigger may replace the first.
  tell(...events) {
    for (const event of events) exchange.outbox.push({ n: ++exchange.sent, ...event });
    if (exchange.outbox.length) this.send("event", [...exchange.outbox]);
  }

  take(data) {
    const isNew = data.session !== exchange.session;
    if (isNew) Object.assign(exchange, { session: data.session, seen: 0, outbox: [] });
    exchange.outbox = exchange.outbox.filter((event) => event.n > data.heard);
    const due = data.ops.filter((op) => op.seq > exchange.seen);
    if (due.length) exchange.seen = due.at(-1).seq;
    const answers = due.map(run).filter(Boolean);
    if (isNew) answers.push(...this.waiting(data.opened));
    if (answers.length) this.tell(...answers);
    const isSame = this.opened === data.opened && this.list.children.length;
    this.opened = data.opened;
    if (due.length || !isSame) this.draw();
  }

  // Conversations that were left while a reply was being written.
  waiting(opened) {
    const left = metas().filter((one) => one.waits && !one.deleted && one.id !== opened);
    return left.slice(0, MOST_WAITING).map(({ id, title, rev }) => {
      return { kind: "waiting", id, title, rev, raw: storedDocument(id) ?? "" };
    });
  }

  // Should a save get lost on its way, what is stored waits for a reply that nobody is writing.
  doubt() {
    const one = this.opened && meta(this.opened);
    const isLeft = one?.waits && !document.querySelector('.berth-live[data-phase="live"]');
    if (isLeft && this.doubtful === one.rev) this.tell(...this.waiting("").filter(({ id }) => id === one.id));
    this.doubtful = isLeft ? one.rev : "";
  }

  purge() {
    for (const { id, deleted } of metas()) if (deleted && deleted < Date.now() - DAY) erase(id);
  }

  find() {
    this.wanted = this.search.value.trim().toLowerCase();
    this.shown = SHOWN;
    this.draw();
  }

  draw() {
    if (this.renamed && this.list.querySelector(".berth-rename")) return;
    const focused = document.activeElement?.dataset?.focus;
    const all = metas();
    const kept = all.filter((one) => !one.deleted);
    const found = this.wanted ? kept.map((one) => match(one, this.wanted)).filter(Boolean) : kept;
    this.list.replaceChildren();
    this.drawUndo();
    this.drawGroups(found);
    if (found.length > this.shown) {
      button(this.list, "Show more", "berth-link", () => {
        this.shown += SHOWN;
        this.draw();
      });
    }
    this.drawTrash(all.filter((one) => one.deleted));
    this.drawFoot(all, kept);
    rove(this.list);
    if (focused) this.root.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  drawGroups(found) {
    if (!found.length) {
      make(this.list, "p", "berth-empty", this.wanted ? "Nothing found." : "Conversations are kept here, in this browser.");
    }
    const now = Date.now();
    let day = "";
    for (const one of found.slice(0, this.shown)) {
      if (group(one, now) !== day) make(this.list, "h2", "berth-day", (day = group(one, now)));
      this.drawRow(one);
    }
  }

  drawRow(one) {
    const row = make(this.list, "div", "berth-row");
    row.dataset.id = one.id;
    if (one.id === this.renamed) {
      this.drawRename(row, one);
      return;
    }
    const title = button(row, one.title, "berth-title", () => this.open(one.id));
    title.dir = "auto";
    title.title = one.title;
    if (one.id === this.opened) title.setAttribute("aria-current", "page");
    const more = button(row, "⋯", "berth-more", () => {
      this.expanded = this.expanded === one.id ? "" : one.id;
      this.draw();
    });
    more.dataset.focus = one.id;
    more.setAttribute("aria-label", `Actions for ${one.title}`);
    more.setAttribute("aria-expanded", String(this.expanded === one.id));
    if (one.snippet) make(row, "div", "berth-snippet", one.snippet).dir = "auto";
    if (this.expanded === one.id) this.drawActions(row, one);
  }

  drawActions(row, one) {
    const actions = make(row, "div", "berth-actions");
    const add = (text, action) => button(actions, text, "berth-action", action);
    add("Rename", () => {
      this.renamed = one.id;
      this.draw();
    });
    const done = () => {
      this.expanded = "";
      this.draw();
      this.root.querySelector(`[data-focus="${one.id}"]`)?.focus();
    };
    add(one.pinned ? "Unpin" : "Pin", () => {
      this.change(one.id, { pinned: !one.pinned });
      done();
    });
    add("Export as JSON", () => {
      download(`${fileName(one.title)}.json`, bundle([one]), "application/json");
      done();
    });
    add("Export as Markdown", () => {
      const raw = storedDocument(one.id) ?? "";
      this.tell({ kind: "export", id: one.id, title: one.title, raw });
      done();
    });
    add("Delete", () => this.remove(one)).classList.add("berth-danger");
  }

  drawRename(row, one) {
    const input = make(row, "input", "berth-rename");
    input.value = one.title;
    input.maxLength = LONGEST_TITLE;
    input.setAttribute("aria-label", "Title");
    const end = (isKept) => {
      if (this.renamed !== one.id) return;
      this.renamed = this.expanded = "";
      this.change(one.id, isKept && input.value.trim() ? { title: input.value.trim() } : {});
    };
    input.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") end(event.key === "Enter");
    };
    input.onblur = () => end(true);
    input.focus();
    input.select();
  }

  drawUndo() {
    if (!this.lastDeleted) return;
    const box = make(this.list, "div", "berth-undo");
    make(box, "span", "", `Deleted “${this.lastDeleted.title}”`).dir = "auto";
    button(box, "Undo", "berth-link", () => this.restore(this.lastDeleted.id));
  }

  drawTrash(deleted) {
    if (!deleted.length || this.wanted) return;
    const box = make(this.list, "details", "berth-trash");
    box.open = this.isTrashOpen;
    box.ontoggle = () => (this.isTrashOpen = box.open);
    make(box, "summary", "", `Recently deleted (${deleted.length})`);
    for (const one of deleted) {
      const row = make(box, "div", "berth-undo");
      make(row, "span", "", one.title).dir = "auto";
      button(row, "Restore", "berth-link", () => this.restore(one.id));
    }
    button(box, "Delete these for good", "berth-link berth-danger", () => {
      for (const { id } of deleted) erase(id);
      this.lastDeleted = null;
      this.draw();
    });
  }

  drawFoot(all, kept) {
    this.foot.replaceChildren();
    const used = all.reduce((sum, one) => sum + one.n, 0);
    if (used > LIMIT) this.drawLimit(used, kept);
    if (kept.length) button(this.foot, "Export all", "berth-link", () => this.exportAll());
    button(this.foot, "Import", "berth-link", () => this.file.click());
  }

  drawLimit(used, kept) {
    const box = make(this.foot, "div", "berth-limit");
    const millions = (used / 1e6).toFixed(1);
    make(box, "p", "", `Storage is almost full: ${millions} of about 5 million characters. Export your conversations, then delete old ones.`);
    const oldest = this.oldest(used, kept);
    if (!oldest.length) return;
    const label = `Delete the ${oldest.length} oldest for good`;
    button(box, this.isSure ? `Yes, ${label[0].toLowerCase()}${label.slice(1)}` : label, "berth-link berth-danger", () => {
      if (this.isSure) for (const { id } of oldest) erase(id);
      this.isSure = !this.isSure;
      this.draw();
    });
  }

  // So many of the oldest that there is room again; not what is pinned or open.
  oldest(used, kept) {
    const found = [];
    for (const one of kept.filter((one) => !one.pinned && one.id !== this.opened).reverse()) {
      if (used <= ROOM_AFTER_REMOVAL) break;
      found.push(one);
      used -= one.n;
    }
    return found;
  }

  // -- what people do --

  begin() {
    this.tell({ kind: "new" });
    makeRoom();
  }

  searchKey(event) {
    walk(event, this.search, this.list);
    event.stopPropagation(); // Streamlit's own keys are not for here
    if (event.key !== "Escape" || this.search.value) return;
    makeRoom();
    focusInput();
  }

  open(id) {
    const { title, rev } = meta(id) ?? {};
    const raw = storedDocument(id);
    if (rev === undefined || raw === null) {
      this.draw();
      return;
    }
    this.tell({ kind: "open", id, title, rev, raw });
    makeRoom();
  }

  change(id, changes) {
    const found = meta(id);
    try {
      if (found) setMeta({ ...found, ...changes });
      this.say("");
    } catch {
      this.say("Not kept: the browser's storage is full.");
    }
    this.draw();
  }

  remove(one) {
    this.lastDeleted = one;
    this.expanded = "";
    this.change(one.id, { deleted: Date.now() });
    if (one.id === this.opened) this.tell({ kind: "gone", id: one.id });
  }

  restore(id) {
    if (this.lastDeleted?.id === id) this.lastDeleted = null;
    this.change(id, { deleted: 0 });
  }

  exportAll() {
    const day = new Date().toISOString().slice(0, 10);
    const kept = metas().filter((one) => !one.deleted);
    download(`berth-conversations-${day}.json`, bundle(kept), "application/json");
  }

  async read() {
    const [file] = this.file.files;
    if (!file) return;
    this.say("Reading the file…");
    try {
      const raw = await importedText(file);
      this.say("");
      this.tell({ kind: "import", title: file.name, raw });
    } catch (error) {
      this.say(error.message);
    }
    this.file.value = "";
  }

  say(words) {
    this.says.textContent = words;
    tell(words);
  }
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+|[.-]+$/g, "") || "conversation";
}

export default mounted((parent) => new History(parent));
