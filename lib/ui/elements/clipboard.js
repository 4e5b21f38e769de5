// Outside of localhost and https there is no clipboard but the old one.

import { make } from "./dom.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make(document.body, "textarea", "", text);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
