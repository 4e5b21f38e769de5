// Prose as the streaming parser can draw it: it takes many a sign for more than it is in real text.
//
// Whatever is no Markdown is put as a character of a private area, which the parser passes over and
// `legible` turns back: money, variables, brackets that are no link, underscores inside a word.

import { formulas } from "./formulas.js";

const PRIVATE = 0xee00;
const LINE_END = String.fromCharCode(PRIVATE + 10); // inside a cell
const CODED = /[\uee00-\uee7f]/g;
const SPECIAL = /[$[\]<>*_~`\\!&|#+\-:.()=]/g;
const CODE = /(?<![`\\])(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g;
const OPEN_CODE = /^(`+)[^`\n][^`\n]*$/;
const ROW = /^[ \t>]*\|/;
const RAW_LINE = /^[ \t>]*(?:([-*_])(?:[ \t]*\1){2,}|\|[ \t|:-]*|=+|-+)[ \t]*$/;
const MARKER = /^[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*(?:\[[ x]\] )?(?:#{1,6} )?/;
const STARTS_ANEW = /^[ \t>]*(?:[-+*][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|\|)/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const LINK = /(!?)\[((?:[^[\]\\\n]|\\.|\[[^[\]\n]*\])*)\]\([ \t]*<?((?:[^()\s<>]|\([^()\s]*\))*)>?(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'))?[ \t]*\)/y;
const AUTOLINK = /<([A-Za-z][\w+.-]*:[^<>\s]*)>/y;
const ADDRESS = /(?:https?:\/\/|www\.)[^\s<]+/y;
const TRAILING = /[?!.,:*_~'"\])]+$/;
const ENTITY = /&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});/iy;
const ESCAPED = /\\([!-/:-@[-`{-~])/y;
const BREAK = /<br[ \t]*\/?>/iy;
const RUN = /\*+|_+|~+/y;
const WORDS = /[A-Za-z0-9 ,;]+|[^]/y;
const decoder = document.createElement("textarea");

function literal(text) {
  return text.replace(SPECIAL, (sign) => String.fromCharCode(PRIVATE + sign.charCodeAt(0)));
}

// The text as it was written; a line end of a cell stays what it is.
export function legible(text) {
  return text.replace(CODED, (sign) => String.fromCharCode(sign.charCodeAt(0) - PRIVATE));
}

function decoded(entity) {
  decoder.innerHTML = entity;
  return decoder.value;
}

function shownLink(text, address) {
  return `[${text}](${address.replace(/[()]/g, (sign) => (sign === "(" ? "%28" : "%29"))})`;
}

function addressed(found) {
  let address = found.replace(TRAILING, "");
  // A bracket belongs to it where it closes one in it.
  if (address.includes("(") && found[address.length] === ")") address += ")";
  return address;
}

// One piece of a text, from `at` on: what is drawn of it, and where the next one begins.
function piece(text, at, isRow) {
  const match = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  let found;
  switch (text[at]) {
    case "\\":
      if (text[at + 1] === "\n") return ["  \n", at + 2];
      found = match(ESCAPED);
      return found ? [literal(found[1]), at + 2] : [literal("\\"), at + 1];
    case "&":
      found = match(ENTITY);
      if (found) return [literal(decoded(found[0])), at + found[0].length];
      break;
    case "<":
      found = isRow && match(BREAK);
      if (found) return [LINE_END, at + found[0].length];
      found = match(AUTOLINK);
      if (found) return [shownLink(literal(found[1]), found[1]), at + found[0].length];
      break;
    case "!":
    case "[":
      found = match(LINK);
      if (found) return [literal(found[1]) + shownLink(prose(found[2], false), found[3]), at + found[0].length];
      break;
    case "h":
    case "w":
      found = !/\w/.test(text[at - 1] ?? "") && match(ADDRESS);
      if (found) {
        const address = addressed(found[0]);
        return [shownLink(literal(address), address.startsWith("w") ? `http://${address}` : address), at + address.length];
      }
      break;
    case "|":
    case "\n":
      return [text[at], at + 1];
  }
  return /[$[\]<>`!&]/.test(text[at]) ? [literal(text[at]), at + 1] : [text[at], at + 1];
}

// `**`, `_` and the like: may it open, may it close what it stands for?
function run(text, at) {
  RUN.lastIndex = at;
  const signs = RUN.exec(text)[0];
  const before = text[at - 1] ?? " ";
  const after = text[at + signs.length] ?? " ";
  const isLeft = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
  const isRight = !/\s/.test(before) && (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
  const isWord = signs[0] === "_";
  const isSign = signs[0] !== "~" || signs.length === 2;
  return {
    signs,
    used: 0,
    opens: isSign && isLeft && (!isWord || !isRight || PUNCTUATION.test(before)),
    closes: isSign && isRight && (!isWord || !isLeft || PUNCTUATION.test(after)),
  };
}

function pair(runs, isOpen) {
  const waiting = [];
  for (const one of runs) {
    if (one.ends) {
      waiting.length = 0;
      continue;
    }
    for (let at = waiting.length - 1; one.closes && one.used < one.signs.length && at >= 0; at--) {
      const other = waiting[at];
      const left = other.signs.length - other.used;
      if (other.signs[0] !== one.signs[0] || (one.signs[0] === "~" && left !== 2)) continue;
      const both = Math.min(left, one.signs.length - one.used);
      other.used += both;
      one.used += both;
      one.isEnd = true;
      waiting.length = left > both ? at + 1 : at;
    }
    if (one.opens && !one.used) waiting.push(one);
  }
  if (isOpen) for (const one of waiting) one.used = one.signs.length; // its end may be to come
}

function drawnRun({ signs, used, isEnd }) {
  const rest = literal(signs.slice(used));
  return isEnd ? signs.slice(0, used) + rest : rest + signs.slice(0, used);
}

// A paragraph, or lines that begin anew; while it `isOpen` more may follow.
// Its first line may be one that `goesOn`. Inside of code that has not ended yet all is code.
export function prose(text, isOpen, goesOn = false) {
  const inTable = ROW.test(text);
  const masked = text.replace(CODE, (code) => "`".repeat(code.length));
  const codes = new Map([...text.matchAll(CODE)].map((code) => [code.index, code[0]]));
  const maths = new Map(formulas(masked, inTable, isOpen).map((formula) => [formula.at, formula]));
  const drawn = [];
  for (let at = 0; at < text.length; ) {
    if (at === 0 ? !goesOn : text[at - 1] === "\n") {
      const line = text.slice(at).split("\n", 1)[0];
      if (STARTS_ANEW.test(line)) drawn.push({ ends: true });
      const begin = RAW_LINE.test(line) ? line : MARKER.exec(line)[0];
      drawn.push(begin.replace(/(\d)\)(?=[ \t])/, "$1."));
      at += begin.length;
      if (begin) continue;
    }
    const code = codes.get(at);
    const formula = maths.get(at);
    if (code) {
      drawn.push(code);
      at += code.length;
    } else if (formula) {
      drawn.push(formula.is === "inline" ? `\\(${formula.says}\\)` : `\\[\n${formula.says.trim()}\n\\]`);
      at = formula.end;
    } else if (isOpen && text[at] === "`" && OPEN_CODE.test(text.slice(at))) {
      drawn.push(text.slice(at));
      break;
    } else if (/[*_~]/.test(text[at])) {
      drawn.push(run(text, at));
      at += drawn.at(-1).signs.length;
    } else {
      const [made, next] = piece(text, at, inTable);
      drawn.push(made);
      at = next;
    }
  }
  pair(drawn.filter((one) => typeof one !== "string"), isOpen);
  return drawn.map((one) => (typeof one === "string" ? one : one.ends ? "" : drawnRun(one))).join("");
}

export { LINE_END, STARTS_ANEW };
