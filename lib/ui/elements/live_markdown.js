// One block of Markdown that is drawn while it grows, and looks as Streamlit will draw it.

import * as smd from "./vendor/streaming-markdown-0.2.15.min.js";

const SAFE_LINK = /^(https?:|mailto:)/i;
const DEEPEST = 20; // the parser has room for 24 levels, a browser not for thousands
const LONGEST_LANGUAGE = 24;
const TANGLED = new Error("nested too deeply");

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

export class LiveBlock {
  constructor(box) {
    this.box = box;
    this.text = "";
    this.plain = null;
    this.isEnded = false;
    this.parser = smd.parser(renderer(box));
  }

  write(text) {
    this.text += text;
    if (this.plain) this.plain.append(text);
    else this.orPlain(() => smd.parser_write(this.parser, text));
  }

  end() {
    if (!this.isEnded && !this.plain) this.orPlain(() => smd.parser_end(this.parser));
    this.isEnded = true;
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
