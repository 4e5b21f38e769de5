// Whether this browser shows notices, and which it has shown last.

const WANTED = "berth-notices";
const SEEN = "berth-notices-seen";

export const isAble = () => "Notification" in window && window.isSecureContext;
export const isOn = () => isAble() && Notification.permission === "granted" && localStorage.getItem(WANTED) === "on";

export const seen = {
  get: () => Number(localStorage.getItem(SEEN)),
  set: (number) => localStorage.setItem(SEEN, String(number)),
};

// `last` is the newest there is: what happened before is no news.
export function want(is, last) {
  if (is) localStorage.setItem(WANTED, "on");
  else localStorage.removeItem(WANTED);
  seen.set(last);
}

export function show(text, tag) {
  new Notification("Berth", { body: text, tag });
}
