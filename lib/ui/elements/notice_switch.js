// The button that lets this browser show notices, or no more; and one to try it.

import { make, mounted, tell } from "./dom.js";
import { isAble, isOn, show, want } from "./notice_store.js";

const UNABLE = "This browser shows notices only of pages of this machine (localhost) or over https.";
const DENIED = "This browser was told to show no notices of this page: allow them in its settings for the page.";

class Switch {
  constructor(parent) {
    this.box = make(parent, "div", "berth-notice-switch");
    this.draw();
  }

  take({ last }) {
    this.last = last;
  }

  draw(said = "") {
    this.box.replaceChildren();
    if (!isAble()) return void make(this.box, "span", "", UNABLE);
    this.button(isOn() ? "Show no notices in this browser" : "Show notices in this browser", () => this.flip());
    if (isOn()) this.button("Show one now", () => show("This is a test. Notices reach you here.", "berth-test"));
    make(this.box, "span", "", said);
    tell(said);
  }

  button(text, act) {
    const made = make(this.box, "button", "", text);
    made.type = "button";
    made.onclick = act;
  }

  async flip() {
    if (isOn()) {
      want(false, this.last);
      return this.draw("None are shown any more.");
    }
    const answer = await Notification.requestPermission();
    want(answer === "granted", this.last);
    this.draw(answer === "granted" ? "They are shown here while a page of Berth is open." : DENIED);
  }

  close() {}
}

export default mounted((parent) => new Switch(parent));
