// What our elements share: making parts of a page, and living on it.

export function make(parent, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

// The function that Streamlit wants of a script: `create(parent)` makes what takes data from then
// on, with `take(data)`, until `close()`. Its `send(name, value)` makes the page run again.
//
// Streamlit calls anew with every change, without waiting for the call before, and "cleans up"
// after one that was overtaken: what lives in this place is closed when the place itself is gone.
export function mounted(create) {
  const living = new WeakMap();
  return ({ parentElement, data, setTriggerValue }) => {
    const one = living.get(parentElement) ?? create(parentElement);
    living.set(parentElement, one);
    one.send = setTriggerValue;
    one.take(data);
    return () => {
      if (parentElement.isConnected || !living.delete(parentElement)) return;
      one.close();
    };
  };
}
