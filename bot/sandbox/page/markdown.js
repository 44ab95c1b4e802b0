/** The markdown block: as much of CommonMark as an app writes, as DOM nodes. */

import { el } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { link } from "./mrkdwn.js";

const INLINE = new RegExp([
  /\\([\\`*_{}[\]()#+.!~|>-])/, // 1 an escaped mark
  /`([^`]+)`/, // 2 code
  /\*\*(?=\S)(.+?)\*\*/, // 3 bold
  /~~(?=\S)(.+?)~~/, // 4 struck
  /(?<![\p{L}\p{N}*])\*(?=[^\s*])(.+?)\*/, // 5 italic
  /(?<![\p{L}\p{N}_])_(?=[^\s_])(.+?)_(?![\p{L}\p{N}])/, // 6 italic
  /!?\[([^\]]*)\]\(([^)\s]+)\)/, // 7 label, 8 address
  /(https?:\/\/[^\s<>]+[^\s<>.,;:!?)'"])/, // 9 a bare address
].map((each) => each.source).join("|"), "gu");

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    nodes.push(withEmoji(text.slice(from, found.index)));
    from = found.index + found[0].length;
    const [, mark, code, bold, struck, star, under, label, address, bare] = found;
    if (mark) nodes.push(mark);
    else if (code) nodes.push(el("code", {}, code));
    else if (bold) nodes.push(el("strong", {}, ...inline(bold)));
    else if (struck) nodes.push(el("s", {}, ...inline(struck)));
    else if (star || under) nodes.push(el("em", {}, ...inline(star ?? under)));
    else nodes.push(link(address ?? bare, label));
  }
  nodes.push(withEmoji(text.slice(from)));
  return nodes.filter((node) => node !== "");
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
const ITEM = /^(\s*)(?:([-*+])|(\d+)[.)])\s+(?:\[([ xX])\]\s+)?(.*)$/;
const BREAKS = /^(#{1,6}\s|```|>|\s*(?:[-*+]|\d+[.)])\s+|\s*([-*_])(\s*\2){2,}\s*$)/;

function table(head, rule, rows) {
  const align = cells(rule).map((cell) => (/^:.*:$/.test(cell) ? "center" : cell.endsWith(":") ? "right" : "left"));
  const row = (tag, line) => el("tr", {}, ...cells(line).map((cell, at) => el(tag, { class: `align-${align[at] ?? "left"}` }, ...inline(cell))));
  return el("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, row("th", head)), el("tbody", {}, ...rows.map((line) => row("td", line)))));
}

/** Items indented deeper than the first become a list inside the item before them. */
function list(items) {
  const [first] = items;
  const node = el(first.ordered ? "ol" : "ul", { start: first.ordered && first.ordered !== "1" ? first.ordered : null });
  for (let at = 0; at < items.length; at++) {
    const item = items[at];
    const done = item.task === undefined ? [] : [item.task === " " ? "☐ " : "☑ "];
    const line = el("li", { class: done.length ? "task" : "" }, ...done, ...inline(item.text));
    const deeper = [];
    while (items[at + 1] && items[at + 1].indent > first.indent) deeper.push(items[++at]);
    if (deeper.length) line.append(list(deeper));
    node.append(line);
  }
  return node;
}

/** The nodes of a markdown text. */
export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  const taken = (test) => {
    const run = [];
    while (lines.length && test(lines[0])) run.push(lines.shift());
    return run;
  };
  while (lines.length) {
    const line = lines[0];
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (!line.trim()) lines.shift();
    else if (line.startsWith("```")) {
      lines.shift();
      nodes.push(el("pre", {}, el("code", {}, taken((each) => !each.startsWith("```")).join("\n"))));
      lines.shift();
    } else if (heading) {
      lines.shift();
      nodes.push(el(`h${Math.min(heading[1].length + 2, 6)}`, {}, ...inline(heading[2])));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      lines.shift();
      nodes.push(el("hr"));
    } else if (line.startsWith(">")) {
      nodes.push(el("blockquote", {}, ...markdown(taken((each) => each.startsWith(">")).map((each) => each.replace(/^> ?/, "")).join("\n"))));
    } else if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[1] ?? "")) {
      const [head, rule] = lines.splice(0, 2);
      nodes.push(table(head, rule, taken((each) => each.includes("|"))));
    } else if (ITEM.test(line)) {
      nodes.push(list(taken((each) => ITEM.test(each)).map((each) => {
        const [, indent, , ordered, task, words] = ITEM.exec(each);
        return { indent: indent.length, ordered, task, text: words };
      })));
    } else {
      nodes.push(el("p", {}, ...inline([lines.shift(), ...taken((each) => each.trim() && !BREAKS.test(each))].join("\n"))));
    }
  }
  return nodes;
}
