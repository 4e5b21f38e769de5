// Light, dark, or as the system: kept by the browser where Streamlit looks for it, of every page.

import { make, mounted } from "./dom.js";

const CHOICES = { System: "As the system", Light: "Light", Dark: "Dark" };

class Theme {
  constructor(parent) {
    this.box = make(parent, "div", "berth-theme");
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", "Theme");
  }

  take({ pages, key }) {
    this.keys = pages.map((page) => key.replace("{path}", new URL(page, location.href).pathname));
    const now = this.kept();
    this.box.replaceChildren();
    for (const [name, text] of Object.entries(CHOICES)) {
      const button = make(this.box, "button", "", text);
      button.type = "button";
      button.setAttribute("aria-pressed", String(name === now));
      button.onclick = () => this.choose(name);
    }
  }

  kept() {
    try {
      return JSON.parse(localStorage.getItem(this.keys[0])) ?? "System";
    } catch {
      return "System";
    }
  }

  choose(name) {
    for (const key of this.keys) localStorage.setItem(key, JSON.stringify(name));
    location.reload(); // Streamlit looks once, at the start
  }

  close() {}
}

export default mounted((parent) => new Theme(parent));
