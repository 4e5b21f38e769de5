// Opens Streamlit's WebSocket while its scripts still load, and asks for the page with it: Streamlit
// gets the socket with what has come on it. Should it ask for anything else, that is sent as well.
(() => {
  const Native = WebSocket;
  const address = location.origin.replace("http", "ws") + "/_stcore/stream";
  const LONGEST = 4000; // of an address
  const utf8 = new TextEncoder();

  // Says where the server is, so that it need not be looked for; nobody may talk to us as a host.
  window.__streamlit = {
    BACKEND_BASE_URL: location.origin,
    HOST_CONFIG: { allowedOrigins: ["https://nobody.invalid"], useExternalAuthToken: false },
  };

  // Protocol Buffers: a field is its number and kind, then its value.
  function varint(number) {
    const bytes = [];
    for (let rest = BigInt.asUintN(64, BigInt(number)); ; rest >>= 7n) {
      if (rest < 128n) return [...bytes, Number(rest)];
      bytes.push(Number(rest & 127n) | 128);
    }
  }
  const whole = (field, number) => [...varint(field << 3), ...varint(number)];
  const part = (field, bytes) => [...varint((field << 3) | 2), ...varint(bytes.length), ...bytes];
  const text = (field, words) => part(field, utf8.encode(words));

  // BackMsg.rerun_script as Streamlit's first message has it (BackMsg.proto, ClientState.proto).
  function firstMessage() {
    const path = location.pathname.replace(/\/+$/, "");
    const query = location.search.slice(1);
    const context = [
      ...text(1, Intl.DateTimeFormat().resolvedOptions().timeZone),
      ...whole(2, new Date().getTimezoneOffset()),
      ...text(3, navigator.language),
      ...text(4, location.origin + (path || "/")),
      ...whole(5, 0),
      ...text(6, scheme()),
    ];
    const run = [
      ...(query ? text(1, query) : []),
      ...part(2, []),
      ...(path ? text(4, path.slice(1)) : []),
      ...part(8, context),
    ];
    return new Uint8Array(part(11, run));
  }

  function scheme() {
    try {
      const kept = localStorage.getItem(`stActiveTheme-${location.pathname}-v2`);
      if (kept === '"Light"' || kept === '"Dark"') return JSON.parse(kept).toLowerCase();
    } catch {} // no storage
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function same(data, other) {
    const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    return bytes.length === other.length && bytes.every((byte, at) => byte === other[at]);
  }

  const first = firstMessage();
  const asked = btoa(String.fromCharCode(...first)).replaceAll("+", "-").replaceAll("/", "_");
  if (asked.length > LONGEST) return;
  // In the address, because a busy browser would be slow to say it once the socket is open.
  const early = new Native(`${address}?first=${asked}`, ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]);
  const come = [];
  early.binaryType = "arraybuffer";
  early.onmessage = (event) => come.push(event.data);

  // Once: Streamlit's first socket is this one, and its first message has been sent.
  function handOver() {
    const isOpen = early.readyState === Native.OPEN;
    early.onmessage = null;
    early.send = (data) => {
      delete early.send;
      if (!same(data, first)) early.send(data);
    };
    queueMicrotask(() => {
      if (isOpen) early.dispatchEvent(new Event("open"));
      for (const data of come) early.dispatchEvent(new MessageEvent("message", { data }));
    });
    return early;
  }

  window.WebSocket = new Proxy(Native, {
    construct(target, [url, ...others]) {
      if (String(url) !== address) return new target(url, ...others);
      window.WebSocket = Native;
      return early.readyState <= Native.OPEN ? handOver() : new target(url, ...others);
    },
  });
})();

// What the first screen needs beside what the page names itself; a browser asks for it after that.
// And what an answer may need, once the page stands.
(() => {
  const LATER_MILLISECONDS = 2000;
  const { soon, later } = document.currentScript.dataset;
  function link(rel, addresses) {
    for (const href of addresses.split(" ").filter(Boolean)) {
      const made = { rel, as: "script", crossOrigin: "", href };
      document.head.append(Object.assign(document.createElement("link"), made));
    }
  }
  link("modulepreload", soon);
  addEventListener("load", () => setTimeout(link, LATER_MILLISECONDS, "prefetch", later));
})();
