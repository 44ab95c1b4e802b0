/** Slack's mrkdwn as DOM nodes: https://docs.slack.dev/messaging/formatting-message-text */

import { el } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { channel, channelSlug, clockTime, group, me, moment, nearDay, now, person, workspace } from "./workspace.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const unescape = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);

/** What somebody typed, as Slack stores it: escaped, with `@ben` and `#general` as references. */
export function typed(text) {
  const { people, channels } = workspace();
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign])
    .replace(/(?<!\S)([@#])([\w.-]*\w)/g, (written, sign, name) => {
      const found = sign === "@" ? people.find((each) => each.handle === name) : channels.find((each) => each.name === name && each.kind === "channel");
      return found ? `<${sign}${found.id}>` : written;
    });
}

/** Only what cannot run code: everything else is shown as text. */
export const isSafeLink = (url) => /^(https?:\/\/|mailto:)/i.test(url);

/** A link that opens beside the page (to a message: on it), or plain text when its scheme is not allowed. */
function link(url, label) {
  if (!isSafeLink(url)) return el("span", {}, label || url);
  const here = url.replace(`${location.origin}/#`, "#");
  return el("a", { href: here, target: here === url && "_blank", rel: "noreferrer" }, label || url.replace(/^mailto:/i, ""));
}

function mentionPerson(id, label) {
  const known = person(id);
  return el("span.mention", { class: id === me().id ? "own" : "" }, `@${known?.name ?? label ?? id}`);
}

function mentionChannel(id, label) {
  const known = channel(id);
  return known
    ? el("a.mention", { href: `#${channelSlug(known)}` }, `#${known.name}`)
    : el("span.mention", {}, `#${label || id}`);
}

function mentionGroup(id, label) {
  const name = group(id)?.handle ?? label ?? id;
  return el("span.mention", {}, name.startsWith("@") ? name : `@${name}`);
}

const DIGITS = { year: "numeric", month: "2-digit", day: "2-digit" };
const DATE_PARTS = {
  date_num: DIGITS,
  date_slash: DIGITS,
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
};

function ago(seconds) {
  const far = seconds - now() / 1000;
  const relative = new Intl.RelativeTimeFormat(me().locale || undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(far) >= size) return relative.format(Math.round(far / size), unit);
  }
  return relative.format(Math.round(far), "second");
}

function datePart(name, seconds) {
  if (name === "time") return clockTime(seconds);
  if (name === "ago") return ago(seconds);
  const near = name.endsWith("_pretty") ? nearDay(seconds) : null;
  const options = DATE_PARTS[name.replace(/_pretty$/, "")];
  return near ?? (options ? moment(seconds, options) : null);
}

/** A moment in the reader's language and zone, after Slack's pattern: `{date_short_pretty} {time}`. */
function date(seconds, pattern, url, fallback) {
  if (!Number.isFinite(seconds) || !pattern) return el("span", {}, fallback ?? "");
  const text = pattern.replace(/\{(\w+)\}/g, (written, name) => datePart(name, seconds) ?? written);
  const node = el("time", { datetime: new Date(seconds * 1000).toISOString(), title: fallback ?? "" }, text);
  return url && isSafeLink(url) ? el("a", { href: url, target: "_blank", rel: "noreferrer" }, node) : node;
}

/** What stands between `<` and `>`. */
function reference(inside) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? undefined : unescape(inside.slice(bar + 1));
  if (target.startsWith("@")) return mentionPerson(target.slice(1), label);
  if (target.startsWith("#")) return mentionChannel(target.slice(1), label);
  if (target.startsWith("!subteam^")) return mentionGroup(target.slice(9), label);
  if (target.startsWith("!date^")) {
    const [, seconds, pattern, url] = target.split("^");
    return date(Number(seconds), pattern && unescape(pattern), url && unescape(url), label);
  }
  if (target.startsWith("!")) return el("span.mention", {}, label ?? `@${target.slice(1)}`);
  return link(unescape(target), label && withEmoji(label));
}

const MARKS = { "*": "strong", _: "em", "~": "s" };
const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
const isSpace = (character) => character === undefined || /[\s⁠]/.test(character);

/** Where the mark opened at `start` is closed: on the same line, outside references and code. */
function closing(text, start) {
  const mark = text[start];
  if (isSpace(text[start + 1]) || text[start + 1] === mark || isWord(text[start - 1])) return -1;
  for (let at = start + 1; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "<" || text[at] === "`") {
      const end = text.indexOf(text[at] === "<" ? ">" : "`", at + 1);
      if (end > 0) at = end;
    } else if (text[at] === mark && !isSpace(text[at - 1]) && !isWord(text[at + 1])) return at;
  }
  return -1;
}

const plain = (text) => withEmoji(unescape(text));

function inline(text) {
  const nodes = [];
  let from = 0;
  const flush = (to) => to > from && nodes.push(plain(text.slice(from, to)));
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    let end = -1;
    let node = null;
    if (character === "<") {
      end = text.indexOf(">", at);
      if (end > at + 1) node = reference(text.slice(at + 1, end));
    } else if (character === "`") {
      end = text.indexOf("`", at + 1);
      if (end > at + 1 && !text.slice(at, end).includes("\n")) node = el("code", {}, unescape(text.slice(at + 1, end)));
    } else if (MARKS[character]) {
      end = closing(text, at);
      if (end > 0) node = el(MARKS[character], {}, ...inline(text.slice(at + 1, end)));
    } else if (character === "h" && !isWord(text[at - 1])) {
      const url = /^https?:\/\/[^\s<>*]+[^\s<>*.,;:!?)'"]/.exec(text.slice(at))?.[0];
      if (url) [end, node] = [at + url.length - 1, link(unescape(url))];
    }
    if (!node) continue;
    flush(at);
    nodes.push(node);
    from = (at = end) + 1;
  }
  flush(text.length);
  return nodes;
}

/** Lines that begin with `>` together form a quote; the others stay lines. */
function lines(text) {
  const nodes = [];
  let run = [];
  let quoted = false;
  const flush = () => {
    if (run.length) nodes.push(quoted ? el("blockquote", {}, ...inline(run.join("\n"))) : el("span", {}, ...inline(run.join("\n"))));
    run = [];
  };
  for (const line of text.split("\n")) {
    const quote = /^(?:>|&gt;) ?/.exec(line);
    if (Boolean(quote) !== quoted) {
      flush();
      quoted = Boolean(quote);
    }
    run.push(quote ? line.slice(quote[0].length) : line);
  }
  flush();
  return nodes;
}

/** The nodes of a mrkdwn text. */
export function mrkdwn(text = "") {
  return text.split(/```\n?([\s\S]+?)\n?```\n?/).flatMap((part, index) => {
    if (index % 2) return [el("pre", {}, el("code", {}, unescape(part)))];
    return part ? lines(part) : [];
  });
}

/** The nodes of a text object of Block Kit (`plain_text` or `mrkdwn`). */
export function textObject(object) {
  if (!object) return [];
  if (typeof object === "string") return [object];
  return object.type === "mrkdwn" ? mrkdwn(object.text) : [object.emoji === false ? object.text : withEmoji(object.text)];
}

/** A text without any marks, for places that can only show letters: labels, notifications, tool tips. */
export function spoken(text = "") {
  const holder = el("div", {}, ...mrkdwn(text));
  return holder.textContent.replace(/\s+/g, " ").trim();
}
