"""Real text and what has to be seen of it: one table for both that draw replies.

`drawn` is the text with `[b:…]`, `[i:…]`, `[s:…]`, `[code:…]`, `[a:…]`, `[$:…]` around what is
bold, thin, struck out, code, a link, a formula; `⏎` is a line end and `¦` the end of a cell or an
item. `given` is what st.markdown gets for it.
"""

import json
from typing import NamedTuple

from tests.conftest import ROOT

SHOWN = r"""(top) => {
  const AS = { STRONG: "b", B: "b", EM: "i", DEL: "s", S: "s", CODE: "code", A: "a" };
  const show = (node) => {
    if (node.nodeType === 3) return node.data.replace(/\u2060/g, "");
    const ours = "button, svg, input, [data-testid=stHeaderActionElements]";
    if (node.nodeType !== 1 || node.matches(ours)) return "";
    const isMaths = node.matches(".katex-display, .katex, equation-inline, equation-block");
    const said = node.querySelector("annotation")?.textContent ?? node.textContent;
    if (isMaths) return `[$:${said.trim()}]`;
    if (node.matches(".katex-error, [style*='204, 0, 0']")) return `[wrong:${said}]`;
    if (node.matches("img, [role=img]")) return "[picture]";
    if (node.tagName === "BR") return node.closest("td, th") ? "⏎" : " ";
    let inside = [...node.childNodes].map(show).join("");
    if (node.matches("td, th")) inside = `${inside.trim().replaceAll("\n", "⏎")}¦`;
    if (node.tagName === "LI") inside = `${inside.trim()}¦`;
    const is = AS[node.tagName];
    return is ? `[${is}:${is === "code" ? inside.trim() : inside}]` : inside;
  };
  const seen = show(top).replace(/\s+/g, " ").replaceAll("¦ ", "¦");
  return seen.replaceAll("[b:[i:", "[i:[b:").trim(); // which of them is inside is not seen
}"""


class Case(NamedTuple):
    """A text as a model writes it, and what has to be seen of it."""

    name: str
    written: str
    given: str  # to st.markdown
    drawn: str


def cases() -> list[Case]:
    """The table."""
    found = json.loads((ROOT / "tests/support/prose.json").read_text(encoding="utf-8"))
    return [Case(**one) for one in found]
