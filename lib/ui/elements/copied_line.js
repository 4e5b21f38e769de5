// A line to be copied. Streamlit's element for code brings 1.5 MB that colour it, on every load.

import { copy } from "./clipboard.js";
import { make, mounted } from "./dom.js";

const COPIED_MILLISECONDS = 1500;

class Line {
  constructor(parent) {
    const box = make(parent, "div", "berth-copied");
    this.code = make(box, "code");
    this.code.tabIndex = 0; // it may have to be scrolled
    this.button = make(box, "button", "", "Copy");
    this.button.type = "button";
    this.button.onclick = () => this.copy();
  }

  take({ text }) {
    this.text = this.code.textContent = text;
  }

  async copy() {
    await copy(this.text);
    this.button.textContent = "Copied";
    setTimeout(() => (this.button.textContent = "Copy"), COPIED_MILLISECONDS);
  }

  close() {}
}

export default mounted((parent) => new Line(parent));
