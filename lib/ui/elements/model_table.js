// A table of models. Everything in it is drawn as text: names and errors may come from anybody.
//
// What is chosen is told as a whole, each time, as of two messages in a row Streamlit keeps the newer.
// Until the server has heard of it, what it says of earlier choices does not count.

import { make, mounted, whenQuiet } from "./dom.js";

const CHOOSE_PAUSE = 250; // milliseconds in which several are chosen and told at once
const LATER = 1000; // for what is to be told after something else
const DETAILS = ".st-key-models_opened"; // drawn by the page, below the table
const LOOK_PAUSE = 100;
const LONGEST_WAIT = 5000;
const ENOUGH_SEEN = 200; // pixels of the details

function cell(row, kind, text, small = "") {
  const made = make(row, "td", `berth-mt-${kind}`, text);
  if (small) make(made, "small", "", small);
  return made;
}

function button(parent, className, text, focus, onClick) {
  const made = make(parent, "button", className, text);
  made.type = "button";
  made.dataset.focus = focus;
  made.onclick = onClick;
  return made;
}

class Table {
  constructor(parent) {
    this.chosen = new Set();
    this.acted = 0; // the number of the newest choice; larger than what an earlier element has told
    this.root = make(parent, "div", "berth-mt");
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Models");
    this.table = make(this.root, "table");
  }

  take(data) {
    if (data.heard >= this.acted) this.chosen = new Set(data.chosen);
    const drawn = JSON.stringify([data.columns, data.lines, data.order, data.isReversed, data.canChoose]);
    this.data = data;
    if (drawn !== this.drawn) this.draw();
    this.drawn = drawn;
    this.mark();
  }

  draw() {
    const focused = this.root.contains(document.activeElement) && document.activeElement.dataset.focus;
    this.table.replaceChildren();
    this.drawHead(make(make(this.table, "thead"), "tr"));
    const body = make(this.table, "tbody");
    for (const line of this.data.lines) this.drawLine(make(body, "tr"), line);
    if (focused) this.table.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  drawHead(row) {
    if (this.data.canChoose) {
      const head = make(row, "th", "berth-mt-choose");
      this.all = this.checkbox(head, "all", "Choose all that are shown", (isChosen) => {
        for (const { id } of this.data.lines) this.choose(id, isChosen);
      });
    }
    for (const { key, label, order } of this.data.columns) {
      const head = make(row, "th", `berth-mt-${key}`);
      head.scope = "col";
      if (!order) {
        head.textContent = label;
        continue;
      }
      const isSorted = order === this.data.order;
      const isRising = ["name", "state"].includes(key) !== this.data.isReversed;
      if (isSorted) head.setAttribute("aria-sort", isRising ? "ascending" : "descending");
      button(head, isSorted ? "berth-mt-sorted" : "", label, `sort ${key}`, () => this.tell("sort", { id: order }));
    }
  }

  drawLine(row, line) {
    row.dataset.id = line.id;
    row.classList.toggle("berth-mt-going", line.state === "Removed");
    row.classList.toggle("berth-mt-opened", line.is_opened);
    if (this.data.canChoose) {
      const place = make(row, "td", "berth-mt-choose");
      this.checkbox(place, line.id, `Choose ${line.name}`, (isChosen) => this.choose(line.id, isChosen));
    }
    this.drawName(row, line);
    this.drawState(row, line);
    cell(row, "disk", line.disk);
    cell(row, "memory", line.memory, line.expected);
    for (const kind of ["context", "speed", "used", "endpoint"]) cell(row, kind, line[kind]);
  }

  drawName(row, line) {
    const head = make(row, "th", "berth-mt-name");
    head.scope = "row";
    if (this.data.canChoose) {
      const name = button(head, "", line.name, `open ${line.id}`, () => this.open(line));
      name.setAttribute("aria-expanded", String(line.is_opened));
    } else {
      make(head, "span", "", line.name);
    }
    make(head, "small", "", line.about);
  }

  drawState(row, line) {
    const place = make(row, "td", "berth-mt-state");
    make(place, "span", `berth-mt-badge berth-mt-${line.colour}`, line.state);
    if (line.can_undo) {
      button(place, "berth-mt-undo", "Undo", `undo ${line.id}`, () => this.tell("undo", { id: line.id }))
        .setAttribute("aria-label", `Undo the removal of ${line.name}`);
    }
    if (line.note) make(place, "small", "", line.note).title = line.note;
  }

  checkbox(parent, id, name, onChange) {
    const box = make(make(parent, "label"), "input");
    box.type = "checkbox";
    box.dataset.focus = `choose ${id}`;
    box.setAttribute("aria-label", name);
    box.onchange = () => {
      onChange(box.checked);
      this.mark();
      this.acted = Math.max(this.acted + 1, Date.now());
      clearTimeout(this.telling);
      this.telling = setTimeout(() => this.tellChosen(), CHOOSE_PAUSE);
    };
    return box;
  }

  choose(id, isChosen) {
    if (isChosen) this.chosen.add(id);
    else this.chosen.delete(id);
  }

  mark() {
    const rows = [...this.table.querySelectorAll("tbody tr")];
    for (const row of rows) {
      const isChosen = this.chosen.has(row.dataset.id);
      row.classList.toggle("berth-mt-chosen", isChosen);
      const box = row.querySelector("input");
      if (box) box.checked = isChosen;
    }
    if (!this.all) return;
    const count = rows.filter((row) => this.chosen.has(row.dataset.id)).length;
    this.all.checked = count > 0 && count === rows.length;
    this.all.indeterminate = count > 0 && count < rows.length;
  }

  tellChosen() {
    const ids = this.data.lines.map(({ id }) => id).filter((id) => this.chosen.has(id));
    whenQuiet(() => this.send("act", { n: this.acted, do: "choose", ids }));
  }

  tell(what, more) {
    clearTimeout(this.telling);
    if (this.acted > this.data.heard) this.telling = setTimeout(() => this.tellChosen(), LATER);
    this.send("act", { n: this.data.heard, do: what, ...more });
  }

  // The details come below the table: on a small screen nobody would see that they did.
  open(line) {
    this.tell("open", { id: line.opens });
    if (line.is_opened) return;
    const until = performance.now() + LONGEST_WAIT;
    const look = () => {
      const isDrawn = this.data.lines.some(({ opens, is_opened }) => is_opened && opens === line.opens);
      const details = isDrawn && document.querySelector(DETAILS);
      if (!details && performance.now() < until) this.looking = setTimeout(look, LOOK_PAUSE);
      else if (details && details.getBoundingClientRect().top > innerHeight - ENOUGH_SEEN) {
        details.scrollIntoView({ block: "start" });
      }
    };
    clearTimeout(this.looking);
    this.looking = setTimeout(look, LOOK_PAUSE);
  }

  close() {
    clearTimeout(this.looking);
    clearTimeout(this.telling);
    this.root.remove();
  }
}

export default mounted((parent) => new Table(parent));
