// One block of Markdown that is drawn while it grows, and looks as Streamlit will draw it.

import { LINE_END, STARTS_ANEW, legible, prose } from "./prose.js";
import * as smd from "./vendor/streaming-markdown-0.2.15.min.js";

const SAFE_LINK = /^(https?:|mailto:)/i;
const DEEPEST = 20; // the parser has room for 24 levels, a browser not for thousands
const LONGEST_LANGUAGE = 24;
const FENCE = /^((?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*)(`{3,}|~{3,})([^`]*)$/;
const FENCE_INSTEAD = "``````";
const MAY_OPEN = /^[ \t>]*(?:`{1,2}|`{3,}[^`]*|~{2,}[^~]*)$/;
const BEGUN_BREAK = /<(?:b(?:r[ \t]*\/?)?)?$/i; // not drawn before it is known to be one
const LONGEST_PARAGRAPH = 6_000;
const MAY_CLOSE = /^[ \t>]*~{1,}[ \t]*$/;
const TANGLED = new Error("nested too deeply");

// Is a formula of several lines open at the end of this text?
function isInMaths(text) {
  if (/^[ \t>]*\$\$/m.test(text)) return text.split("$$").length % 2 === 0;
  return /^[ \t>]*\\\[(?![^]*\\\])/m.test(text);
}

function link(node) {
  node.target = "_blank";
  node.rel = "noopener noreferrer nofollow";
}

// Model output is untrusted: no image is fetched, only linked, and no script can hide in a link.
function attributes(base) {
  return (data, type, value) => {
    const isLink = type === smd.HREF || type === smd.SRC;
    if (isLink && !SAFE_LINK.test(value)) return;
    if (type === smd.LANG) base(data, type, `language-${value.trim().split(/\s/)[0].slice(0, LONGEST_LANGUAGE)}`);
    else base(data, isLink ? smd.HREF : type, value);
    if (isLink) link(data.nodes[data.index]);
  };
}

function renderer(root) {
  const base = smd.default_renderer(root);
  const { add_token, end_token, add_text, set_attr } = base;
  const asLink = (data) => {
    add_text(data, "!");
    add_token(data, smd.LINK);
  };
  base.add_text = (data, text) => {
    const [first, ...lines] = legible(text).split(legible(LINE_END));
    // In a cell a line end is one; anywhere else the parser itself has them.
    const isCell = data.nodes[data.index].closest?.("td, th");
    if (!isCell) return add_text(data, [first, ...lines].join("\n"));
    add_text(data, first);
    for (const line of lines) {
      data.nodes[data.index].append(document.createElement("br"));
      add_text(data, line);
    }
  };
  let isSoft = false; // a line that ends without two spaces goes on in the next
  base.add_token = (data, type) => {
    if (data.index >= DEEPEST) throw TANGLED;
    const before = data.nodes[data.index].lastChild?.data ?? "";
    isSoft = type === smd.LINE_BREAK && !before.endsWith("  ");
    if (isSoft) add_text(data, "\n");
    else if (type === smd.IMAGE) asLink(data);
    else add_token(data, type);
  };
  base.end_token = (data) => {
    if (!isSoft) end_token(data);
    isSoft = false;
  };
  base.set_attr = attributes(set_attr);
  return base;
}

// A source that grows as the parser's own Markdown: what is settled never changes again, the last
// paragraph may, when it turns out that a sign in it means something else.
class Source {
  constructor() {
    this.fixed = "";
    this.paragraph = "";
    this.line = "";
    this.fence = "";
    this.isCut = false; // has the paragraph been settled in the middle of its line?
  }

  // All there is to draw, after this piece.
  take(text) {
    const lines = (this.line + text).split("\n");
    this.line = lines.pop();
    for (const line of lines) this.takeLine(line);
    if (!this.fence && this.paragraph.length + this.line.length > LONGEST_PARAGRAPH) this.cut();
    return this.drawn(true);
  }

  // What goes on without end is not looked through again and again.
  cut() {
    const { line } = this;
    this.paragraph += line;
    this.line = "";
    this.settle();
    this.isCut = Boolean(line);
  }

  drawn(isOpen) {
    const { fixed, paragraph, line } = this;
    const part = (text) => prose(text, isOpen, this.isCut);
    if (this.fence) return fixed + (isOpen && MAY_CLOSE.test(line) ? "" : this.inFence(line));
    if (isOpen && MAY_OPEN.test(line) && !this.isCut) return fixed + part(paragraph);
    const begun = isOpen ? line.replace(BEGUN_BREAK, "") : line;
    if (!STARTS_ANEW.test(line) || this.isCut || isInMaths(paragraph)) return fixed + part(paragraph + begun);
    return fixed + prose(paragraph, false) + prose(begun, isOpen);
  }

  takeLine(line) {
    if (this.fence) {
      this.fixed += `${this.inFence(line)}\n`;
      const bare = line.replace(/^[ \t>]*/, "").trimEnd();
      if (bare.startsWith(this.fence) && !bare.replaceAll(this.fence[0], "")) this.fence = "";
      return;
    }
    const isInside = this.isCut || isInMaths(this.paragraph);
    const opened = isInside ? null : FENCE.exec(line);
    if (opened || (!isInside && (!line.trim() || STARTS_ANEW.test(line)))) this.settle();
    this.paragraph += `${line}\n`;
    if (this.isCut) this.settle();
    if (!opened) return;
    this.fence = opened[2];
    this.fixed += `${opened[1]}${this.fence[0] === "~" ? FENCE_INSTEAD : this.fence}${opened[3]}\n`;
    this.paragraph = "";
  }

  settle() {
    this.fixed += prose(this.paragraph, false, this.isCut);
    this.paragraph = "";
    this.isCut = false;
  }

  // The parser knows no fences of tildes.
  inFence(line) {
    return this.fence[0] === "~" && MAY_CLOSE.test(line) ? line.replace(/~{3,}/, FENCE_INSTEAD) : line;
  }
}

export class LiveBlock {
  constructor(box) {
    this.box = box;
    this.text = "";
    this.plain = null;
    this.isEnded = false;
    this.source = new Source();
    this.begin();
  }

  begin() {
    this.fed = "";
    this.parser = smd.parser(renderer(this.box));
  }

  write(text) {
    this.text += text;
    if (this.plain) this.plain.append(text);
    else this.orPlain(() => this.feed(this.source.take(text)));
  }

  // What was drawn stays, unless it has come out otherwise.
  feed(drawn) {
    if (!drawn.startsWith(this.fed)) {
      this.box.replaceChildren();
      this.begin();
    }
    smd.parser_write(this.parser, drawn.slice(this.fed.length));
    this.fed = drawn;
  }

  end() {
    if (!this.isEnded && !this.plain) {
      this.orPlain(() => {
        this.feed(this.source.drawn(false));
        smd.parser_end(this.parser);
      });
    }
    this.isEnded = true;
  }

  // Does Streamlit draw it better: is there a formula in it, or code?
  get isRich() {
    return Boolean(this.box.querySelector("equation-inline, equation-block, pre"));
  }

  orPlain(draw) {
    try {
      draw();
    } catch (error) {
      if (error !== TANGLED) throw error;
      this.plain = document.createElement("pre");
      this.plain.append(this.text);
      this.box.replaceChildren(this.plain);
    }
  }
}
