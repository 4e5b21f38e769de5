// Runs before anything is drawn, as part of the page that is served, and stays for as long as the tab.
// What it keeps true on every page: the theme from the first paint on, room for the sidebar before
// it comes, a sidebar that gives way on a phone, the keyboard in the message box on arrival, and one
// place that tells a screen reader what changed.
(() => {
  const root = document.documentElement;
  const NARROW = matchMedia("(max-width: 767.98px)");
  const HAS_KEYBOARD = matchMedia("(hover: hover) and (pointer: fine)");
  const find = (selector) => document.querySelector(selector);
  const kept = () => {
    try {
      return Object.entries(localStorage);
    } catch {
      return []; // this browser keeps nothing
    }
  };

  // -- the theme, as Streamlit will read it --
  const path = `stActiveTheme-${location.pathname}-v2`;
  const theme = kept().find(([key]) => key === path)?.[1] ?? "";
  const PREFERS_DARK = matchMedia("(prefers-color-scheme: dark)");
  function paint() {
    const isDark = theme.includes("Dark") || (!theme.includes("Light") && PREFERS_DARK.matches);
    root.dataset.berthTheme = isDark ? "dark" : "light";
  }
  PREFERS_DARK.addEventListener("change", paint);
  paint();

  // -- room for the sidebar; on a phone it is closed after a load --
  const sides = kept().filter(([key]) => key.startsWith("stSidebarCollapsed-"));
  const width = Number.parseInt(kept().find(([key]) => key === "sidebarWidth")?.[1], 10);
  if (NARROW.matches) for (const [key] of sides) localStorage.removeItem(key);
  else if (!sides.some(([, isCollapsed]) => isCollapsed === "true")) root.dataset.berthSide = "open";
  root.style.setProperty("--berth-side", width ? `${Math.min(600, Math.max(200, width))}px` : "281px");
  root.dataset.berthFirst = "";

  const NEW = ".berth-new, .st-key-chat_new button";
  const COLLAPSE = '[data-testid="stSidebarCollapseButton"] button';
  addEventListener("click", (event) => {
    const isPage = event.target.closest?.('[data-testid="stSidebarNavLink"], [data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]');
    if (isPage && NARROW.matches) setTimeout(() => find(COLLAPSE)?.click());
    if (event.target.closest?.(NEW)) {
      isAwaited = true;
      setTimeout(look);
    }
  });

  // -- on each page once: its name is told, and the message box has the keyboard --
  const INPUT = '[data-testid="stChatInput"] textarea';
  const SAYS = "berth-says";
  let shown = "";

  // Not from a field in use, nor from a dialog: only from nowhere, or from the link that led here.
  function mayTakeFocus() {
    const now = document.activeElement;
    return HAS_KEYBOARD.matches && (!now || now === document.body || now.closest(`[data-testid="stSidebarNavLink"], [data-testid="stPageLink"], ${NEW}`)) && !find('[role="dialog"]');
  }

  function arrive() {
    const input = find(INPUT);
    if (!/\/Chat\/?$/.test(location.pathname)) return true;
    if (!input || input.disabled) return false;
    if (mayTakeFocus()) input.focus({ preventScroll: true });
    return true;
  }

  const DRAWN = '[data-testid="stMain"] [data-testid="stElementContainer"]';
  let isAwaited = true;
  function look() {
    if (find('[data-testid="stSidebar"]')) delete root.dataset.berthSide;
    if (find('[data-testid="stSidebarNavItems"]') && find(DRAWN)) delete root.dataset.berthFirst;
    if (shown !== location.pathname) {
      [shown, isAwaited] = [location.pathname, true];
    }
    if (isAwaited) isAwaited = !arrive();
  }
  for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => (isAwaited = false), true);
  new MutationObserver(look).observe(root, { childList: true, subtree: true });

  // -- the one status region --
  addEventListener("DOMContentLoaded", () => {
    let told = document.title;
    new MutationObserver(() => {
      if (document.title === told) return;
      told = document.title;
      document.getElementById(SAYS).textContent = told;
    }).observe(document.head, { childList: true, subtree: true, characterData: true });
  });
})();
