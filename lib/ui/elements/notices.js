// Shows what happened as notices of the browser's own, where this browser was told to.

import { mounted } from "./dom.js";
import { isOn, seen, show } from "./notice_store.js";

class Notices {
  take({ notices }) {
    if (!isOn()) return;
    const before = seen.get();
    seen.set(notices.at(-1).number); // which may be less than before: their file may have been lost
    for (const { number, text } of notices) {
      if (number > before) show(text, `berth-${number}`); // one of each, however many tabs are open
    }
  }

  close() {}
}

export default mounted(() => new Notices());
