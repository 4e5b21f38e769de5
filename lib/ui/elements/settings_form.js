// The settings dialog in the browser.
//
// Escape takes what was typed before it closes: Streamlit would throw a text away that was not left,
// and empty a number. The buttons of an empty number are off in Streamlit: they step from the value
// that stands in it in grey. And Done may lead to a field that needs mending.

import { mounted } from "./dom.js";

const FIELD = 'textarea, input[type="number"], input[type="text"]:not([role="combobox"])';
const NUMBER = '[data-testid="stNumberInputContainer"]';
const STEPS = { stNumberInputStepUp: 1, stNumberInputStepDown: -1 };
const KEYS = { ArrowUp: 1, ArrowDown: -1 };
const LEAD_MILLISECONDS = 150; // until a part that was folded has its height

function decimals(text) {
  return (String(text).split(".")[1] ?? "").length;
}

// The value one step from the grey one; nothing where that is a word, or the field has its own.
function stepped(input, direction) {
  const usual = Number(input.placeholder);
  if (input.value !== "" || input.disabled || input.placeholder.trim() === "" || Number.isNaN(usual)) return null;
  const step = Number(input.step) || 1;
  const digits = Math.max(decimals(input.placeholder), decimals(step));
  return Math.max(0, usual + direction * step).toFixed(digits);
}

// As if it was typed and left: what Streamlit's own field hears.
function type(input, value) {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(() => input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })), 0);
}

// Which button the pointer is on: those that are off let it through to what holds them.
function pressed(container, { clientX, clientY }) {
  const isOn = (box) => clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
  return [...container.querySelectorAll("button:disabled")].find((one) => isOn(one.getBoundingClientRect()));
}

class SettingsForm {
  constructor(parent) {
    this.dialog = parent.closest('[role="dialog"]');
    this.times = 0;
    this.onKey = (event) => this.key(event);
    this.onClick = (event) => this.click(event);
    addEventListener("keydown", this.onKey, true);
    addEventListener("click", this.onClick, true);
  }

  take({ field, times }) {
    if (times === this.times) return;
    this.times = times;
    if (field) setTimeout(() => this.lead(field), LEAD_MILLISECONDS);
  }

  lead(field) {
    const input = this.dialog?.querySelector(`.st-key-${CSS.escape(field)}`)?.querySelector("textarea, input");
    input?.scrollIntoView({ block: "center" });
    input?.focus();
  }

  key(event) {
    if (!this.dialog?.contains(event.target) || event.isComposing) return;
    if (event.key === "Escape" && event.target.matches(FIELD)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      event.target.blur();
      setTimeout(() => this.dialog.querySelector('button[aria-label="Close"]')?.click(), 0);
      return;
    }
    const value = event.target.matches('input[type="number"]') ? stepped(event.target, KEYS[event.key] ?? NaN) : null;
    if (value !== null && value !== "NaN") this.step(event, event.target, value);
  }

  click(event) {
    const container = this.dialog?.contains(event.target) && event.target.closest(NUMBER);
    const button = container && pressed(container, event);
    const input = container && container.querySelector("input");
    const value = button && stepped(input, STEPS[button.dataset.testid]);
    if (value) this.step(event, input, value);
  }

  step(event, input, value) {
    event.preventDefault();
    event.stopImmediatePropagation();
    type(input, value);
  }

  close() {
    removeEventListener("keydown", this.onKey, true);
    removeEventListener("click", this.onClick, true);
  }
}

export default mounted((parent) => new SettingsForm(parent));
