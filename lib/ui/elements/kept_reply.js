// Shows some blocks of a reply that this window drew live: the same nodes, in their message.

import { make, mounted, whenQuiet } from "./dom.js";
import { claim, isKept, renounce } from "./kept_replies.js";

class Kept {
  constructor(parent) {
    this.root = make(parent, "div", "berth-kept");
  }

  // `first` to `last` are the numbers of blocks; `count` is how many the whole reply has. What was
  // taken over once is not asked for again: another place may show it by now.
  take({ id, first, last, count, withThought }) {
    if (this.id === id && this.first === first && this.last === last) return;
    renounce(this);
    this.root.replaceChildren();
    Object.assign(this, { id, first, last, withThought });
    if (isKept(id, count)) claim(this);
    else whenQuiet(() => this.root.isConnected && this.send("missing", id));
  }

  close() {
    renounce(this);
    this.root.remove();
  }
}

export default mounted((parent) => new Kept(parent));
