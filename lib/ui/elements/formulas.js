// Which dollars in a prose begin and end a formula, and which are money, variables or just a sign.
//
// The server's side of it is lib/ui/formulas.py: both hold to the same table of cases.

const START = new RegExp(
  [
    String.raw`(?<![\\$])\$\$(?<display>(?:[^$\\]|\\[^$])+?)\$\$(?!\$)`,
    String.raw`\\\[(?<square>[^]+?)\\\](?!\()`,
    String.raw`\\\((?<round>[^]+?)\\\)`,
    String.raw`(?<![\\$A-Za-z0-9_])\$(?<inline>[^$\n` + "`" + String.raw`]+)(?<!\\)\$(?!\$)`,
    String.raw`^(?<lead>[ \t>]*)(?:\$\$(?<open>[^$\n]*)\n(?<rest>[^$]*)|\\\[(?<begun>[^]*))$(?![^])`, // its end is still to come
  ].join("|"),
  "gm",
);
const NO_START = /^(?:[\s?!@#:;,)\]}'"&%]|\.(?!\d))/;
const NO_END = /[\s([{]$|"/;
const NO_MORE = /^(?!(?:th|st|nd|rd|s)\b)[A-Za-z0-9_{]/; // `$n$th` is none of a variable
const MONEY = /^[-+]?[.\d]/;
const NUMBER = /^[-+]?[\d.,]+%?$/;
const COMMAND = /\\[A-Za-z]+|\{[^{}]*\}/g;
const NAME = /sin|cos|tan|log|ln|exp|lim|max|min|mod|gcd|det/g;
const WORD = /[A-Za-z]{2,}/;
const SIGN = /[=^_\\+*/<>|{}-]/;
const PLAIN_SUM = /[=^_\\+*/<>-]|\d[A-Za-z]\b/;

// Can this stand between two dollars, with `after` behind them?
function isFormula(inside, after) {
  if (!inside || NO_START.test(inside) || NO_END.test(inside) || inside.includes("\\$")) return false;
  if (NO_MORE.test(after) || (inside[0] === "(" && after[0] === "(")) return false;
  if (NUMBER.test(inside)) return true;
  const hasWords = WORD.test(inside.replace(COMMAND, "").replace(NAME, ""));
  if (MONEY.test(inside)) return !hasWords && PLAIN_SUM.test(inside);
  return !hasWords || !inside.includes(" ") || SIGN.test(inside);
}

function kind({ groups, index, 0: whole }, text, inTable) {
  const { round, square, open, begun, display, inline } = groups;
  if (round !== undefined) return round.includes("\n") ? "" : "inline";
  if (square !== undefined || begun !== undefined) return "display";
  if (open !== undefined) return !open.trim() || SIGN.test(open) ? "display" : "";
  if (display !== undefined) {
    const isOwnLine = /^[ \t>]*$/.test(text.slice(text.lastIndexOf("\n", index - 1) + 1, index));
    const isMeant = isOwnLine || display === display.trim() || SIGN.test(display);
    return isMeant && isFormula(display.trim(), "") ? "display" : "";
  }
  const end = index + whole.length;
  return isFormula(inline, text.slice(end, end + 3)) && !(inTable && inline.includes("|")) ? "inline" : "";
}

function inside({ round, square, open, rest, begun, display, inline }) {
  return open === undefined ? (round ?? square ?? begun ?? display ?? inline) : `${open}\n${rest}`;
}

// Where the formulas of a text are, and what they say; while it `isOpen` the last may have no end yet.
export function formulas(text, inTable, isOpen) {
  const found = [];
  START.lastIndex = 0;
  for (let one; (one = START.exec(text)); ) {
    const { groups, index } = one;
    const is = groups.begun !== undefined && !isOpen ? "" : kind(one, text, inTable);
    if (is) found.push({ at: index + (groups.lead ?? "").length, end: index + one[0].length, is, says: inside(groups) });
    START.lastIndex = is ? index + one[0].length : index + 1;
  }
  return found;
}
