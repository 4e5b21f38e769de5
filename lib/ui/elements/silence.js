// Runs before Streamlit's own scripts: says in Berth's words that Berth does not answer, and has the page go on by
// itself when it is back. What Streamlit asks before it connects is answered here once Berth answers, and never fails:
// so it counts no failures, and shows no error of its own.
(() => {
  const CHECK = /\/_stcore\/(health|host-config)$/;
  const SOCKET = /\/_stcore\/stream$/;
  const HEALTH = "/_stcore/health";
  const START = "/api/start";
  const AGAIN_MS = 1000; // between two tries while it is silent
  const PATIENCE_MS = 10_000; // no answer for so long is none
  const LOOK_MS = 15_000; // a connection that is open may lead nowhere, as after a sleep
  const SLEPT_MS = 3 * LOOK_MS; // so late a look comes after a sleep
  const STUCK_MS = 20_000; // Berth answers, and Streamlit does not get through
  const BACK_MS = 5000;
  const RELOAD_MS = 30_000; // between two loads that nobody asked for
  const RELOADED = "berth_reloaded";
  const KNOWN = "berth_start"; // how it is started, as it was told last
  const REFUSALS = new Set([401, 403, 421]);
  const BUILD = /name="berth-build" content="(\w+)"/;
  const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])$/;

  const ask = window.fetch.bind(window);
  const isOwners = LOCAL.test(location.hostname);
  let silentSince = 0;
  let disconnectedSince = 0;
  let lookedAt = Date.now();
  let socket = null; // Streamlit's
  let box = null;
  const waiting = new Set();

  const moment = () =>
    new Promise((done) => {
      waiting.add(done);
      setTimeout(done, AGAIN_MS);
    });

  function wake() {
    for (const done of waiting) done();
    waiting.clear();
  }

  async function tried(address) {
    try {
      return await ask(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      return null;
    }
  }

  async function answered(address) {
    for (let tries = 1; ; tries++) {
      const answer = await tried(address);
      if (answer?.ok || answer?.status === 404) return back(), answer; // it looks below the page's path first
      if (answer && REFUSALS.has(answer.status)) refused();
      else if (tries > 1) silent();
      else silentSince ||= Date.now();
      await moment();
    }
  }

  function silent() {
    silentSince ||= Date.now();
    show("silent", silence());
  }

  function silence() {
    const why = isOwners ? "It was stopped" : "Its owner has stopped it or its sharing";
    const told = `${why}, or the machine sleeps. This page goes on by itself when it is back.`;
    const lines = [["strong", "Berth does not answer."], ["span", told]];
    if (!isOwners) return lines;
    const { icon, command } = JSON.parse(kept(KNOWN) ?? "{}");
    const how = icon ? `Start it with its icon (${icon}), or in a terminal:` : "Start it in a terminal:";
    return [...lines, ["span", how], ["code", command ?? "./setup.sh"]];
  }

  async function back() {
    disconnectedSince = 0;
    if (!silentSince) return;
    silentSince = 0;
    if (!box) return;
    show("back", [["strong", "Berth is back."]]);
    setTimeout(() => box?.dataset.kind === "back" && hide(), BACK_MS);
    const page = await (await tried(location.pathname))?.text().catch(() => "");
    const build = page?.match(BUILD)?.[1];
    if (build && build !== document.querySelector('meta[name="berth-build"]').content) renewed();
  }

  // Its scripts are of another version than the page's: they would miss one another.
  function renewed() {
    const isTyped = [...document.querySelectorAll("textarea")].some((field) => field.value.trim());
    if (!isTyped && mayReload()) return location.reload();
    const told = "Load this page again to use it; copy first what you have typed.";
    show("renewed", [["strong", "Berth was updated."], ["span", told]], true);
  }

  // Berth's own page then says why: a login has ended, sharing has been stopped, a key is asked for.
  function refused() {
    if (mayReload()) return location.reload();
    const told = "Load it again to see why.";
    show("refused", [["strong", "Berth does not let this page in any more."], ["span", told]], true);
  }

  function mayReload() {
    const before = Number(kept(RELOADED) ?? 0);
    if (Date.now() - before < RELOAD_MS) return false;
    keep(RELOADED, String(Date.now()));
    return true;
  }

  function kept(name) {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  }

  function keep(name, text) {
    try {
      sessionStorage.setItem(name, text);
    } catch {
      // then it is asked again
    }
  }

  function show(kind, lines, hasButton = false) {
    if (box?.dataset.kind === kind) return;
    hide();
    box = document.createElement("div");
    box.id = "berth-silence";
    box.dataset.kind = kind;
    box.setAttribute("role", kind === "back" ? "status" : "alert");
    for (const [tag, text] of lines) box.appendChild(document.createElement(tag)).textContent = text;
    if (hasButton) box.append(button());
    document.body.append(box);
  }

  function button() {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = "Load the page again";
    made.onclick = () => location.reload();
    return made;
  }

  function hide() {
    box?.remove();
    box = null;
  }

  // Whether the connection that is open still leads somewhere.
  async function look() {
    const now = Date.now();
    const hasSlept = now - lookedAt > SLEPT_MS;
    lookedAt = now;
    if (silentSince || document.hidden) return;
    if ((await tried(HEALTH)) || (!hasSlept && (await tried(HEALTH)))) return watchState();
    silent();
    await answered(HEALTH);
    if (socket?.readyState === WebSocket.OPEN) socket.close(); // it is of before the silence
  }

  function watchState() {
    const state = document.querySelector('[data-testid="stApp"]')?.dataset.testConnectionState;
    if (!state || state === "CONNECTED") {
      disconnectedSince = 0;
      if (box?.dataset.kind === "stuck") hide();
      return;
    }
    disconnectedSince ||= Date.now();
    if (Date.now() - disconnectedSince < STUCK_MS) return;
    const told = "It goes on trying.";
    show("stuck", [["strong", "Berth answers, but this page is not connected to it."], ["span", told]], true);
  }

  async function learn() {
    if (!isOwners) return;
    const answer = await tried(START);
    if (answer?.ok) keep(KNOWN, await answer.text());
  }

  window.fetch = (address, options) =>
    CHECK.test(String(address?.url ?? address)) ? answered(address) : ask(address, options);
  window.WebSocket = class extends window.WebSocket {
    constructor(address, ...more) {
      super(address, ...more);
      if (SOCKET.test(new URL(address, location.href).pathname)) socket = this;
    }
  };
  for (const event of ["online", "pageshow", "focus"]) window.addEventListener(event, () => wake());
  document.addEventListener("visibilitychange", () => document.hidden || (wake(), look()));
  window.addEventListener("load", () => setTimeout(learn, BACK_MS));
  setInterval(look, LOOK_MS);
})();
