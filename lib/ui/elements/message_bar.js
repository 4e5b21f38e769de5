// What stands below a message: its figures, and what can be done with it.
//
// A message is copied and edited as it was written, not as it is drawn: the text is taken from the
// stored conversation, so that it need not be sent once more for every bar.

import { copy } from "./clipboard.js";
import { isConnected, isRunning, make, mounted, newId } from "./dom.js";
import { storedDocument } from "./history_storage.js";
import { words } from "./kept_replies.js";

const COPIED_MILLISECONDS = 1500;
const EDITED = "berth:edited:"; // and the id of the question: what was sent in place of it
const DOUBT_MILLISECONDS = 500;
const DOUBTS = 5; // looks at a page at rest that still shows the old question: the new one was lost
const MOST_TRIES = 3;
const RECENT_MILLISECONDS = 60_000;

function iconButton(parent, icon, name, onClick) {
  const button = make(parent, "button", "berth-icon");
  button.type = "button";
  button.dataset.icon = icon; // drawn by the style sheet, so that it is no text to be copied
  button.title = name;
  button.setAttribute("aria-label", name);
  button.onclick = onClick;
  return button;
}

function writtenText(id) {
  try {
    const conversation = new URLSearchParams(location.search).get("c");
    return JSON.parse(storedDocument(conversation)).turns.find((turn) => turn.id === id).content;
  } catch {
    return words(id)?.text ?? null; // this browser keeps nothing
  }
}

class Bar {
  constructor(parent) {
    this.parent = parent;
    this.root = make(parent, "div", "berth-bar");
  }

  take(data) {
    const isNew = !this.data;
    this.data = data;
    if (isNew && data.role === "user" && this.lastEdit()) this.doubt();
    if (this.isEdited) return;
    const focused = this.root.contains(document.activeElement) && document.activeElement.title;
    this.root.replaceChildren();
    make(this.root, "span", "berth-line", data.line).dir = "auto";
    const buttons = make(this.root, "span", "berth-buttons");
    if (data.versions.length) this.drawVersions(buttons);
    if (data.isCut) make(buttons, "button", "berth-go-on", "Continue").onclick = () => this.tell("go on");
    const copied = iconButton(buttons, "content_copy", "Copy", () => this.copy(copied));
    if (data.role === "user") {
      iconButton(buttons, "edit", "Edit", () => this.edit()).dataset.berthEdit = data.id;
    } else if (data.role === "assistant") {
      if (!data.isRetried) iconButton(buttons, "refresh", "Answer again", () => this.tell("again"));
      iconButton(buttons, "swap_horiz", "Answer again with another model", () => this.tell("with"));
      iconButton(buttons, "delete", "Delete question and answer", () => this.tell("delete"));
    }
    if (focused) this.root.querySelector(`[title="${focused}"]`)?.focus();
  }

  drawVersions(parent) {
    const { versions, id } = this.data;
    const at = versions.indexOf(id);
    const step = (icon, name, to) => {
      iconButton(parent, icon, name, () => this.tell("show", { id: versions[to] })).disabled = !versions[to];
    };
    step("chevron_left", "Version before", at - 1);
    make(parent, "span", "berth-at", `${at + 1}/${versions.length}`);
    step("chevron_right", "Next version", at + 1);
  }

  tell(what, more = {}) {
    this.send("act", { do: what, id: this.data.id, ...more });
  }

  drawnText() {
    const message = this.parent.closest('[data-testid="stChatMessageContent"]');
    const drawn = message?.querySelectorAll('[data-testid="stText"], [data-testid="stMarkdown"], .berth-kept') ?? [];
    return [...drawn].map((part) => part.innerText).join("\n\n");
  }

  async copy(button) {
    await copy(writtenText(this.data.id) ?? this.drawnText());
    button.dataset.icon = "check";
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
      button.dataset.icon = "content_copy";
      button.setAttribute("aria-label", "Copy");
    }, COPIED_MILLISECONDS);
  }

  // What is edited is not shown above it as well (chat_page.css).
  mark(isEdited) {
    const message = this.parent.closest('[data-testid="stChatMessageContent"]');
    message?.toggleAttribute("data-berth-edited", isEdited);
  }

  // What was sent lately in place of this question; null where nothing was.
  lastEdit() {
    try {
      const found = JSON.parse(sessionStorage.getItem(EDITED + this.data.id));
      return found && Date.now() - found.at < RECENT_MILLISECONDS ? found : null;
    } catch {
      return null;
    }
  }

  sendEdit(edit) {
    try {
      sessionStorage.setItem(EDITED + this.data.id, JSON.stringify(edit));
    } catch {
      // no room, or not allowed
    }
    const { text, files, as } = edit;
    this.tell("edit", { text, files, as });
    this.doubt();
  }

  // Where the page stays as it was, as when it was left or the server was killed just then, it is sent
  // again, under its own id; at last the words come back into their box.
  doubt() {
    let looks = 0;
    clearInterval(this.doubting);
    this.doubting = setInterval(() => {
      looks = isConnected() && !isRunning() ? looks + 1 : 0;
      if (looks < DOUBTS) return;
      const edit = this.lastEdit();
      this.forgetEdit();
      if (!edit || this.isEdited) return;
      if (edit.tries < MOST_TRIES) this.sendEdit({ ...edit, tries: edit.tries + 1 });
      else this.edit(edit.text);
    }, DOUBT_MILLISECONDS);
  }

  forgetEdit() {
    clearInterval(this.doubting);
    sessionStorage.removeItem(EDITED + this.data?.id);
  }

  edit(text = "") {
    this.isEdited = true;
    this.mark(true);
    this.root.replaceChildren();
    const form = make(this.root, "form", "berth-edit");
    const area = make(form, "textarea", "");
    area.value = text || (writtenText(this.data.id) ?? this.drawnText());
    area.dir = "auto";
    area.rows = Math.min(12, area.value.split("\n").length + 1);
    area.setAttribute("aria-label", "Question");
    const kept = this.drawFiles(form);
    const row = make(form, "div", "berth-edit-row");
    make(row, "span", "berth-line", "Asked again on a branch of its own; this one stays.");
    make(row, "button", "berth-cancel", "Cancel").type = "button";
    row.lastChild.onclick = () => this.endEdit();
    make(row, "button", "berth-send", "Send").type = "submit";
    area.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.endEdit();
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        form.requestSubmit();
      }
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = area.value.trim();
      if (text) this.sendEdit({ text, files: [...kept], as: newId(), tries: 1, at: Date.now() });
      this.endEdit();
    };
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  // The question's files, each of which can be left out; returns the numbers of those that are kept.
  drawFiles(form) {
    const kept = new Set(this.data.files.keys());
    const list = make(form, "ul", "berth-edit-files");
    list.setAttribute("aria-label", "Files of this question");
    for (const [number, name] of this.data.files.entries()) {
      const item = make(list, "li", "berth-edit-file");
      make(item, "span", "", name).dir = "auto";
      const out = make(item, "button", "", "×");
      out.type = "button";
      out.setAttribute("aria-label", `Leave out ${name}`);
      out.onclick = () => {
        kept.delete(number);
        const next = item.nextElementSibling ?? item.previousElementSibling;
        item.remove();
        (next?.querySelector("button") ?? form.querySelector("textarea")).focus();
      };
    }
    return kept;
  }

  close() {
    if (this.doubting) this.forgetEdit();
    this.root.remove();
  }

  endEdit() {
    this.isEdited = false;
    this.mark(false);
    this.take(this.data);
    this.root.querySelector("[data-berth-edit]")?.focus();
  }
}

export default mounted((parent) => new Bar(parent));
